"""HTTP/1.1 requests out of bytes, by httptools. No network in here: a connection feeds it, and handles what it finds.

httptools alone bounds neither heads nor trailers, stops at an offer to change the protocol, and mixes trailers with
headers. Here heads are limited, offers are declined, and trailers end.
"""

from enum import Enum, auto
from typing import Final, Protocol

import httptools
import msgspec

from schemas.errors import Rejected
from services.domain.exchange.headers import Pair
from services.proxy.errors import HeadTooLarge, MalformedRequest

MAX_HEADERS: Final = 100
_FRAMING: Final = (b"content-length", b"transfer-encoding")


class RequestHead(msgspec.Struct, frozen=True):
    """The request line and the headers as they came."""

    method: bytes
    url: bytes
    headers: list[Pair]
    http_version: str
    keep_alive: bool  # the client keeps the connection open; of HTTP/1.0 always False


class RequestHandler(Protocol):
    """Is called while bytes are parsed: for each request once, but for body_chunk, in this order."""

    def request_began(self) -> None:
        """Its first byte has come."""
        ...

    def request_head(self, head: RequestHead) -> None:
        """Raises: Rejected, which is then what is malformed."""
        ...

    def body_chunk(self, chunk: bytes) -> None:
        """What one read holds of the body; trailers are left out."""
        ...

    def request_end(self) -> None: ...

    def malformed(self, error: Rejected) -> None:
        """What comes cannot be understood, wherever in a request. Nothing follows."""
        ...


class State(Enum):
    BETWEEN = auto()  # no byte of a request has come
    HEAD = auto()
    OFFER = auto()  # the head offers to change the protocol; httptools stops behind it
    BODY = auto()  # or what comes around it: chunk extensions, trailers
    RELAYING = auto()  # another protocol than HTTP, which is not parsed here
    STOPPED = auto()  # nothing more is parsed


# Looked up for every header, which is dearer on the class.
_BETWEEN: Final = State.BETWEEN
_HEAD: Final = State.HEAD
_OFFER: Final = State.OFFER
_BODY: Final = State.BODY
_RELAYING: Final = State.RELAYING
_STOPPED: Final = State.STOPPED


class RequestParser:
    """For the requests of one connection, one after the other."""

    __slots__ = (
        "_chunks",
        "_handler",
        "_head_bytes",
        "_head_start",
        "_headers",
        "_max_head_bytes",
        "_parser",
        "_read_bytes",
        "_state",
        "_url",
    )

    def __init__(self, handler: RequestHandler, *, max_head_bytes: int) -> None:
        self._handler = handler
        self._max_head_bytes = max_head_bytes
        self._parser = self._new_parser()
        self._state = _BETWEEN
        self._url = b""
        self._headers: list[Pair] = []
        self._chunks: list[bytes] = []  # of the read that is being parsed: it may hold tens of thousands
        self._read_bytes = 0  # of that read
        self._head_bytes = 0  # of the reads since a head began, the first one included, or since a body last came
        self._head_start = 0  # of that first one, whose beginning may belong to an earlier request

    @property
    def in_head(self) -> bool:
        """Whether a request has begun whose head is not complete."""
        return self._state is _HEAD

    @property
    def stopped(self) -> bool:
        return self._state is _STOPPED

    def stop(self) -> None:
        """Nothing more is to be parsed, and the handler not to be called any more."""
        self._state = _STOPPED
        self._chunks.clear()

    def relay(self) -> bool:
        """From now on all that comes is the body of the last request. False where more than that has come already."""
        if self._state is not _BETWEEN:
            return False
        self._state = _RELAYING
        return True

    def close(self) -> None:
        """Stops, and lets go of what points back here, which would have to wait for the garbage collector."""
        self.stop()
        del self._parser, self._handler

    def feed(self, data: bytes) -> None:
        """Parses one read. Raises: whatever a fault in the handler raises, or httptools' error around it."""
        if self._state is _RELAYING:
            self._handler.body_chunk(data)
            return
        self._read_bytes = len(data)
        self._head_bytes += len(data)
        rest: bytes | None = data
        while rest is not None and self._state is not _STOPPED:
            rest = self._parse(rest)
        if self._head_bytes - self._head_start > self._max_head_bytes:
            part = "head is" if self._state is _HEAD else "trailers or chunk extensions are"
            self._fail(HeadTooLarge(f"the request's {part} larger than {self._max_head_bytes} bytes"))

    def _parse(self, data: bytes) -> bytes | None:
        """What is left to parse."""
        try:
            self._feed(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._state is _OFFER:  # or else the head was refused, and its framing may be none
                self._decline_offer()
                return data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError as error:
            self._fail(MalformedRequest(f"the request is not valid HTTP: {error}"))
        return None

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        finally:
            if self._chunks:
                self._flush_body()

    def _flush_body(self) -> None:
        chunks, self._chunks = self._chunks, []
        if self._state is not _STOPPED:
            self._handler.body_chunk(chunks[0] if len(chunks) == 1 else b"".join(chunks))

    def _decline_offer(self) -> None:
        """Goes on in HTTP/1.1, which a server may: some clients offer HTTP/2 with every request they make.

        httptools has stopped behind the head, so a new parser is led to the same place.
        """
        framing = b"".join(b"%b: %b\r\n" % pair for pair in self._headers if pair[0].lower() in _FRAMING)
        self._parser = self._new_parser()
        self._state = _BODY
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # What follows a request that says `Connection: close` is passed over, and that request has its response.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _fail(self, error: Rejected) -> None:
        if self._state is not _STOPPED:
            self._state = _STOPPED
            self._handler.malformed(error)

    # Called by httptools

    def on_message_begin(self) -> None:
        if self._state is _BETWEEN:
            self._state = _HEAD
            self._head_bytes = self._head_start = self._read_bytes
            self._url = b""
            self._headers = []
            self._handler.request_began()

    def on_url(self, url: bytes) -> None:
        if self._state is _HEAD:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._state is _HEAD:  # trailers are left out
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._state is not _HEAD:
            return
        parser = self._parser
        self._state = _OFFER if parser.should_upgrade() else _BODY
        try:
            if len(self._headers) > MAX_HEADERS or self._head_bytes > self._max_head_bytes:
                self._check_size()
            version = parser.get_http_version()
            keep_alive = version != "1.0" and parser.should_keep_alive()
            self._handler.request_head(RequestHead(parser.get_method(), self._url, self._headers, version, keep_alive))
        except Rejected as error:
            self._fail(error)

    def _check_size(self) -> None:
        if len(self._headers) > MAX_HEADERS:
            raise HeadTooLarge(f"the request has more than {MAX_HEADERS} headers")
        size = len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size > self._max_head_bytes:
            raise HeadTooLarge(f"the request's head is larger than {self._max_head_bytes} bytes")

    def on_body(self, body: bytes) -> None:
        self._head_bytes = self._head_start  # what comes around a body is limited as heads are
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        if self._state is not _BODY:
            return
        self._head_bytes = self._head_start
        if self._chunks:
            self._flush_body()
        if self._state is _BODY:  # the handler may have stopped
            self._state = _BETWEEN
            self._handler.request_end()
