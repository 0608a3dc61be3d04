"""The server binding: uvicorn's connections, with provider routes taken out of ASGI.

When the head of a request names a provider route, the connection carries an Exchange and answers by itself: no
task, no queue, no ASGI message. Every other path goes on to uvicorn's own class and so to the app. Answers leave in
the order in which the requests came, whichever way they are made.
"""

import asyncio
import logging
from collections import deque
from time import monotonic
from typing import Any, Final

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from schemas.errors import Rejected
from services.domain.providers import Routes
from services.ports import Clock
from services.proxy.answers import HeadTooLarge, MalformedRequest, RequestTooSlow, answer_error
from services.proxy.incoming import Incoming
from services.proxy.relay import Exchange, Relay
from services.proxy.reply import Reply

HEAD_S: Final = 10.0  # for a request's head, from its first byte
IDLE_S: Final = 75.0  # between requests, and for a caller to take the rest of its last answer
LINGER_S: Final = 2.0  # for a caller that still writes to read its last answer
WRITE_BUFFER_BYTES: Final = 256 * 2**10  # to a slow caller; above it the provider is not read

AppTurn = tuple[RequestResponseCycle, ASGI3Application]

logger = logging.getLogger(__name__)


class RelayProtocol(HttpToolsProtocol):
    """One connection of a caller."""

    _reply: Reply

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        relay: Relay,
        routes: Routes,
        clock: Clock,
        max_head_bytes: int,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._relay = relay
        self._routes = routes
        self._clock = clock
        self._max_head_bytes = max_head_bytes
        self._read_bytes = 0  # of the read that is being parsed; 0 between reads
        self._incoming: Incoming | None = None  # whose head is coming
        self._head_bytes = 0  # that came after the read in which this head began
        self._body_of: Exchange | Incoming | None = None  # whose body is coming; None also for the app's
        self._offered: Incoming | None = None  # a request that offers an upgrade; its body is still to come
        self._current: Exchange | RequestResponseCycle | None = None  # who is being answered
        self._backlog: deque[Incoming | AppTurn | Rejected] = deque()
        self._advancing = False
        self._over = False  # the current answer was given while its request was still coming
        self._deaf = False  # what still comes is not read
        self._last = False  # the server stops: no request after the current one
        self._since_s = 0.0  # when this connection came to rest, or began to leave

    # Sockets

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._reply = Reply(transport, self.flow, self._answered)
        self._since_s = monotonic()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._read_bytes = len(data)
        self._head_bytes = 0 if self._incoming is None else self._head_bytes + len(data)
        rest: bytes | None = data
        while rest is not None:
            rest = self._parse(rest)
        self._read_bytes = 0
        if self._over:
            self._leave()
        elif self._incoming is not None and self._head_bytes > self._max_head_bytes:
            self._refuse(HeadTooLarge(f"the request's head is larger than {self._max_head_bytes} bytes"))
        elif isinstance(self._current, Exchange):
            self._current.request_flush()

    def _parse(self, data: bytes) -> bytes | None:
        """What is left to parse by a new parser."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade()
            return data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError:
            logger.exception("a request could not be taken")
            self.transport.abort()
        except httptools.HttpParserError as error:
            self._refuse(MalformedRequest(f"the request is not valid HTTP: {error}"))
        return None

    def _decline_upgrade(self) -> None:
        """Goes on in HTTP/1.1, which a server may: some callers offer HTTP/2 with every request they make.

        The parser has stopped behind the head, so a new one is led to the same place.
        """
        framing = b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, value in (self._offered.headers if self._offered else ())
            if name.lower() in (b"content-length", b"transfer-encoding")
        )
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        if framing:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
        self._offered = None
        if not framing:
            self.on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        current, self._current = self._current, None
        self._backlog.clear()
        if isinstance(current, Exchange):
            current.client_gone()
        elif current is not None:
            current.disconnected = True
            current.message_event.set()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if isinstance(self._current, Exchange):
            self._current.client_slow()

    def resume_writing(self) -> None:
        super().resume_writing()
        if isinstance(self._current, Exchange):
            self._current.client_ready()

    # Parser

    def on_message_begin(self) -> None:
        if self._offered is None:
            self._incoming = Incoming(self._clock.now())

    def on_url(self, url: bytes) -> None:
        if self._incoming is not None:
            self._incoming.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._incoming is not None:  # behind the head there are trailers, which end here
            self._incoming.headers.append((name, value))

    def on_headers_complete(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is None or self._deaf:
            return
        parser = self.parser
        incoming.method = parser.get_method()
        incoming.version = parser.get_http_version()
        incoming.keep_alive = incoming.version == "1.1" and parser.should_keep_alive()
        if parser.should_upgrade():
            self._offered = incoming
        try:
            self._take(incoming)
        except Rejected as error:
            self._refuse(error)

    def on_body(self, body: bytes) -> None:
        if self._deaf:
            return
        if self._body_of is not None:
            self._body_of.body(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._deaf or self._offered is not None:
            return
        body_of, self._body_of = self._body_of, None
        if body_of is None:
            super().on_message_complete()
            return
        body_of.request_end()
        if self._over:
            self._over = False
            self._advance()

    # Turns

    def _take(self, incoming: Incoming) -> None:
        incoming.check_head(
            self._max_head_bytes if self._head_bytes + self._read_bytes > self._max_head_bytes else None
        )
        target = self._routes.resolve(incoming.url)
        if target is None:
            self._pass_to_app(incoming)
            return
        incoming.address(target)
        self._body_of = incoming
        self._queue(incoming)

    def _pass_to_app(self, incoming: Incoming) -> None:
        self._body_of = None
        self.cycle = None  # type: ignore[assignment]  # so that the turn is given here, not by the class above
        super().on_message_begin()
        super().on_url(incoming.url)
        for name, value in incoming.headers:
            super().on_header(name, value)
        try:
            super().on_headers_complete()
        except httptools.HttpParserInvalidURLError:
            raise MalformedRequest("the request's target is not a path") from None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._queue((cycle, app))

    def _queue(self, turn: Incoming | AppTurn | Rejected) -> None:
        self._backlog.append(turn)
        if self._current is not None:
            self.flow.pause_reading()
        self._advance()

    def _advance(self) -> None:
        """Gives turns until somebody takes time to answer. A loop, as a read may hold thousands of small requests."""
        if self._advancing:
            return
        self._advancing = True
        while self._backlog and self._current is None:
            self._begin(self._backlog.popleft())
        self._advancing = False
        if self._current is None:
            self._since_s = monotonic()
            self.flow.resume_reading()

    def _begin(self, turn: Incoming | AppTurn | Rejected) -> None:
        match turn:
            case Incoming():
                self._relay_request(turn)
            case Rejected():
                self._relay.metrics.add("proxy_refused_total")
                self._reply.begin(keep_alive=False, simple=False)
                answer_error(self._reply, turn, bodiless=False)
            case (cycle, app):
                self._current = cycle
                super()._start_asgi_task(cycle, app)

    def _relay_request(self, incoming: Incoming) -> None:
        keep_alive = incoming.keep_alive and not self._last
        self._reply.begin(keep_alive=keep_alive, simple=incoming.version == "1.0")
        self._current = exchange = Exchange(self._relay, self._reply, incoming.request)
        if self._body_of is incoming:
            self._body_of = exchange
        exchange.begin()
        if incoming.pieces or incoming.ended:
            for piece in incoming.pieces:
                exchange.body(piece)
            if incoming.ended:
                exchange.request_end()
            exchange.request_flush()

    def _answered(self) -> None:
        """The Reply is over."""
        over, self._current = self._current, None
        if not self._reply.keep_alive:
            self._leave()
        elif over is None or self._body_of is not over:
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
        """What comes cannot be understood: says so when it is its turn, and closes."""
        self._deaf = True
        self._incoming = None
        current, body_of = self._current, self._body_of
        if isinstance(current, RequestResponseCycle) and body_of is None:
            current.keep_alive = False
        elif isinstance(current, Exchange) and body_of is current:
            current.request_broken(error)
        elif not self._over:
            if self._backlog and body_of is self._backlog[-1]:
                self._backlog.pop()
            self._queue(error)

    def _leave(self) -> None:
        """Closes, but lets a caller that may still be writing read its answer first."""
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
        elif self._incoming is not None:
            if now_s - self._incoming.began_s > HEAD_S:
                self._refuse(RequestTooSlow("the request's head did not come in time"))
        elif rested_s > IDLE_S:
            self.transport.close()

    def shutdown(self) -> None:
        self._last = True
        if self._current is None and self._incoming is None:
            self.transport.close()
        elif isinstance(self._current, Exchange):
            self._reply.keep_alive = False
        elif self._current is not None:
            self._current.keep_alive = False

    def give_up(self) -> None:
        """The server cannot wait any longer."""
        if isinstance(self._current, Exchange):
            self._current.give_up("the proxy is stopping")
        self.transport.abort()
