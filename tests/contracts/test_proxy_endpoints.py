"""The proxy's and the worker's own pages: who may see them, with which methods, and what is said of other paths."""

import asyncio
from typing import Any

import pytest

from services.domain.logging_api.event import LOG_PATHS
from services.health_page import serve_health
from services.telemetry.metrics import Metrics
from tests.servers.proxy_rig import rig

pytestmark = pytest.mark.anyio

PAGES = ("/healthz", "/healthcheck", "/metrics")
HOSTS = {  # Host -> whether metrics are shown under it
    "127.0.0.1": True,
    "localhost:8787": True,
    "10.0.0.7:8787": True,
    "[::1]": True,
    "proxy:8787": True,
    "farebox.example.com": True,
    "a.internal.example": True,
    "evil.example": False,
    "localhost.evil.example:8787": False,
    "127.0.0.1.evil.example": False,
}


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


async def test_metrics_are_shown_under_names_that_no_page_elsewhere_can_have() -> None:
    async with rig(hosts="farebox.example.com,*.internal.example") as proxy, proxy.client() as client:
        for host, shown in HOSTS.items():
            got = await client.get("/metrics", headers={"Host": host})
            assert (got.status_code, "farebox_proxy_requests_total" in got.text) == (
                (200, True) if shown else (403, False)
            )
            if not shown:
                assert "FAREBOX_HOSTS" in got.json()["error"]["message"]
            assert (await client.get("/healthz", headers={"Host": host})).status_code == 200
            assert (await client.post("/oai/v1/x", headers={"Host": host})).status_code == 200
        assert b"farebox_proxy" in await proxy.raw(b"GET /metrics HTTP/1.0\r\n\r\n"), "browsers send a host"


async def test_the_worker_s_metrics_are_shown_under_the_same_names() -> None:
    names = frozenset(["farebox.example.com", "*.internal.example"])
    server = await serve_health(Metrics(), host="127.0.0.1", port=0, hosts=names)
    statuses = {host: b"200" if shown else b"403" for host, shown in HOSTS.items()}
    for host, status in (statuses | {"user@localhost": b"400", "": b"400"}).items():
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"GET /metrics HTTP/1.1\r\nX: 1\r\nhost: %b\r\n\r\n" % host.encode())
        said = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert (said.split(b" ")[1], b"farebox_worker" in said) == (status, status == b"200"), host
    server.close()
    await server.wait_closed()


async def test_a_page_takes_its_methods_and_says_which() -> None:
    async with rig() as proxy, proxy.client() as client:
        for path in PAGES:
            assert (await client.get(path)).status_code == 200
            assert (await client.head(path)).status_code == 200
            for method in ("POST", "PUT", "DELETE", "OPTIONS"):
                got = await client.request(method, path)
                assert (got.status_code, got.headers["allow"]) == (405, "GET, HEAD")
        for path in LOG_PATHS:
            for method in ("GET", "PUT", "HEAD"):
                got = await client.request(method, path)
                assert (got.status_code, got.headers["allow"]) == (405, "POST")
        assert proxy.provider.heads == []


async def test_the_health_check_is_helicone_s() -> None:
    async with rig() as proxy, proxy.client() as client:
        del client.headers["Helicone-Auth"]
        got = await client.get("/healthcheck")
        assert (got.status_code, got.json()) == (200, {"status": "healthy :)"})


async def test_an_unknown_path_is_given_the_known_ones() -> None:
    async with rig() as proxy, proxy.client() as client:
        for path in ("/", "/v1/chat/completions", "/metrics/x", "/docs", "/openapi.json"):
            got = await client.get(path)
            message = got.json()["error"]["message"]
            assert got.status_code == 404
            assert all(route in message for route in ("/oai/*", "/anthropic/*", "/v1/gateway", *LOG_PATHS, *PAGES))


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.2", "foo"])
async def test_other_offers_to_change_the_protocol_are_declined_and_the_request_passes(offer: str) -> None:
    async with rig() as proxy, proxy.client() as client:
        got = await client.post("/oai/v1/x", headers={"Connection": "Upgrade", "Upgrade": offer}, content=b"body")
        assert (got.status_code, proxy.provider.bodies) == (200, [b"body"])
        assert b"upgrade" not in proxy.provider.heads[0].lower()
