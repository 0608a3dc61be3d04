"""The reading half of a client's connection: bytes in, requests out, in the order in which they came.

uvicorn's class does the same for ASGI. Here header names keep their spelling, trailers end, heads are limited, and
offers to change the protocol are declined.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from time import monotonic
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from schemas.errors import Rejected
from services.ports import Clock
from services.proxy.errors import HeadTooLarge, MalformedRequest
from services.proxy.exchange.exchange import Exchange

MAX_HEADERS: Final = 100
UNREAD_BYTES: Final = 2**20  # taken from a client that is not listened to any more; above it it has to wait

logger = logging.getLogger(__name__)


class RequestParserProtocol(HttpToolsProtocol, ABC):
    """Tells the class below what has come, and the Exchange in `_body_of` about its body."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        clock: Clock,
        max_head_bytes: int,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._clock = clock
        self._max_head_bytes = max_head_bytes
        self._read_bytes = 0  # of the read that is being parsed; 0 between reads
        self._in_head = False
        self._began_at = clock.now()  # the request whose head is coming; `_began_s` is the same timestamp
        self._began_s = 0.0
        self._head_bytes = 0  # of the reads since that head began, the first one included, or since a body last came
        self._head_start = 0  # of that first one, whose beginning may belong to an earlier request
        self._body_of: Exchange | None = None  # whose body is coming; None also for the app's
        self._pieces: list[bytes] = []  # of it, in the read that is being parsed: a read may hold tens of thousands
        self._offered = False  # the request offers another protocol; its body is still to come
        self._over = False  # the response was given while its request was still coming
        self._deaf = False  # what still comes is not read
        self._unread_bytes = 0  # of that

    @abstractmethod
    def _take(self) -> None:
        """A head has come, as `url` and `headers`. Raises: Rejected."""

    @abstractmethod
    def _refuse(self, error: Rejected) -> None:
        """What comes cannot be understood, and nothing more will be read."""

    @abstractmethod
    def _read(self) -> None:
        """Everything at hand has been told."""

    @abstractmethod
    def _advance(self) -> None:
        """A request has ended whose answer had been given."""

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._ignore(len(data))
            return
        self._read_bytes = len(data)
        self._head_bytes += len(data)
        rest: bytes | None = data
        while rest is not None and not self._deaf:
            rest = self._parse(rest)
        self._read_bytes = 0
        if self._head_bytes - self._head_start > self._max_head_bytes:
            part = "head is" if self._in_head else "trailers or chunk extensions are"
            self._refuse(HeadTooLarge(f"the request's {part} larger than {self._max_head_bytes} bytes"))
        self._read()

    def _ignore(self, size: int) -> None:
        """A client that still writes may not be cut off before it has read its response; but it is given no more."""
        self._unread_bytes += size
        if self._unread_bytes > UNREAD_BYTES:
            self.flow.pause_reading()

    def _parse(self, data: bytes) -> bytes | None:
        """What is left to parse by a new parser."""
        try:
            self._feed(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._deaf:  # or else the head was refused, and its framing may be none
                self._decline_upgrade()
                return data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError:
            logger.exception("a request could not be taken")
            self.transport.abort()
        except httptools.HttpParserError as error:
            self._refuse(MalformedRequest(f"the request is not valid HTTP: {error}"))
        return None

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        finally:
            if self._pieces:
                self._tell_body()

    def _tell_body(self) -> None:
        pieces, self._pieces = self._pieces, []
        if self._body_of is not None and not self._deaf:
            self._body_of.body(b"".join(pieces))

    def _decline_upgrade(self) -> None:
        """Goes on in HTTP/1.1, which a server may: some clients offer HTTP/2 with every request they make.

        The parser has stopped behind the head, so a new one is led to the same place.
        """
        framing = b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, value in self.headers
            if name.lower() in (b"content-length", b"transfer-encoding")
        )
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        if framing:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
        self._offered = False
        if not framing:
            self.on_message_complete()

    # Parser

    def on_message_begin(self) -> None:
        if not self._offered:
            self._in_head = True
            self._head_bytes = self._head_start = self._read_bytes
            self._began_at = self._clock.now()
            self._began_s = monotonic()
            self.url = b""
            self.headers = []

    def on_url(self, url: bytes) -> None:
        if self._in_head:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # behind the head there are trailers, which end here
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._deaf or not self._in_head:
            return
        self._in_head = False
        self._offered = self.parser.should_upgrade()
        try:
            if len(self.headers) > MAX_HEADERS or self._head_bytes > self._max_head_bytes:
                self._check_head()
            self._take()
        except Rejected as error:
            self._refuse(error)

    def _check_head(self) -> None:
        if len(self.headers) > MAX_HEADERS:
            raise HeadTooLarge(f"the request has more than {MAX_HEADERS} headers")
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._max_head_bytes:
            raise HeadTooLarge(f"the request's head is larger than {self._max_head_bytes} bytes")

    def on_body(self, body: bytes) -> None:
        self._head_bytes = self._head_start  # what comes around a body is limited as heads are
        if self._deaf:
            return
        if self._body_of is not None:
            self._pieces.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._deaf or self._offered:
            return
        self._head_bytes = self._head_start
        if self._pieces:
            self._tell_body()
        body_of, self._body_of = self._body_of, None
        if body_of is None:
            super().on_message_complete()
            self.cycle.more_body = False  # whether or not it was answered before
        else:
            body_of.request_end()
            if self._over:
                self._over = False
                self._advance()

    def _pass_to_app(self) -> None:
        """The head that has come is for the class above, which tells `_start_asgi_task`."""
        self._body_of = None
        self.cycle = None  # type: ignore[assignment]  # so that it never queues by itself
        url, headers, http_1_0 = self.url, self.headers, self.parser.get_http_version() == "1.0"
        super().on_message_begin()
        super().on_url(url)
        for name, value in headers:
            super().on_header(name, value)
        self.expect_100_continue &= not http_1_0
        self.scope["extensions"] = {"farebox": {"headers": headers}}  # ASGI would lose the spelling of their names
        try:
            super().on_headers_complete()
        except httptools.HttpParserInvalidURLError:
            raise MalformedRequest("the request's target is not a path") from None
