"""Realtime sessions on raw sockets: what is invalid, slow, broken off or silent."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas.event import Outcome
from tests.contracts.test_proxy_clients import statuses
from tests.servers.proxy_rig import Rig, head, rig
from tests.servers.realtime_provider import SWITCHED, USAGE, Serve, any_provider, event, response
from tests.servers.web_socket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

pytestmark = pytest.mark.anyio

PATH = "/oai/v1/realtime?model=gpt-realtime"
OFFER = [
    "Connection: keep-alive, Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]
MUCH_BYTES = 200 * 2**20
MASK = b"\x11\x22\x33\x44"
BEGUN = event("response.created", 1, response=response(1, "in_progress")).encode()


def sends(*parts: bytes | float) -> Serve:
    """What a provider does that sends `parts`, with pauses, and then waits for the end."""

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            if isinstance(part, bytes):
                writer.write(part)
                await writer.drain()
            else:
                await asyncio.sleep(part)
        while await reader.read(2**16):
            pass

    return session


class Socket:
    """A client that has opened a WebSocket."""

    def __init__(self, proxy: Rig, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.reader = reader
        self.writer = writer

    async def rest(self) -> bytes:
        """All until the proxy closes the connection."""
        async with asyncio.timeout(5):
            return await self.reader.read(-1)

    def send(self, opcode: int, payload: bytes, **options: Any) -> None:
        self.writer.write(frame(opcode, payload, mask=MASK, **options))


@asynccontextmanager
async def opened(session: Serve, *headers: str, **settings: Any) -> AsyncIterator[Socket]:
    async with any_provider(session) as url, rig(openai_url=url, **settings) as proxy:
        reader, writer = await proxy.connect()
        writer.write(head(PATH, *OFFER, *headers, method="GET"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        yield Socket(proxy, reader, writer)
        writer.close()


def closed(data: bytes) -> tuple[bytes, int]:
    """What came before the close frame that ends `data`, and its code."""
    before, mark, reason = data.rpartition(b"\x88")
    assert mark, data
    return before, int.from_bytes(reason[1:3])


REFUSED: dict[str, tuple[bytes, int]] = {
    "another method": (head(PATH, *OFFER, "Content-Length: 0"), 400),
    "no upgrade, which a server before may have removed": (head(PATH, OFFER[3], method="GET"), 400),
    "another version": (head(PATH, *OFFER[:2], "Sec-WebSocket-Version: 8", OFFER[3], method="GET"), 400),
    "half a key": (head(PATH, *OFFER[:3], "Sec-WebSocket-Key: dGhl", method="GET"), 400),
    "a body": (head(PATH, *OFFER, "Content-Length: 2", method="GET") + b"hi", 400),
    "another path of the provider": (head("/oai/v1/realtime/calls", *OFFER, method="GET"), 501),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_opens_no_web_socket_is_refused_in_http(name: str) -> None:
    sent, status = REFUSED[name]
    async with rig() as proxy:
        reader, writer = await proxy.connect()
        writer.write(sent)
        async with asyncio.timeout(5):
            got = await reader.readuntil(b"}}")
        writer.close()
        assert statuses(got) == [status]
        assert proxy.provider.heads == []
        await proxy.events(0)


async def test_every_kind_of_frame_passes_unchanged_in_both_directions() -> None:
    frames = (
        frame(TEXT, b"hello", final=False)
        + frame(PING, b"in between")
        + frame(CONTINUATION, b" world")
        + frame(BINARY, bytes(range(256)) * 300)
        + frame(PONG, b"")
    )
    got: list[bytes] = []

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frames)
        got.append(await reader.readexactly(6 + 2 + 8 + 6 + 2))
        got.append(await reader.read(-1))

    async with opened(both) as socket:
        assert await socket.reader.readexactly(len(frames)) == frames
        sent = frame(TEXT, b"\xe2\x82", final=False, mask=MASK) + frame(PING, b"?!", mask=b"zzzz")
        sent += frame(CONTINUATION, b"\xac!", mask=b"abcd")
        for start in range(len(sent)):
            socket.writer.write(sent[start : start + 1])
            await socket.writer.drain()
        socket.send(CLOSE, b"\x0f\xa0bye")
        await asyncio.sleep(0.05)
    assert b"".join(got) == sent + frame(CLOSE, b"\x0f\xa0bye", mask=MASK)


async def test_half_a_message_of_a_client_takes_no_memory_from_what_says_what_a_response_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.proxy.build.BUFFER_BYTES", 2**16)
    half = frame(TEXT, b"x" * 2**16, final=False, mask=MASK)
    done = event("response.done", 1, response=response(1, "completed", usage=USAGE)).encode()
    large = event("response.done", 2, response=response(2, "completed", text="x" * 2**16)).encode()

    async def responds(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(half))
        writer.write(frame(TEXT, BEGUN) + frame(TEXT, done) + frame(TEXT, large))

    async with opened(responds) as socket:
        socket.writer.write(half)
        (one,) = await socket.proxy.events(1)
        assert socket.proxy.metrics.get("proxy_bodies_dropped_total") == 1  # the large one
    assert (one.response.outcome, json.loads(one.response.body)["usage"]) == (Outcome.COMPLETED, USAGE)


@pytest.mark.parametrize(
    "last",
    [
        [("response.created", "in_progress", 3, 0), ("response.done", "completed", 2, 0)],
        [("response.done", "completed", 2, 5 * 2**20)],  # too large to be read
    ],
    ids=["another one begins", "its end is too large"],
)
async def test_what_is_generated_when_a_limit_is_used_up_is_the_last_of_its_session(
    last: Sequence[tuple[str, str, int, int]],
) -> None:
    used_up = asyncio.Event()

    def sent(kind: str, status: str, number: int, padding_bytes: int = 0) -> bytes:
        body = response(number, status, usage=USAGE, text="x" * padding_bytes)
        return frame(TEXT, event(kind, number, response=body).encode())

    async def responds(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent("response.created", "in_progress", 1) + sent("response.created", "in_progress", 2))
        writer.write(sent("response.done", "completed", 1))
        await used_up.wait()
        writer.write(b"".join(sent(*one) for one in last))
        await reader.read(-1)

    async with opened(responds, "Helicone-RateLimit-Policy: 1;w=3600;u=tokens") as socket:
        for _ in range(2_000):
            if socket.proxy.metrics.get("proxy_limit_refused_total"):
                break
            await asyncio.sleep(0.01)
        used_up.set()
        assert closed(await socket.rest())[1] == 1008


async def test_close_codes_of_both_sides_pass_and_end_the_session() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = await reader.readexactly(6 + 2)
        assert received[:2] == b"\x88\x82"
        writer.write(frame(CLOSE, b"\x0b\xb8done"))  # and leaves it to the other side to close

    async with opened(respond) as socket:
        socket.send(CLOSE, b"\x03\xe8")
        assert await socket.rest() == frame(CLOSE, b"\x0b\xb8done")
        await socket.proxy.events(0)


INVALID: dict[str, tuple[bytes, int]] = {
    "not masked": (frame(TEXT, b"{}"), 1002),
    "an opcode that is none": (frame(7, b"", mask=MASK), 1002),
    "compressed without agreement": (frame(TEXT, b"", mask=MASK, first_bits=0x40), 1002),
    "too large": (b"\x81\xff" + (2**30).to_bytes(8) + MASK, 1009),
    "no frame": (b"GET / HTTP/1.1\r\n\r\n", 1002),
}


@pytest.mark.parametrize("name", INVALID)
async def test_an_invalid_frame_of_a_client_ends_the_session_with_its_code(name: str) -> None:
    sent, code = INVALID[name]
    async with opened(sends(frame(TEXT, BEGUN))) as socket:
        await socket.reader.readexactly(len(frame(TEXT, BEGUN)))
        socket.writer.write(sent)
        assert closed(await socket.rest()) == (b"", code)
        (one,) = await socket.proxy.events(1)
    assert one.response.outcome is Outcome.CLIENT_DISCONNECTED


async def test_invalid_frames_of_a_provider_reach_no_client() -> None:
    async with opened(sends(frame(TEXT, BEGUN), 0.05, frame(TEXT, b"{}", mask=MASK))) as socket:
        before, code = closed(await socket.rest())
        (one,) = await socket.proxy.events(1)
    assert (before, code) == (frame(TEXT, BEGUN), 1014)
    assert one.response.outcome is Outcome.UPSTREAM_ERROR


async def test_a_provider_that_breaks_off_closes_the_session_with_1014_and_leaves_a_row() -> None:
    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        writer.write(frame(TEXT, BEGUN))

    async with opened(breaks_off) as socket:
        assert closed(await socket.rest()) == (frame(TEXT, BEGUN), 1014)
        (one,) = await socket.proxy.events(1)
    assert one.response.outcome is Outcome.UPSTREAM_ERROR
    assert json.loads(one.response.body)["status"] == "in_progress"


async def test_within_a_frame_of_a_provider_no_close_frame_is_put() -> None:
    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        writer.write(frame(TEXT, b"hello")[:4])

    async with opened(breaks_off) as socket:
        assert await socket.rest() == frame(TEXT, b"hello")[:4]


async def test_a_client_that_closes_its_half_ends_the_session_for_the_provider_with_1001() -> None:
    received: list[bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(TEXT, BEGUN))
        received.append(await reader.read(-1))

    async with opened(listens) as socket:
        await socket.reader.readexactly(len(frame(TEXT, BEGUN)))
        socket.writer.write_eof()
        await socket.rest()
        (one,) = await socket.proxy.events(1)
        await asyncio.sleep(0.05)
    assert one.response.outcome is Outcome.CLIENT_DISCONNECTED
    (close,) = received
    assert close[:2] == b"\x88\x82"
    assert bytes(byte ^ close[2 + place % 4] for place, byte in enumerate(close[6:])) == b"\x03\xe9"


async def test_a_client_that_does_not_read_holds_up_its_provider_and_is_left_in_the_end() -> None:
    written, is_over = 0, asyncio.Event()

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        nonlocal written
        chunk = frame(BINARY, bytes(60_000))
        try:
            while written < MUCH_BYTES:
                writer.write(chunk)
                await writer.drain()
                written += len(chunk)
        finally:
            is_over.set()

    async with opened(floods, idle_timeout_s=1.0) as socket:
        socket.writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            await is_over.wait()
    assert written < MUCH_BYTES / 4, "what the buffers of the sockets hold, and no more"


async def test_a_provider_that_does_not_read_holds_up_its_client() -> None:
    async def ignores(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        await asyncio.sleep(30)

    async with opened(ignores, idle_timeout_s=1.0) as socket:
        sent, chunk = 0, frame(BINARY, bytes(60_000), mask=MASK)
        while sent < MUCH_BYTES and not socket.writer.is_closing():
            socket.writer.write(chunk)
            try:
                async with asyncio.timeout(0.5):
                    await socket.writer.drain()
            except (TimeoutError, ConnectionError):
                break
            sent += len(chunk)
        assert sent < MUCH_BYTES / 4


async def test_silent_sides_are_pinged_and_left_when_they_do_not_respond() -> None:
    received: list[bytes] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        received.append(await reader.read(-1))

    async with opened(silent, idle_timeout_s=0.4) as socket:
        data = await socket.rest()
    assert data.startswith(frame(PING, b""))
    assert closed(data)[1] == 1001
    assert received[0][:2] == b"\x89\x80"


async def test_sides_that_respond_to_pings_are_left_alone_until_the_session_is_too_long() -> None:
    pongs = [part for _ in range(20) for part in (frame(PONG, b""), 0.1)]
    async with opened(sends(*pongs), idle_timeout_s=0.6, total_timeout_s=1.2) as socket:
        began = asyncio.get_running_loop().time()
        ended = asyncio.create_task(socket.rest())
        while not ended.done():
            socket.send(PONG, b"")
            await asyncio.sleep(0.1)
        assert asyncio.get_running_loop().time() - began > 1.1
        assert closed(await ended)[1] == 1001


HANDSHAKES = {
    "another proof": SWITCHED + b"x",
    "an extension that was not offered": SWITCHED.replace(b"Upgrade: w", b"Sec-WebSocket-Extensions: x\r\nUpgrade: w"),
    "no upgrade": SWITCHED.replace(b"Connection: Upgrade\r\n", b""),
}


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_a_provider_that_does_not_prove_that_it_understood_is_an_error(name: str) -> None:
    async with any_provider(sends(), HANDSHAKES[name]) as url, rig(openai_url=url) as proxy:
        reader, writer = await proxy.connect()
        writer.write(head(PATH, *OFFER, method="GET"))
        async with asyncio.timeout(5):
            got = await reader.readuntil(b"}}")
        writer.close()
        (one,) = await proxy.events(1)
    assert statuses(got) == [502]
    assert one.response.outcome is Outcome.UPSTREAM_ERROR


async def test_a_client_that_sends_before_the_session_is_open_is_refused() -> None:
    async with any_provider(sends()) as url, rig(openai_url=url) as proxy:
        got = await proxy.raw(head(PATH, *OFFER, method="GET") + frame(TEXT, b"{}", mask=MASK))
    assert statuses(got) == [400]


async def test_a_session_that_is_declined_is_a_response_like_any_other() -> None:
    body = b'{"error":{"message":"no such model"}}'
    async with rig() as proxy:
        proxy.provider.script = [b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body]
        reader, writer = await proxy.connect()
        for _ in range(2):  # the connection goes on in HTTP
            writer.write(head(PATH, *OFFER, method="GET"))
            got = await reader.readuntil(body)
            assert statuses(got) == [404]
        writer.close()
        (one, _) = await proxy.events(2)
    assert (one.response.status, one.response.body) == (404, body)


async def test_connections_of_sessions_leave_the_pool_to_requests() -> None:
    async with opened(sends(), max_connections=1) as socket:
        second_reader, second = await socket.proxy.connect()
        second.write(head(PATH, *OFFER, method="GET"))
        async with asyncio.timeout(5):
            assert (await second_reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        second.close()
