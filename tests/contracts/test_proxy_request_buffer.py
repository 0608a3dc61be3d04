"""Chat bodies that are kept until they are whole: what all of them hold is bounded, and given back however they end."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.event import Outcome
from services.stores.upstream.pool import HELD_BYTES
from tests.servers.proxy_rig import Rig, head, rig
from tests.servers.scripted_provider import Do, Step, chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
ROOM_BYTES = 4 * 2**20
READ_BYTES = 2**18  # at most, at once
BEGUN = b'data: {"begun":true}\n\n'


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(autouse=True)
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.proxy.build.BUFFER_BYTES", ROOM_BYTES)


def a_body(size: int) -> bytes:
    return b'{"model":"gpt-4o-mini","stream":true,"messages":["' + b"x" * size + b'"]}'


BODY = a_body(2_500_000)


async def ask(proxy: Rig, body: bytes = BODY) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """In two parts, as of a body that comes at once nobody asks whether there is room for it."""
    reader, writer = await proxy.connect()
    writer.write(head(CHAT, f"Content-Length: {len(body)}", "Connection: close") + body[: len(body) // 2])
    await asyncio.sleep(0.02)
    writer.write(body[len(body) // 2 :])
    return reader, writer


async def is_requested_its_usage(proxy: Rig, body: bytes = BODY) -> bool:
    """Whether there is room for one more body."""
    requested = proxy.metrics.get("proxy_stream_usage_injected_total")
    proxy.provider.read_bodies, proxy.provider.script = True, [http_response(b"{}")]
    reader, writer = await ask(proxy, body)
    async with asyncio.timeout(5):
        assert b" 200 " in await reader.read(-1)
    writer.close()
    return proxy.metrics.get("proxy_stream_usage_injected_total") == requested + 1


async def test_bodies_that_wait_for_a_connection_hold_no_more_than_there_is_room_for() -> None:
    clients, connections = 12, 2
    async with rig(max_connections=connections, first_byte_timeout_s=0.7, idle_timeout_s=0.7) as proxy:
        proxy.provider.script = [Do.HANG]
        writers = [writer for _, writer in await asyncio.gather(*(ask(proxy) for _ in range(clients)))]
        events = await proxy.events(clients)
        for writer in writers:
            writer.close()
        assert {event.response.outcome for event in events} == {Outcome.TIMED_OUT}
        waiting = sorted(event.request.body_bytes for event in events)[:-connections]
        assert ROOM_BYTES // 2 < sum(waiting) < ROOM_BYTES + len(waiting) * (HELD_BYTES + READ_BYTES)
        assert await is_requested_its_usage(proxy)


SIZES = {"a small body": (40_000, 60_000), "a large body": (len(BODY), ROOM_BYTES)}  # and the room for all


@pytest.mark.parametrize("name", SIZES)
async def test_once_its_provider_has_it_there_is_room_for_others(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    size, room = SIZES[name]
    monkeypatch.setattr("services.proxy.build.BUFFER_BYTES", room)
    body, writers = a_body(size), []
    async with rig(on_disconnect="cancel") as proxy:
        for _ in range(4):
            proxy.provider.script = [chunked(BEGUN, end=b""), Do.HANG]
            reader, writer = await ask(proxy, body)
            writers.append(writer)
            async with asyncio.timeout(5):
                await reader.readuntil(BEGUN[:-2])
        assert await is_requested_its_usage(proxy, body)
        assert proxy.metrics.get("proxy_stream_usage_injected_total") == 5
        for writer in writers:
            writer.close()


GIVEN_BACK: dict[str, tuple[bool, Sequence[Step], bytes]] = {  # is the body read, how it gets a response, up to where
    "it was answered": (True, [http_response(b"{}")], b"{}"),
    "the provider breaks": (False, [Do.RESET], b" 502 "),
    "the client leaves one that is read": (True, [chunked(BEGUN, end=b""), 0.1, Do.CLOSE], BEGUN[:-2]),
    "the client leaves one that is not read": (False, [chunked(BEGUN, end=b""), 0.1, Do.CLOSE], BEGUN[:-2]),
}


@pytest.mark.parametrize("name", GIVEN_BACK)
async def test_the_room_of_a_body_is_given_back_when(name: str) -> None:
    read, script, until = GIVEN_BACK[name]
    async with rig() as proxy:
        proxy.provider.read_bodies, proxy.provider.script = read, script
        for _ in range(3):
            reader, writer = await ask(proxy)
            async with asyncio.timeout(5):
                await reader.readuntil(until)
            writer.close()
        await proxy.events(3)
        assert await is_requested_its_usage(proxy)
