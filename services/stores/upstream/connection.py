"""One HTTP/1.1 connection to a provider: carries one call at a time, and reports when it is free for the next."""

import asyncio
import logging
import select
from time import monotonic
from typing import Final, Protocol

import httptools

from schemas.errors import UpstreamUnavailable
from services.ports.upstream import ResponseReceiver

MAX_HEAD_BYTES: Final = 256 * 2**10
SWITCHING_PROTOCOLS: Final = 101
LINGER_S: Final = 2.0  # for the last bytes in another protocol than HTTP
WRITE_BUFFER_BYTES: Final = 256 * 2**10
_FRAMING: Final = frozenset([b"content-length", b"transfer-encoding"])

logger = logging.getLogger(__name__)


class ActiveCall(Protocol):
    """A call, as its connection sees it."""

    receiver: ResponseReceiver
    is_head: bool
    offers_protocol: bool  # other than HTTP
    sent: bool

    def attach(self, connection: "Connection") -> None: ...


class ConnectionOwner(Protocol):
    """Where a connection belongs."""

    def rest(self, connection: "Connection") -> None: ...
    def lost(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """Belongs to one pool for as long as its socket is open."""

    __slots__ = (
        "_call",
        "_fed_bytes",
        "_headed",
        "_headers",
        "_keep",
        "_owner",
        "_parser",
        "_paused",
        "_readable",
        "_reason",
        "_relays",
        "_responded",
        "_transport",
        "idle_since_s",
        "writable",
    )

    _transport: asyncio.Transport

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._call: ActiveCall | None = None
        self._paused = False
        self._relays = False  # another protocol than HTTP: it is not parsed here
        self._readable = select.poll()
        self.idle_since_s = 0.0
        self.writable = True  # more than it buffers anyway
        self._expect_response()

    def _expect_response(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._headed = False  # the final head has come; 1xx heads do not count
        self._responded = False
        self._keep = False
        self._fed_bytes = 0  # since the response began, or its body last came

    # For calls

    def usable(self) -> bool:
        """Whether the provider still holds its end, and has sent nothing since its last response.

        Readable without a request means one of the two: what has come is no response to the next request.
        """
        return not self._transport.is_closing() and not self._readable.poll(0)

    def carry(self, call: ActiveCall) -> None:
        self._expect_response()
        self._call = call
        call.attach(self)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def pause_reading(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def abort(self, call: ActiveCall) -> None:
        """Aborts `call`; nothing is done when it is no longer carried. In another protocol what was written arrives."""
        if self._call is call:
            self._call = None
            if self._relays:
                self._transport.close()
                asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)
            else:
                self._transport.abort()

    def close(self) -> None:
        self._transport.close()

    # asyncio

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._transport = transport
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self.idle_since_s = monotonic()

    def data_received(self, data: bytes) -> None:
        call = self._call
        if call is None:
            self._transport.abort()
            return
        if self._relays:
            self._relay(call, data)
            return
        self._fed_bytes += len(data)  # before it is parsed: body in it, however large, restarts the count
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            logger.exception("a response could not be passed on")
            self._fail(UpstreamUnavailable("the response could not be passed on"), error)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._relays and isinstance(error, httptools.HttpParserUpgrade):
                self._relay(call, data[error.args[0] :])
                return
            # After a whole response this is only about bytes that nobody requested.
            self._keep = False
            self._fail(UpstreamUnavailable(f"the response is not valid HTTP: {error}"), error)
        self._fed(call)

    def _relay(self, call: ActiveCall, data: bytes) -> None:
        if data and self._call is call:
            call.receiver.response_chunk(data)
        if self._call is call:
            call.receiver.response_flush()

    def _fed(self, call: ActiveCall) -> None:
        if self._responded:
            self._release(call)
        elif self._call is not None:
            if self._fed_bytes > MAX_HEAD_BYTES:
                self._fail(UpstreamUnavailable("the response's head or trailers are too large"), None)
                return
            call.receiver.response_flush()

    def _release(self, call: ActiveCall) -> None:
        self._call = None
        sent = call.sent and self.writable  # or else the response came before all of the request was read
        if self._keep and sent:
            self.resume_reading()
            self.idle_since_s = monotonic()
            self._owner.rest(self)
        else:
            self._transport.close() if sent else self._transport.abort()

    def _fail(self, error: UpstreamUnavailable, cause: Exception | None) -> None:
        call, self._call = self._call, None
        self._transport.abort()
        if call is not None and not self._responded:
            error.__cause__ = cause
            call.receiver.upstream_failed(error)

    def eof_received(self) -> None:
        self._end_of_input(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_of_input(exc)
        self._owner.lost(self)

    def _end_of_input(self, error: Exception | None) -> None:
        call = self._call
        if call is None:
            return
        if error is None and self._headed and self._ends_with_connection():
            self._responded = True
            self._call = None
            call.receiver.response_end()
        else:
            where = "in the middle of the response" if self._headed else "before the response"
            self._fail(UpstreamUnavailable(f"the provider closed the connection {where}"), error)

    def _ends_with_connection(self) -> bool:
        return not {name.lower() for name, _ in self._headers} & _FRAMING

    def pause_writing(self) -> None:
        self.writable = False
        if self._call is not None:
            self._call.receiver.upstream_slow()

    def resume_writing(self) -> None:
        self.writable = True
        if self._call is not None:
            self._call.receiver.upstream_ready()

    # httptools

    def on_message_begin(self) -> None:
        if self._responded:
            self._keep = False  # a second response to one request
        self._reason = b""

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # after the head these are trailers, which end here
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._responded or self._call is None:
            return
        if status == SWITCHING_PROTOCOLS and self._call.offers_protocol and self._parser.should_upgrade():
            self._headed = self._relays = True
            self._owner.lost(self)  # it serves no other call, and lasts long
            self._call.receiver.response_head(status, self._reason, self._headers)
            return
        if status < 200:
            self._check_interim(status)
            self._headers = []
            return
        self._headed = True
        self._keep = self._parser.should_keep_alive()
        self._call.receiver.response_head(status, self._reason, self._headers)
        if self._call is not None and self._call.is_head:
            # The parser cannot know that no body follows, so the connection ends with this response.
            self._keep = False
            self._finish_response()

    def _check_interim(self, status: int) -> None:
        """Before the response others may come that are heads only. Anything else would shift later responses."""
        if status < 100:
            self._fail(UpstreamUnavailable(f"the response's status is {status:03}, which is none"), None)
        elif status == SWITCHING_PROTOCOLS:
            self._fail(UpstreamUnavailable("the provider changed the protocol without being asked to"), None)
        elif any(name.lower() in _FRAMING and value != b"0" for name, value in self._headers):
            self._fail(UpstreamUnavailable(f"the interim response {status} has a body, which it cannot"), None)

    def on_body(self, body: bytes) -> None:
        self._fed_bytes = 0
        if self._call is not None and self._headed and not self._responded:
            self._call.receiver.response_chunk(body)

    def on_message_complete(self) -> None:
        if self._headed and not self._responded and not self._relays:
            self._finish_response()

    def _finish_response(self) -> None:
        self._responded = True
        if self._call is not None:
            self._call.receiver.response_end()
