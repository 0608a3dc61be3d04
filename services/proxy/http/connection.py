"""One client's connection: a parser of what comes, the requests in their order, and a writer of the responses.

Responses leave in the order in which the requests came, whoever responds: an exchange with a provider, the app, or a
refusal. Nothing waits in here, and a request on a provider's route makes no task.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from time import monotonic
from typing import Final, NamedTuple

from schemas.errors import Rejected
from services.ports.clock import Clock
from services.proxy.errors import RequestTooSlow
from services.proxy.http.dispatcher import Dispatcher
from services.proxy.http.flow_control import FlowControl
from services.proxy.http.parser import RequestHead, RequestParser
from services.proxy.http.responders import Responder
from services.proxy.http.response_writer import ResponseWriter

HEAD_S: Final = 10.0  # for a request's head, from its first byte
IDLE_S: Final = 75.0  # between requests, and for a client to take the rest of its last response
LINGER_S: Final = 2.0  # for a client that still writes to read its last response
TURNS_S: Final = 0.005  # for responses that are made at once, one after the other, before other connections' turn
UNREAD_BYTES: Final = 2**20  # taken from a client of which nothing is read any more; above it the client has to wait
WRITE_BUFFER_BYTES: Final = 256 * 2**10  # to a slow client; above it the provider is not read

logger = logging.getLogger(__name__)


class Phase(Enum):
    OPEN = auto()  # requests come, and responses go
    DRAINING = auto()  # a response is over whose request still comes
    LEAVING = auto()  # nothing more is read; the client may still read


class Pace(Enum):
    READY = auto()  # the next response may begin
    ADVANCING = auto()  # responses are being begun
    YIELDING = auto()  # other connections come first


class Turn(NamedTuple):
    """A request that waits for responses to earlier ones."""

    responder: Responder
    keep_alive: bool
    http_1_0: bool


class ProxyConnection(asyncio.Protocol):
    """It is a RequestHandler too: what its parser calls."""

    _transport: asyncio.Transport
    _flow: FlowControl
    _writer: ResponseWriter

    def __init__(
        self, dispatcher: Dispatcher, *, clock: Clock, max_head_bytes: int, connections: "set[ProxyConnection]"
    ) -> None:
        """`connections` has it while it is connected."""
        self._dispatcher = dispatcher
        self._clock = clock
        self._connections = connections
        self._parser = RequestParser(self, max_head_bytes=max_head_bytes)
        self._began_at = clock.now()  # the request whose head is coming; `_began_s` is the same on the monotonic clock
        self._began_s = 0.0
        self._receiving: Responder | None = None  # whose request is coming, its head has come
        self._responding: Responder | None = None
        self._queue: deque[Turn] = deque()
        self._phase = Phase.OPEN
        self._pace = Pace.READY
        self._turns_until_s = 0.0  # of the read that is being parsed; 0 outside of one
        self._unread_bytes = 0
        self._last = False  # the server stops: no request after the current one
        self._since_s = 0.0  # when this connection came to rest, or began to leave
        self._stop_relaying: Callable[[], None] = lambda: None  # asks what is in another protocol than HTTP to end

    # Called by the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._connections.add(self)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._transport = transport
        self._flow = FlowControl(transport)
        self._writer = ResponseWriter(transport, self._flow, self._response_over, self._relay)
        self._since_s = monotonic()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Also when the client has closed its half only. That looks the same until something is written to it, and
        a response that nobody waits for is to be noticed before it is paid for.
        """
        responding, self._responding, self._receiving = self._responding, None, None
        self._phase = Phase.LEAVING
        self._queue.clear()
        self._parser.close()
        self._connections.discard(self)
        if responding is not None:
            responding.client_disconnected()

    def data_received(self, data: bytes) -> None:
        if self._parser.stopped:
            self._discard(len(data))
            return
        self._turns_until_s = monotonic() + TURNS_S
        try:
            self._parser.feed(data)
        except Exception:
            logger.exception("a request could not be handled")
            self.abort()
        self._turns_until_s = 0.0
        if self._responding is not None:
            self._responding.request_flush()

    def _discard(self, size_bytes: int) -> None:
        """A client that still writes may not be cut off before it has read its response; but it is given no more."""
        self._unread_bytes += size_bytes
        if self._unread_bytes > UNREAD_BYTES:
            self._flow.pause_reading()

    def pause_writing(self) -> None:
        self._flow.writing_paused = True
        if self._responding is not None:
            self._responding.client_slow()

    def resume_writing(self) -> None:
        self._flow.writing_paused = False
        if self._responding is not None:
            self._responding.client_ready()

    # Called by the parser

    def request_began(self) -> None:
        self._began_at = self._clock.now()
        self._began_s = monotonic()

    def request_head(self, head: RequestHead) -> None:
        responder = self._dispatcher.responder(head, self._writer, self._began_at, self._began_s)
        self._receiving = responder
        http_1_0 = head.http_version == "1.0"
        if self._responding is None and not self._queue and monotonic() < self._turns_until_s:
            self._begin(responder, keep_alive=head.keep_alive, http_1_0=http_1_0)
        else:
            self._enqueue(Turn(responder, head.keep_alive, http_1_0))

    def body_chunk(self, chunk: bytes) -> None:
        if self._receiving is not None:
            self._receiving.body(chunk)

    def request_end(self) -> None:
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            receiving.request_end()
        if self._phase is Phase.DRAINING:
            self._phase = Phase.OPEN
            self._advance()

    def malformed(self, error: Rejected) -> None:
        """The client is informed when it is its turn, and the connection ends."""
        receiving = self._receiving
        if self._phase is not Phase.OPEN:
            self._leave()
        elif receiving is not None and receiving is self._responding:
            receiving.request_broken(error)
        else:
            if receiving is not None:
                self._queue.pop()  # its request broke off before its turn
            self._enqueue(Turn(self._dispatcher.refusal(error, self._writer), keep_alive=False, http_1_0=False))

    # Turns

    def _enqueue(self, turn: Turn) -> None:
        self._queue.append(turn)
        if self._responding is not None:
            self._flow.pause_reading()
        self._advance()

    def _advance(self) -> None:
        """Begins responses until one takes time. A loop, as a read may hold thousands of small requests.

        When those alone take long, other connections get their turn in between.
        """
        if self._pace is not Pace.READY:
            return
        until_s = self._turns_until_s or monotonic() + TURNS_S
        self._pace = Pace.ADVANCING
        while self._queue and self._responding is None and monotonic() < until_s:
            responder, keep_alive, http_1_0 = self._queue.popleft()
            responder.turn_came(self._clock.now())
            self._begin(responder, keep_alive=keep_alive, http_1_0=http_1_0)
        self._pace = Pace.READY
        if self._responding is None and self._queue:
            self._yield()
        elif self._responding is None:
            self._rest()

    def _yield(self) -> None:
        self._pace = Pace.YIELDING
        self._since_s = monotonic()
        self._flow.pause_reading()
        asyncio.get_running_loop().call_soon(self._go_on)

    def _rest(self) -> None:
        """Nothing is responded to."""
        self._since_s = monotonic()
        self._flow.resume_reading()

    def _go_on(self) -> None:
        self._pace = Pace.READY
        if self._queue:  # the client may have disconnected
            self._advance()

    def _begin(self, responder: Responder, *, keep_alive: bool, http_1_0: bool) -> None:
        self._responding = responder
        self._writer.begin(keep_alive=keep_alive and not self._last, http_1_0=http_1_0)
        if self._flow.writing_paused:
            responder.client_slow()  # the client has not taken an earlier response
        responder.begin()

    def _response_over(self) -> None:
        """Called by the writer, for a response that is complete or was cut."""
        ended, self._responding = self._responding, None
        if ended is None:
            return  # disconnected before
        if not self._writer.keep_alive:
            self._leave()
        elif ended is self._receiving:
            self._phase = Phase.DRAINING
            self._rest()
        elif self._queue:
            self._advance()
        else:
            self._rest()

    def _relay(self, stop: Callable[[], None]) -> bool:
        """The response changes the protocol, which it cannot where the client has not waited for it, or while the
        server stops; `stop` is called when it does later.
        """
        if self._queue or self._last or not self._parser.relay():
            return False
        self._receiving = self._responding
        self._stop_relaying = stop
        return True

    def _leave(self) -> None:
        """Closes, but lets a client that may still be writing read its response first."""
        may_write = self._receiving is not None or self._parser.stopped
        self._phase = Phase.LEAVING
        self._queue.clear()
        self._parser.stop()
        self._since_s = monotonic()
        if may_write and not self._transport.is_closing() and self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # the client may have disconnected, which shows a little later
                self._transport.write_eof()
            self._flow.resume_reading()
        else:
            self._transport.close()

    # Called by the server

    def sweep(self, now_s: float) -> None:
        """Ends what has taken too long. Called several times a second."""
        rested_s = now_s - self._since_s
        if self._responding is not None:
            self._responding.check(now_s)
        elif self._phase is Phase.LEAVING or self._transport.is_closing():
            if rested_s > (IDLE_S if self._transport.get_write_buffer_size() else LINGER_S):
                self._transport.abort()
        elif self._parser.in_head:
            if now_s - max(self._began_s, self._since_s) > HEAD_S:
                self._parser.stop()
                self.malformed(RequestTooSlow("the request's head did not come in time"))
        elif rested_s > IDLE_S:
            self._transport.close()

    def shutdown(self) -> None:
        """No further requests are taken. What is under way may end."""
        self._last = True
        if self._responding is not None:
            self._writer.close_after()
            self._stop_relaying()
        elif not self._parser.in_head and not self._queue:
            self._transport.close()

    def give_up(self) -> None:
        """The server cannot wait any longer."""
        if self._responding is not None:
            self._responding.stop()
        self._transport.close()

    def abort(self) -> None:
        self._parser.stop()
        self._transport.abort()
