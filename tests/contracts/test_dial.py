"""Connections to servers: to addresses that were checked, through an egress proxy, and by which authorities' word."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InvalidSetting, UpstreamUnavailable
from schemas.origin import Origin, Reach
from services.domain.exchange.routes import origin_of
from services.domain.routing.address import is_reachable
from services.ports.upstream import Headers
from services.stores.upstream.dial import Dialer, egress_proxy, trusting_context
from services.stores.upstream.pool import UpstreamPool
from tests.servers.scripted_provider import ScriptedProvider, http_response

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


class Receiver:
    """Waits for the head of one response, or its failure."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None:  # noqa: ARG002
        self.outcome.set_result(status)

    def response_chunk(self, chunk: bytes) -> None: ...
    def response_end(self) -> None: ...
    def response_flush(self) -> None: ...
    def upstream_slow(self) -> None: ...
    def upstream_ready(self) -> None: ...

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        if not self.outcome.done():
            self.outcome.set_result(error)


async def outcome_of(pool: UpstreamPool, origin: Origin) -> int | Exception:
    receiver = Receiver()
    call = pool.call(origin, receiver)
    call.send_head(b"GET", b"/", [], None)
    call.finish()
    call.flush()
    return await asyncio.wait_for(receiver.outcome, 5)


class Resolver:
    """Names with one list of addresses after the other."""

    def __init__(self, *addresses: list[str]) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:  # noqa: ARG002
        self.asked.append(host)
        return self.addresses.pop(0)


def a_pool(resolver: Resolver, **parts: Any) -> UpstreamPool:
    dialer = Dialer(**{"tls": trusting_context(), "is_reachable": is_reachable, "resolve": resolver, **parts})
    return UpstreamPool(max_connections=2, connect_timeout_s=5, dialer=dialer)


def named(port: int, reach: Reach) -> Origin:
    return Origin(url=f"http://model.test:{port}", tls=False, host="model.test", port=port, path="", reach=reach)


async def test_a_name_that_leads_inside_is_not_connected_to() -> None:
    provider = ScriptedProvider()
    async with provider.listening():
        for addresses in (["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], []):
            resolver = Resolver(addresses)
            pool = a_pool(resolver)
            got = await outcome_of(pool, named(provider.port, Reach.PUBLIC))
            assert isinstance(got, UpstreamUnavailable)
            assert (got.code, resolver.asked) == ("address_refused", ["model.test"])
            await pool.close()
        assert provider.connections == 0


async def test_a_name_is_resolved_once_a_connection_and_rebinding_it_changes_nothing() -> None:
    provider = ScriptedProvider()
    async with provider.listening():
        resolver = Resolver(["127.0.0.1"], ["169.254.169.254"])
        pool = a_pool(resolver)
        origin = named(provider.port, Reach.INTERNAL)
        assert await outcome_of(pool, origin) == 200
        assert f"Host: model.test:{provider.port}\r\n".encode() in provider.heads[0]
        provider.script = [http_response(b"{}", more="Connection: close\r\n")]
        assert await outcome_of(pool, origin) == 200, "the connection is used again, and nobody asks for its name"
        assert len(resolver.asked) == 1
        await asyncio.sleep(0.05)
        refused = await outcome_of(pool, origin)
        assert isinstance(refused, UpstreamUnavailable)
        assert (refused.code, provider.connections) == ("address_refused", 1)
        pool.sweep()
        await pool.close()


@asynccontextmanager
async def an_egress_proxy(reply: bytes, *, to: int = 0) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Its port, and the requests that it got. After a good reply it joins the client with the port `to`."""
    requests: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        if to:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to)
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], requests
    await asyncio.wait_for(ended.wait(), 5)
    server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
    writer.close()


async def test_tls_connections_leave_through_the_egress_proxy_with_the_name_of_the_server(
    tmp_path: Path,
) -> None:
    authority, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(authority)]
    subprocess.run(["openssl", "req", "-x509", *made, *subject, *files], check=True, capture_output=True)  # noqa: ASYNC221
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(authority, key)
    provider = ScriptedProvider(tls=server_side)
    async with provider.listening(), an_egress_proxy(b"HTTP/1.1 200 OK\r\n\r\n", to=provider.port) as (port, requests):
        egress = egress_proxy(f"http://user:pass%20word@127.0.0.1:{port}", "direct.test")
        pool = a_pool(Resolver(), tls=trusting_context(str(authority)), egress=egress)
        assert await outcome_of(pool, origin_of("https://localhost:444")) == 200
        assert requests == [
            b"CONNECT localhost:444 HTTP/1.1\r\nHost: localhost:444\r\n"
            b"Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n\r\n"
        ]
        assert b"Proxy-Authorization" not in provider.heads[0]
        await pool.close()


async def test_an_egress_proxy_that_refuses_is_reported_without_its_password() -> None:
    async with an_egress_proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (port, _):
        pool = a_pool(Resolver(), egress=egress_proxy(f"http://user:canary@127.0.0.1:{port}", ""))
        got = await outcome_of(pool, origin_of("https://api.openai.com"))
        assert isinstance(got, UpstreamUnavailable)
        assert ("407" in str(got), "canary" in str(got)) == (True, False)
        await pool.close()


def test_hosts_that_are_reached_directly_are_named_as_in_no_proxy() -> None:
    egress = egress_proxy("proxy.corp:3128", "localhost,.corp.example, *.b.example,10.0.0.1:8000")
    assert egress is not None
    assert (egress.host, egress.port) == ("proxy.corp", 3128)
    direct = (
        "https://localhost",
        "https://a.corp.example",
        "https://corp.example",
        "https://x.b.example",
        "http://a.example",
    )
    for url, carried in [
        *((url, False) for url in direct),
        ("https://api.openai.com", True),
        ("https://xcorp.example", True),
    ]:
        assert egress.carries(origin_of(url)) is carried, url
    assert egress_proxy("none", "") is egress_proxy("", "") is None
    for wrong in ("https://canary@proxy", "socks5://p", "http://", "http://p:x"):
        with pytest.raises(InvalidSetting, match="FAREBOX_EGRESS_PROXY") as refused:
            egress_proxy(wrong, "")
        assert "canary" not in str(refused.value)


def test_a_file_of_authorities_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InvalidSetting, match=r"FAREBOX_CA_FILE: /nowhere\.pem"):
        trusting_context("/nowhere.pem")
