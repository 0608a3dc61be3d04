"""The server binding: uvicorn's connections, with provider routes taken out of ASGI.

When the head of a request names a provider route, the connection carries an Exchange and answers by itself: no
task, no queue, no ASGI message. Every other path goes on to uvicorn's own class and so to the app. Answers leave in
the order in which the requests came, whichever way they are made.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final, NamedTuple

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from schemas.errors import Rejected
from services.domain.exchange.headers import Head, parse_head
from services.domain.exchange.host import parse_host
from services.domain.exchange.routes import Routes, Target
from services.ports import Clock
from services.proxy.errors import MalformedRequest, RequestTooSlow, UnknownMethod, refuse_web_socket, send_error
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.exchange import Exchange
from services.proxy.exchange.recorder import Request
from services.proxy.http.parser import RequestParserProtocol
from services.proxy.http.response_writer import Reply

HEAD_S: Final = 10.0  # for a request's head, from its first byte
IDLE_S: Final = 75.0  # between requests, and for a client to take the rest of its last response
LINGER_S: Final = 2.0  # for a client that still writes to read its last response
TURNS_S: Final = 0.005  # for requests of one connection that are answered at once, before others get their turn
UNSERVED_METHODS: Final = frozenset([b"CONNECT", b"TRACE"])  # a tunnel; an echo of the request, keys and all
WRITE_BUFFER_BYTES: Final = 256 * 2**10  # to a slow client; above it the provider is not read


class ProxiedTurn(NamedTuple):
    exchange: Exchange
    keep_alive: bool
    http_1_0: bool


class AppTurn(NamedTuple):
    cycle: RequestResponseCycle
    app: ASGI3Application


Turn = ProxiedTurn | AppTurn | Rejected


class ProxyConnection(RequestParserProtocol):
    """One connection of a client."""

    _reply: Reply

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        relay: ProxyContext,
        routes: Routes,
        clock: Clock,
        max_head_bytes: int,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop, clock=clock, max_head_bytes=max_head_bytes)
        self._relay = relay
        self._routes = routes
        self._current: Exchange | RequestResponseCycle | None = None  # who is being answered
        self._backlog: deque[Turn] = deque()
        self._advancing = False
        self._yielding = False  # to other connections, before the next turn
        self._turns_until_s = 0.0
        self._last = False  # the server stops: no request after the current one
        self._since_s = 0.0  # when this connection came to rest, or began to leave

    # Sockets

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._reply = Reply(transport, self.flow, self._answered)
        self._since_s = monotonic()

    def connection_lost(self, exc: Exception | None) -> None:
        """Also when the client has closed its half only. That looks the same until something is written to it, and
        what nobody waits for any more is to be noticed before it is paid for.
        """
        current, self._current = self._current, None
        self._backlog.clear()
        if isinstance(current, Exchange):
            current.client_disconnected()
        elif current is not None:
            current.disconnected = True
            current.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._turns_until_s = monotonic() + TURNS_S
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        if isinstance(self._current, Exchange):
            self._current.client_slow()

    def resume_writing(self) -> None:
        super().resume_writing()
        if isinstance(self._current, Exchange):
            self._current.client_ready()

    def _read(self) -> None:
        if self._over:
            self._leave()
        elif isinstance(self._current, Exchange):
            self._current.request_flush()

    # Turns

    def _take(self) -> None:
        head = parse_head(self.headers)
        self._check_request(head.framing_headers)
        target = self._routes.resolve(self.url)
        if target is None:
            self._pass_to_app()
        else:
            self._relay_to(target, head)

    def _check_request(self, notes: Mapping[bytes, bytes]) -> None:
        method = self.parser.get_method()
        if method in UNSERVED_METHODS:
            raise UnknownMethod(f"{method.decode('ascii')} is not served here")
        host = notes.get(b"host")
        if host is not None:
            parse_host(host)  # two of them are joined, and so are no host
        elif self.parser.get_http_version() != "1.0":
            raise MalformedRequest("a request has one Host header")
        refuse_web_socket(notes)

    def _relay_to(self, target: Target, head: Head) -> None:
        version = self.parser.get_http_version()
        http_1_0 = version == "1.0"
        if version != "1.1" and (head.chunked or not http_1_0):
            raise MalformedRequest(f"HTTP/{version} as spoken here is not understood")
        request = Request(
            method=self.parser.get_method(),
            target=target,
            head=head,
            created_at=self._began_at,
            began_s=self._began_s,
        )
        self._body_of = exchange = Exchange(self._relay, self._reply, request)
        keep_alive = not http_1_0 and self.parser.should_keep_alive()
        if self._current is None and not self._backlog and monotonic() < self._turns_until_s:
            self._begin_exchange(exchange, keep_alive, http_1_0)
        else:
            self._queue(ProxiedTurn(exchange, keep_alive, http_1_0))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._queue(AppTurn(cycle, app))

    def _queue(self, turn: Turn) -> None:
        self._backlog.append(turn)
        if self._current is not None:
            self.flow.pause_reading()
        self._advance()

    def _advance(self) -> None:
        """Gives turns until somebody takes time to answer. A loop, as a read may hold thousands of small requests.

        When those alone take long, other connections get theirs in between.
        """
        if self._advancing or self._yielding:
            return
        if not self._read_bytes:
            self._turns_until_s = monotonic() + TURNS_S
        self._advancing = True
        while self._backlog and self._current is None and monotonic() < self._turns_until_s:
            self._begin(self._backlog.popleft())
        self._advancing = False
        if self._current is None and self._backlog:
            self._yielding = True
            self.flow.pause_reading()
            self.loop.call_soon(self._advance_more)
        elif self._current is None:
            self._since_s = monotonic()
            self.flow.resume_reading()

    def _advance_more(self) -> None:
        self._yielding = False
        if self._backlog:  # the client may have left
            self._advance()

    def _begin(self, turn: Turn) -> None:
        match turn:
            case Rejected():
                self._relay.metrics.add("proxy_refused_total")
                self._reply.begin(keep_alive=False, http_1_0=False)
                send_error(self._reply, turn, bodiless=False)
            case ProxiedTurn(exchange, keep_alive, http_1_0):
                exchange.turn_came(self._clock.now())
                self._begin_exchange(exchange, keep_alive, http_1_0)
            case AppTurn(cycle, app):
                self._current = cycle
                super()._start_asgi_task(cycle, app)

    def _begin_exchange(self, exchange: Exchange, keep_alive: bool, http_1_0: bool) -> None:
        self._current = exchange
        self._reply.begin(keep_alive=keep_alive and not self._last, http_1_0=http_1_0)
        if self.flow.write_paused:
            exchange.client_slow()  # an earlier answer still travels
        exchange.begin()

    def _answered(self) -> None:
        """The Reply is over."""
        ended, self._current = self._current, None
        if not self._reply.keep_alive:
            self._leave()
        elif ended is None or self._body_of is not ended:
            self._advance()
        elif self._read_bytes:
            self._over = True  # the rest of this read may hold the rest of the request
        else:
            self._leave()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._current = None
        if self._last:
            self.transport.close()
        if not self.transport.is_closing():
            self._advance()

    def _refuse(self, error: Rejected) -> None:
        """Says so when it is its turn, and closes."""
        if self._deaf:
            return
        self._deaf = True
        self._in_head = False
        current, body_of = self._current, self._body_of
        if isinstance(current, RequestResponseCycle) and body_of is None:
            current.keep_alive = False
        elif isinstance(current, Exchange) and body_of is current:
            current.request_broken(error)
        elif current is None and self.cycle is not None and self.cycle.more_body:
            self._leave()  # the app has answered without it
        elif not self._over:
            if body_of is not None and self._backlog:
                self._backlog.pop()  # its request broke off before its turn
            self._queue(error)

    def _leave(self) -> None:
        """Closes, but lets a client that may still be writing read its response first."""
        self._over = False
        self._backlog.clear()
        self._since_s = monotonic()
        finished = self._body_of is None and not self._deaf
        self._deaf = True
        if finished or self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()
            self.flow.resume_reading()

    # The server

    def sweep(self, now_s: float) -> None:
        """Ends what has taken too long. To be called several times a second."""
        rested_s = now_s - self._since_s
        if isinstance(self._current, Exchange):
            self._current.check(now_s)
        elif self._current is not None:
            pass  # the app sets its own limits
        elif self._deaf or self.transport.is_closing():
            if rested_s > (IDLE_S if self.transport.get_write_buffer_size() else LINGER_S):
                self.transport.abort()
        elif self._in_head:
            if now_s - max(self._began_s, self._since_s) > HEAD_S:
                self._refuse(RequestTooSlow("the request's head did not come in time"))
        elif rested_s > IDLE_S:
            self.transport.close()

    def shutdown(self) -> None:
        self._last = True
        if self._current is None and not self._in_head and not self._backlog:
            self.transport.close()
        elif isinstance(self._current, Exchange):
            self._reply.keep_alive = False
        elif self._current is not None:
            self._current.keep_alive = False

    def give_up(self) -> None:
        """The server cannot wait any longer."""
        if isinstance(self._current, Exchange):
            self._current.stop()
        self.transport.close()
