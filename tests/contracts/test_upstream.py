"""Connections to providers, over real sockets: which are used again, so that a response is that to its own question."""

import asyncio
import contextlib
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas.errors import UpstreamUnavailable
from services.domain.exchange.routes import origin_of
from services.domain.routing.address import is_reachable
from services.ports.upstream import UNKNOWN_LENGTH, Headers
from services.stores.upstream.dial import Dialer, trusting_context
from services.stores.upstream.pool import Call, UpstreamPool
from tests.servers.scripted_provider import http_response

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


class RequestInfo:
    """An ResponseReceiver that remembers what it was given."""

    def __init__(self) -> None:
        self.body = b""
        self.failed: UpstreamUnavailable | None = None
        self.slow = False
        self.at_end: Callable[[], None] = lambda: None
        self._over = asyncio.Event()

    async def reported(self) -> bytes:
        """The body of the response, once it is whole."""
        async with asyncio.timeout(5):
            await self._over.wait()
        assert self.failed is None
        return self.body

    def response_head(self, status: int, reason: bytes, headers: Headers) -> None: ...

    def response_chunk(self, chunk: bytes) -> None:
        self.body += chunk

    def response_end(self) -> None:
        self.at_end()
        self._over.set()

    def upstream_failed(self, error: UpstreamUnavailable) -> None:
        self.failed = error
        self._over.set()

    def response_flush(self) -> None: ...

    def upstream_slow(self) -> None:
        self.slow = True

    def upstream_ready(self) -> None:
        self.slow = False


class Provider:
    """The other end of a pool, by hand. What it sends is there when the sending returns: no turn of the loop passes."""

    def __init__(self, listener: socket.socket, pool: UpstreamPool) -> None:
        self._listener = listener
        self._origin = origin_of(f"http://127.0.0.1:{listener.getsockname()[1]}")
        self._pool = pool

    def ask(self, *, whole: bool = True) -> RequestInfo:
        receiver = RequestInfo()
        call = self._pool.call(self._origin, receiver)
        call.send_head(b"POST", b"/", [], None if whole else UNKNOWN_LENGTH)
        if whole:
            call.finish()
        else:
            call.send_chunk(b"half")
        call.flush()
        return receiver

    def ask_at_length(self, body_bytes: int) -> tuple[RequestInfo, Call]:
        receiver = RequestInfo()
        call = self._pool.call(self._origin, receiver)
        call.send_head(b"POST", b"/", [], body_bytes)
        call.send_chunk(bytes(body_bytes))
        call.finish()
        call.flush()
        return receiver, call

    async def accept(self) -> socket.socket:
        """The next new connection, whose question has come."""
        async with asyncio.timeout(5):
            peer, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        await self.read(peer)
        return peer

    async def next_goes_elsewhere(self) -> None:
        """Asserts that the next request comes by a connection of its own, and gets its own response."""
        await self.responses_elsewhere(self.ask())

    async def responses_elsewhere(self, question: RequestInfo) -> None:
        """Asserts the same of a question that was requested before."""
        other = await self.accept()
        other.sendall(http_response(b"2"))
        assert await question.reported() == b"2"
        other.close()

    async def is_left_alone(self, for_s: float) -> bool:
        """Whether nobody connects."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                peer, _ = await asyncio.get_running_loop().sock_accept(self._listener)
                peer.close()
                return False
        return True

    async def read(self, peer: socket.socket) -> None:
        peer.setblocking(False)
        async with asyncio.timeout(5):
            assert b"POST / HTTP/1.1" in await asyncio.get_running_loop().sock_recv(peer, 2**16)


@asynccontextmanager
async def a_provider(**limits: Any) -> AsyncIterator[Provider]:
    dialer = Dialer(tls=trusting_context(), is_reachable=is_reachable)
    pool = UpstreamPool(**{"max_connections": 10, "connect_timeout_s": 5, "dialer": dialer, **limits})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Provider(listener, pool)
        await pool.close()


async def test_a_connection_carries_one_question_after_the_other() -> None:
    async with a_provider() as provider:
        first = provider.ask()
        peer = await provider.accept()
        peer.sendall(http_response(b"1"))
        assert await first.reported() == b"1"
        second = provider.ask()
        await provider.read(peer)
        peer.sendall(http_response(b"2"))
        assert await second.reported() == b"2"
        peer.close()


async def test_a_connection_that_was_closed_while_it_rested_costs_no_question() -> None:
    async with a_provider() as provider:
        first = provider.ask()
        peer = await provider.accept()
        peer.sendall(http_response(b"1"))
        await first.reported()
        peer.close()  # and the pool is not given the time to notice
        await provider.next_goes_elsewhere()


async def test_a_response_that_nobody_requested_is_not_given_to_the_next_request() -> None:
    async with a_provider() as provider:
        first = provider.ask()
        peer = await provider.accept()
        peer.sendall(http_response(b"1"))
        await first.reported()
        peer.sendall(http_response(b"forged"))
        await provider.next_goes_elsewhere()
        peer.close()


async def test_a_forged_response_is_not_given_to_a_request_that_waits_for_the_connection() -> None:
    async with a_provider(max_connections=1) as provider:
        first = provider.ask()
        peer = await provider.accept()
        second = provider.ask()
        first.at_end = lambda: peer.sendall(http_response(b"forged"))
        peer.sendall(http_response(b"1"))
        assert await first.reported() == b"1"
        await provider.responses_elsewhere(second)
        peer.close()


async def test_a_forged_response_that_began_behind_a_true_one_is_not_ended_for_the_next_request() -> None:
    async with a_provider() as provider:
        first = provider.ask()
        peer = await provider.accept()
        whole, forged = http_response(b"1"), http_response(b"forged")
        peer.sendall(whole + forged[:-6])
        assert await first.reported() == b"1"
        await provider.next_goes_elsewhere()
        peer.close()


async def test_a_connection_whose_question_was_not_sent_whole_is_not_used_again() -> None:
    async with a_provider() as provider:
        first = provider.ask(whole=False)
        peer = await provider.accept()
        peer.sendall(http_response(b"enough"))
        assert await first.reported() == b"enough"
        await provider.next_goes_elsewhere()
        peer.close()


async def test_a_connection_whose_request_got_a_response_before_it_was_read_is_not_used_again() -> None:
    async with a_provider() as provider:
        first, _ = provider.ask_at_length(20 * 2**20)
        peer = await provider.accept()
        peer.sendall(http_response(b"enough"))
        assert await first.reported() == b"enough"
        await provider.next_goes_elsewhere()
        peer.close()


async def test_queries_that_are_given_up_before_they_could_travel_leave_nothing_behind() -> None:
    async with a_provider(max_connections=1) as provider:
        first = provider.ask()
        peer = await provider.accept()
        tracemalloc.start()
        waiting = [provider.ask_at_length(4 * 2**20) for _ in range(50)]
        held_bytes, _ = tracemalloc.get_traced_memory()
        for _, call in waiting:
            call.abort()
        kept_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (held_bytes > 200 * 2**20, kept_bytes < 2**20) == (True, True)
        last = provider.ask()
        peer.sendall(http_response(b"1"))
        assert await first.reported() == b"1"
        await provider.read(peer)
        peer.sendall(http_response(b"2"))
        assert await last.reported() == b"2"
        peer.close()


async def test_nobody_connects_for_queries_that_were_given_up() -> None:
    async with a_provider(max_connections=1) as provider:
        first = provider.ask()
        peer = await provider.accept()
        for _, call in [provider.ask_at_length(10) for _ in range(3)]:
            call.abort()
        peer.close()
        async with asyncio.timeout(5):
            while first.failed is None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert await provider.is_left_alone(0.1)


async def test_a_question_that_its_provider_does_not_read_is_slow_as_soon_as_it_travels() -> None:
    async with a_provider() as provider:
        receiver, call = provider.ask_at_length(20 * 2**20)
        assert receiver.slow  # as it has no connection
        peer = await provider.accept()
        assert (call.begun, receiver.slow) == (True, True)
        async with asyncio.timeout(5):
            while receiver.slow:
                await asyncio.get_running_loop().sock_recv(peer, 2**20)
        peer.close()
