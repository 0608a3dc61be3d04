"""Responses whose status is none, and interim ones: neither may be taken for the response, nor shift the next one."""

from typing import Any

import pytest

from schemas.event import Outcome
from tests.servers.proxy_rig import PROVIDER_KEY, rig
from tests.servers.scripted_provider import http_response

pytestmark = pytest.mark.anyio

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
INTERIM = b"HTTP/1.1 %b Interim\r\n%b\r\n"
BROKEN = {
    "nothing": b"000",
    "one less than the least": b"099",
    "two digits": b"20",
    "four digits": b"1000",
    "more digits": b"20000",
    "a sign": b"+20",
    "a letter": b"2x0",
    "no status": b"",
    "another protocol": b"101",
}
FRAMED = [b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n"]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


async def _is_broken(said: bytes) -> None:
    """Asserts that the call behind it fails, and the next one gets its own response."""
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [said + http_response(b"another's")]
        got = await client.post("/oai/v1/x", json={})
        proxy.provider.script = [http_response(b"its own")]
        after = await client.post("/oai/v1/x", json={})
        first, _ = await proxy.events(2)
        assert proxy.provider.connections == 2
    assert (got.status_code, after.status_code, after.content) == (502, 200, b"its own")
    assert got.json()["error"]["code"] == "upstream_unavailable"
    assert PROVIDER_KEY not in got.text
    assert first.response.outcome is Outcome.UPSTREAM_ERROR


@pytest.mark.parametrize("name", BROKEN)
async def test_a_response_whose_status_is_none_is_broken(name: str) -> None:
    for framing in (b"Content-Length: 2\r\n\r\nok", b"\r\n"):
        await _is_broken(b"HTTP/1.1 %b Odd\r\n%b" % (BROKEN[name], framing))


async def test_a_protocol_that_nobody_offered_to_change_is_broken() -> None:
    await _is_broken(INTERIM % (b"101", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"))


@pytest.mark.parametrize("framing", FRAMED)
async def test_an_interim_response_with_a_body_is_broken(framing: bytes) -> None:
    for status in (b"100", b"103", b"199"):
        body = b"0\r\n\r\n" if b"chunked" in framing else b"ok"
        await _is_broken(INTERIM % (status, framing) + body)


async def test_interim_responses_without_one_are_waited_out_and_odd_final_ones_pass() -> None:
    async with rig() as proxy, proxy.client() as client:
        for status in ("200 OK", "299 Odd", "600 Odd", "999 Odd"):
            interim = [INTERIM % (number, b"") for number in (b"100", b"102", b"104", b"199")]
            interim.append(INTERIM % (b"100", b"Content-Length: 0\r\n"))
            proxy.provider.script = [EARLY, *interim, http_response(b"ok", status=status)]
            got = await client.post("/oai/v1/x", json={})
            assert (got.status_code, got.content) == (int(status[:3]), b"ok")
        assert proxy.provider.connections == 1
