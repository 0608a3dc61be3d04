"""Requests of one connection that come before their turn: heads whose bodies come later, behind slow responses."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.key import Permission
from services.stores.upstream.pool import HELD_BYTES
from tests.builders.records import ORGANIZATION
from tests.servers.proxy_rig import Rig, head, rig
from tests.servers.scripted_provider import Do, Step, http_response

pytestmark = pytest.mark.anyio

RESPONSES, CHAT = "/oai/v1/responses", "/oai/v1/chat/completions"
BODY = b'{"model":"gpt-4o-mini","input":"Hi"}'
LENGTH = f"Content-Length: {len(BODY)}"
IN_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
IDLE_S = 0.5
OTHER_KEY = "sk-helicone-other-canary"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", said)]


async def requested_twice(proxy: Rig, first: bytes, then: bytes, *, until: bytes) -> bytes:
    """What comes when `first` is sent at once, and `then` some time after `until` was read."""
    reader, writer = await proxy.connect()
    writer.write(first)
    try:
        async with asyncio.timeout(3):
            got = await reader.readuntil(until)
            await asyncio.sleep(0.1)
            writer.write(then)
            return got + await reader.read(-1)
    finally:
        writer.close()


LATE_BODIES: dict[str, tuple[str, Sequence[str], bytes, Sequence[Step], bytes]] = {
    # path, its lines, its body, how the first one gets a response, what the client reads before it sends the body
    "after its turn": (RESPONSES, [LENGTH], BODY, [http_response(b"ok")], b"ok"),
    "behind a slow response": (RESPONSES, [LENGTH], BODY, [IDLE_S + 0.3, http_response(b"ok")], b"ok"),
    "in chunks": (RESPONSES, ["Transfer-Encoding: chunked"], IN_CHUNKS, [http_response(b"ok")], b"ok"),
    "for chat, where bodies are kept": (CHAT, [LENGTH], BODY, [http_response(b"ok")], b"ok"),
    "when it is asked for": (RESPONSES, [LENGTH, "Expect: 100-continue"], BODY, [http_response(b"ok")], b" 100 "),
    "for chat, when it is asked for": (CHAT, [LENGTH, "Expect: 100-continue"], BODY, [http_response(b"ok")], b" 100 "),
}


@pytest.mark.parametrize("name", LATE_BODIES)
async def test_a_body_may_come_later_than_a_head_that_came_before_its_turn(name: str) -> None:
    path, lines, body, script, until = LATE_BODIES[name]
    async with rig(idle_timeout_s=IDLE_S) as proxy:
        await proxy.raw(head(RESPONSES, "Content-Length: 0", "Connection: close"))  # so that its key is known
        proxy.provider.script = script
        first = head(RESPONSES, "Content-Length: 1") + b"1"
        got = await requested_twice(proxy, first + head(path, *lines, "Connection: close"), body, until=until)
        events = await proxy.events(3)
        assert proxy.provider.bodies == [b"", b"1", BODY]
    assert [status for status in statuses(got) if status != 100] == [200, 200]
    assert [event.request.body for event in events] == [b"", b"1", BODY]
    assert {event.response.outcome for event in events} == {Outcome.COMPLETED}


async def test_the_time_of_a_request_begins_with_its_turn() -> None:
    async with rig(total_timeout_s=1.0) as proxy:
        proxy.provider.script = [0.6, http_response(b"ok")]
        got = await proxy.raw(
            head(RESPONSES, "Content-Length: 0") + head(RESPONSES, LENGTH, "Connection: close") + BODY
        )
        first, second = await proxy.events(2)
    assert statuses(got) == [200, 200]
    assert max(first.response.latency_ms, second.response.latency_ms) < 1000
    assert (second.request.created_at - first.request.created_at).total_seconds() > 0.5


async def test_a_body_whose_key_was_looked_up_still_waits_for_its_connection() -> None:
    async with rig(max_connections=1, idle_timeout_s=IDLE_S) as proxy:
        proxy.provider.script = [Do.HANG]
        _, first = await proxy.connect()
        first.write(head(RESPONSES, "Content-Length: 0"))
        await asyncio.sleep(0.05)
        proxy.keys.known[OTHER_KEY] = (ORGANIZATION, Permission.READ_WRITE)
        proxy.keys.slow_s = 0.05
        _, second = await proxy.connect()
        second.write(head(RESPONSES, "Content-Length: 60000000", key=OTHER_KEY) + bytes(60_000_000))
        event = await proxy.event()
        first.close()
        second.transport.abort()
    assert event.response.outcome == Outcome.TIMED_OUT
    assert HELD_BYTES < event.request.body_bytes < 2**20
