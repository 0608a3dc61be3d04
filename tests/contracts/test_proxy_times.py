"""What the proxy says of its own speed: histograms, requests in flight, and a header where that is wanted."""

from typing import Any

import pytest

from tests.servers.proxy_rig import head, rig
from tests.servers.scripted_provider import Do, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
STREAM = b'{"model":"m","stream":true}'  # is collected, so that its usage can be asked for


def figure(exposition: str, sample: str) -> float:
    """Of the sample with this name and these labels; 0 where there is none."""
    lines = (line.rpartition(" ") for line in exposition.splitlines())
    return next((float(value) for name, _, value in lines if name == f"farebox_proxy_{sample}"), 0.0)


@pytest.mark.parametrize("body", [b'{"model":"m"}', STREAM])
async def test_the_wait_for_the_provider_is_not_what_farebox_added(body: bytes) -> None:
    async with rig(added_header="on") as proxy, proxy.client() as client:
        proxy.provider.script = [0.3, http_response(b"{}")]
        got = await client.post(CHAT, content=body)
        assert 0 < int(got.headers["farebox-added-us"]) < 250_000
        shown = (await client.get("/metrics")).text
    assert figure(shown, 'added_seconds_bucket{le="0.1"}') <= figure(shown, "added_seconds_count") == 1
    assert figure(shown, 'first_byte_seconds_bucket{le="0.25",provider="OPENAI"}') == 0
    assert figure(shown, 'first_byte_seconds_count{provider="OPENAI"}') == 1
    assert figure(shown, 'request_seconds_sum{provider="OPENAI"}') >= 0.3


async def test_the_wait_for_the_client_is_not_what_farebox_added_to_a_body_that_is_collected() -> None:
    async with rig(added_header="on") as proxy:
        proxy.provider.script = [http_response(b"{}")]
        begun = head(CHAT, f"Content-Length: {len(STREAM)}", "Connection: close") + STREAM[:5]
        got = await proxy.raw(begun, STREAM[5:], pause_s=0.3)
    (added,) = [line for line in got.split(b"\r\n") if line.startswith(b"Farebox-Added-Us: ")]
    assert int(added.partition(b": ")[2]) < 250_000


async def test_a_request_is_in_flight_until_it_ends_and_no_header_says_so_unasked() -> None:
    async with rig() as proxy, proxy.client() as client:

        async def shown(sample: str) -> float:
            return figure((await client.get("/metrics")).text, sample)

        proxy.provider.script = [http_response(b"{}")]
        assert "farebox-added-us" not in (await client.post(CHAT, content=b"{}")).headers
        proxy.provider.script = [Do.HANG]
        reader, writer = await proxy.connect()
        writer.write(head(CHAT, "Content-Length: 2") + b"{}")
        for _ in range(100):
            if in_flight := await shown("in_flight"):
                break
        assert in_flight == 1
        writer.close()
        for _ in range(500):
            if not (in_flight := await shown("in_flight")):
                break
        assert in_flight == 0
        assert await shown('request_seconds_count{provider="OPENAI"}') == 2
        del reader


async def test_refused_requests_have_no_times() -> None:
    async with rig() as proxy, proxy.client() as client:
        wrong: dict[str, Any] = {"Helicone-Auth": "Bearer sk-helicone-nobody"}
        assert (await client.post(CHAT, content=b"{}", headers=wrong)).status_code == 401
        text = (await client.get("/metrics")).text
    assert figure(text, "in_flight") == 0
    assert "proxy_request_seconds_count" not in text


async def test_a_load_balancer_asks_whether_the_proxy_is_ready() -> None:
    async with rig() as proxy, proxy.client() as client:
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        proxy.metrics.health.failures["journal"] = "no space left"
        got = await client.get("/readyz")
    assert (got.status_code, "no space left" in got.text) == (503, True)
