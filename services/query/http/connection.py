"""One client's connection: uvicorn's on httptools, with bounds on what a client may send, and for how long.

httptools itself bounds neither heads nor trailers, stops at an offer to change the protocol, and uvicorn waits for ever
for a request that has begun, or for one at all.
"""

import asyncio
from math import inf
from time import monotonic
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from schemas.errors import InvalidRequest, TooLarge
from services.domain.exchange.host import parse_host
from services.query.http.refused_requests import RefusedRequests
from services.query.http.responses import error_body

MAX_HEAD_BYTES: Final = 64 * 2**10  # of one request; of what comes around its body (trailers, extensions) too
MAX_HEADERS: Final = 100
REQUEST_S: Final = 10.0  # for a head, from the connection or its first byte on
BODY_S: Final = 60.0  # for a body
IDLE_S: Final = 60.0  # between requests, and for a client to take more of a response
LINGER_S: Final = 5.0  # for a client that still sends to read its response
UNREAD_BYTES: Final = 16 * 2**20  # discarded of a client that still sends; beyond it nothing more is read


class _ClosedByConnection:
    """The transport as a response sees it: where that would close, the connection lets the client read first."""

    def __init__(self, connection: "QueryConnection", transport: asyncio.Transport) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = connection.leave


class QueryConnection(HttpToolsProtocol):
    """`sweep` is to be called several times a second."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        refused: RefusedRequests,
        max_connections: int,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._refused = refused
        self._max_connections = max_connections
        self._around_bytes = 0  # since the head began, or since a part of the body came
        self._in_head = False
        self._offers_upgrade = False  # the request offers another protocol; its body is still to come
        self._leaving = False  # nothing more is read; the response may still be on its way
        self._unread_bytes = 0
        self._since_s = 0.0  # of what is waited for
        self._unsent_bytes = 0  # when last looked at
        self.has_key = False  # a valid key was shown

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since_s = monotonic()
        if len(self.connections) > self._max_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.is_idle:
            self._end_reading(self.cycle.scope["state"])

    def _end_reading(self, state: dict[str, Any]) -> None:
        """Nobody is left to read the response of a query."""
        reading: asyncio.Task[None] | None = state.get("reading")
        if reading is not None:
            state["is_disconnected"] = True
            reading.cancel()

    def _make_room(self) -> None:
        """Ends a connection that waits for its client: one without a key, the oldest first; else this new one."""
        waiting = [
            one
            for one in self.connections
            if isinstance(one, QueryConnection) and one is not self and one.waits_for_client
        ]
        oldest = min(waiting, key=lambda one: (one.has_key, one.since_s), default=self)
        oldest.abort()

    @property
    def is_idle(self) -> bool:
        """No request is in work."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def waits_for_client(self) -> bool:
        """For a request, for the rest of a body, or for the client to take a response."""
        awaits_body = self.cycle is not None and self.cycle.more_body and not self.pipeline
        return self.is_idle or awaits_body or self.transport.get_write_buffer_size() > 0

    @property
    def since_s(self) -> float:
        return self._since_s

    # Bytes

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._leaving:
            self._discard(len(data))
            return
        self._around_bytes += len(data)
        rest: bytes | None = data
        while rest is not None and not self._leaving:
            rest = self._parse(rest)
        if self._around_bytes > MAX_HEAD_BYTES + len(data):  # a read may begin with what is no part of it
            self.refuse(431, "the request's head, trailers or chunk extensions are too large")

    def _discard(self, size_bytes: int) -> None:
        """A client that is no longer read from notices, and reads its response; an abort would take that from it."""
        self._unread_bytes += size_bytes
        if self._unread_bytes > UNREAD_BYTES:
            if not self._leaving:
                self._linger()
            self.flow.pause_reading()

    def _parse(self, data: bytes) -> bytes | None:
        """What is left to parse by a new parser."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :] if self._decline_upgrade() else None
        except httptools.HttpParserError as error:
            self.refuse(400, f"the request is not valid HTTP: {_reason(error)}")
        return None

    def _decline_upgrade(self) -> bool:
        """Goes on in HTTP/1.1, which a server may: some clients offer HTTP/2 with every request they make.

        The parser has stopped behind the head, so a new one is led to the same place.
        """
        framing = b"".join(
            b"%b: %b\r\n" % header for header in self.headers if header[0] in (b"content-length", b"transfer-encoding")
        )
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        try:
            if framing:
                self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
        except httptools.HttpParserError as error:
            self.refuse(400, f"the request is not valid HTTP: {_reason(error)}")
            return False
        self._offers_upgrade = False
        if not framing:
            self.on_message_complete()
        return True

    # Parser

    def on_message_begin(self) -> None:
        if not self._offers_upgrade:
            super().on_message_begin()
            self._in_head = True
            self._around_bytes = self._unread_bytes = 0
            self._since_s = monotonic()

    def on_url(self, url: bytes) -> None:
        if self._in_head:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # behind the head there are trailers, which end here
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._leaving or not self._in_head:
            return
        self._in_head = False
        self._offers_upgrade = self.parser.should_upgrade()
        try:
            self._check_head()
            super().on_headers_complete()
        except InvalidRequest as error:
            self.refuse(400, str(error))
        except TooLarge as error:
            self.refuse(431, str(error))
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            self.refuse(400, "the request's target is not a path")
        else:
            self.cycle.transport = _ClosedByConnection(self, self.transport)  # type: ignore[assignment]

    def _check_head(self) -> None:
        """Raises: InvalidRequest, TooLarge."""
        if len(self.headers) > MAX_HEADERS:
            raise TooLarge(f"the request has more than {MAX_HEADERS} headers")
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            raise TooLarge(f"the request's head is larger than {MAX_HEAD_BYTES} bytes")
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() != "1.0"):
            raise InvalidRequest("a request has one Host header")
        if hosts:
            parse_host(hosts[0])

    def on_body(self, body: bytes) -> None:
        self._around_bytes = 0
        if self._leaving:
            return
        if self.cycle.response_complete:
            self._discard(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._leaving or self._offers_upgrade:
            return
        self._around_bytes = 0
        super().on_message_complete()
        self.cycle.more_body = False  # whether or not its response has ended

    # Responses

    def on_response_complete(self) -> None:
        self.has_key = self.has_key or "organization_id" in self.cycle.scope["state"]
        self._since_s = monotonic()
        super().on_response_complete()

    def refuse(self, status: int, text: str) -> None:
        """Responds to what cannot be parsed, unless another response is on its way, and reads nothing more."""
        if self._leaving or self.transport.is_closing():
            return
        self._refused.add(text)
        self._leaving = True
        if self.pipeline:  # requests before it have no response yet: those come first, and after them the end
            self.cycle.keep_alive = False
            self.cycle.disconnected = self.cycle.more_body
            return
        if not self.is_idle and (self.cycle.response_started or not self.cycle.more_body):
            self.cycle.keep_alive = False
            return
        if not self.is_idle:
            self.cycle.disconnected = True  # it waits for a body that will not come
            self.cycle.message_event.set()
        body = error_body(text)
        head = b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (STATUS_LINE[status], len(body)) + body)
        self._linger()

    def leave(self) -> None:
        """Closes once the client has had its response: one that still sends would otherwise be cut off before."""
        if self.cycle is None or not self.cycle.more_body or self.transport.is_closing():
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        self._leaving = True
        self._in_head = False
        self._since_s = monotonic()
        self.pipeline.clear()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def abort(self) -> None:
        self.transport.abort()

    def sweep(self, now_s: float) -> None:
        """Ends what has taken too long."""
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes != self._unsent_bytes:
            self._unsent_bytes, self._since_s = unsent_bytes, now_s
        elif now_s - self._since_s > (IDLE_S if unsent_bytes else self._timeout_s()):
            self._end()

    def _timeout_s(self) -> float:
        if self.pipeline:  # a request is in work that has come as a whole, and the body of the last is not read yet
            return inf
        if self._leaving and (self.is_idle or self.cycle.disconnected):
            return LINGER_S
        if not self.is_idle:
            return BODY_S if self.cycle.more_body else inf  # the app sets its own limits
        return REQUEST_S if self._in_head or self.cycle is None else IDLE_S

    def _end(self) -> None:
        if self._leaving or self._unsent_bytes:
            self.abort()
        elif self._in_head or not self.is_idle:
            self.refuse(408, "the request did not come in time")
        else:
            self.transport.close()


def _reason(error: httptools.HttpParserError) -> str:
    """The parser's own words, without those of an exception of ours."""
    return "" if isinstance(error, httptools.HttpParserCallbackError) else str(error)[:200]
