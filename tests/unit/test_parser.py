"""Requests out of bytes, without a network: however the bytes are cut into reads, the same requests come out."""

from itertools import pairwise

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Rejected
from services.proxy.errors import HeadTooLarge, MalformedRequest, UnknownMethod
from services.proxy.http.parser import MAX_HEADERS, RequestHead, RequestParser

MAX_HEAD_BYTES = 1000
Event = tuple[str, object]


class Recorder:
    """A RequestHandler that writes down what it is called with, each body as one chunk."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.events: list[Event] = []
        self._body = b""
        self._refuse = refuse

    def request_began(self) -> None:
        self.events.append(("began", None))

    def request_head(self, head: RequestHead) -> None:
        if self._refuse:
            raise UnknownMethod("not here")
        self.events.append(("head", head))

    def body_chunk(self, chunk: bytes) -> None:
        if self._body:
            self.events.pop()
        self._body += chunk
        self.events.append(("body", self._body))

    def request_end(self) -> None:
        self._body = b""
        self.events.append(("end", None))

    def malformed(self, error: Rejected) -> None:
        self.events.append(("malformed", type(error)))


def parsed(*reads: bytes, refuse: bool = False) -> list[Event]:
    """What `reads` hold."""
    handler = Recorder(refuse=refuse)
    parser = RequestParser(handler, max_head_bytes=MAX_HEAD_BYTES)
    for read in reads:
        if not parser.stopped:
            parser.feed(read)
    return handler.events


def head(method: bytes, url: bytes, *headers: tuple[bytes, bytes], version: str = "1.1", keep: bool = True) -> Event:
    return ("head", RequestHead(method, url, list(headers), version, keep))


BEGAN: Event = ("began", None)
END: Event = ("end", None)


def body(content: bytes) -> Event:
    return ("body", content)


def malformed(kind: type[Rejected] = MalformedRequest) -> Event:
    return ("malformed", kind)


GET = b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
OFFERED = ((b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"))
HOST = (b"Host", b"x")
LARGE = b"x" * 2 * MAX_HEAD_BYTES

CASES: dict[str, tuple[bytes, list[Event]]] = {  # the bytes, and what they hold
    "no body": (GET, [BEGAN, head(b"GET", b"/a?b", HOST), END]),
    "a length": (
        b"POST /a HTTP/1.1\r\nHOST: x\r\nContent-Length: 5\r\n\r\nhello",
        [BEGAN, head(b"POST", b"/a", (b"HOST", b"x"), (b"Content-Length", b"5")), body(b"hello"), END],
    ),
    "chunks, and trailers, which end here": (
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: 1\r\n\r\n",
        [BEGAN, head(b"POST", b"/a", (b"Transfer-Encoding", b"chunked")), body(b"hello"), END],
    ),
    "one after the other": (
        GET + b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi" + GET,
        [
            *(BEGAN, head(b"GET", b"/a?b", HOST), END),
            *(BEGAN, head(b"POST", b"/a", (b"Content-Length", b"2")), body(b"hi"), END),
            *(BEGAN, head(b"GET", b"/a?b", HOST), END),
        ],
    ),
    "an offer, declined": (
        b"GET /a HTTP/1.1\r\n" + OFFER + b"\r\n" + GET,
        [BEGAN, head(b"GET", b"/a", *OFFERED), END, BEGAN, head(b"GET", b"/a?b", HOST), END],
    ),
    "an offer with a body": (
        b"POST /a HTTP/1.1\r\n" + OFFER + b"Content-Length: 2\r\n\r\nhi" + GET,
        [
            *(BEGAN, head(b"POST", b"/a", *OFFERED, (b"Content-Length", b"2")), body(b"hi"), END),
            *(BEGAN, head(b"GET", b"/a?b", HOST), END),
        ],
    ),
    "an offer with an empty body": (
        b"POST /a HTTP/1.1\r\n" + OFFER + b"Content-Length: 0\r\n\r\n" + GET,
        [
            *(BEGAN, head(b"POST", b"/a", *OFFERED, (b"Content-Length", b"0")), END),
            *(BEGAN, head(b"GET", b"/a?b", HOST), END),
        ],
    ),
    "an offer with chunks": (
        b"POST /a HTTP/1.1\r\n" + OFFER + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        [BEGAN, head(b"POST", b"/a", *OFFERED, (b"Transfer-Encoding", b"chunked")), body(b"hi"), END],
    ),
    "HTTP/1.0": (b"GET /a HTTP/1.0\r\n\r\n", [BEGAN, head(b"GET", b"/a", version="1.0", keep=False), END]),
    "what follows the last request is passed over": (
        b"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n" + GET,
        [BEGAN, head(b"GET", b"/a", (b"Connection", b"close"), keep=False), END],
    ),
    "a large body": (
        b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(LARGE), LARGE),
        [BEGAN, head(b"POST", b"/a", (b"Content-Length", b"%d" % len(LARGE))), body(LARGE), END],
    ),
    "half a head": (GET[:-2], [BEGAN]),
    "half a body": (
        b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel",
        [BEGAN, head(b"POST", b"/a", (b"Content-Length", b"5")), body(b"hel")],
    ),
    "broken chunks": (
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nnonsense\r\n" + GET,
        [BEGAN, head(b"POST", b"/a", (b"Transfer-Encoding", b"chunked")), body(b"hi"), malformed()],
    ),
    "nonsense behind a request": (
        GET + b"\x16\x03\x01 nonsense",
        [BEGAN, head(b"GET", b"/a?b", HOST), END, BEGAN, malformed()],
    ),
}


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % len(data) for place in places} - {0}), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


@pytest.mark.parametrize("name", CASES)
@given(places=st.lists(st.integers(0, 10_000), max_size=30))
@settings(max_examples=60, deadline=None)
def test_however_the_bytes_are_cut_the_same_requests_come_out(name: str, places: list[int]) -> None:
    data, events = CASES[name]
    assert parsed(data) == events
    assert parsed(*cut(data, places)) == events


def many(size_bytes: int) -> list[bytes]:
    """Reads of a head, or of trailers, without end."""
    return [b"X-%d: 1\r\n" % number for number in range(size_bytes // 8)]


CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
TOO_LARGE: dict[str, list[bytes]] = {
    "a head in one read": [b"GET /a HTTP/1.1\r\nX: " + LARGE + b"\r\n\r\n"],
    "a head without end": [b"GET /a HTTP/1.1\r\n", *many(2 * MAX_HEAD_BYTES)],
    "too many headers": [b"GET /a HTTP/1.1\r\n" + b"X: 1\r\n" * (MAX_HEADERS + 1) + b"\r\n"],
    "trailers without end": [CHUNKED, b"2\r\nhi\r\n0\r\n", *many(2 * MAX_HEAD_BYTES)],
    "chunk extensions without end": [CHUNKED, b"2;", *[b"x" * 100] * 20],
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_ends_the_parsing(name: str) -> None:
    *_, last = parsed(*TOO_LARGE[name])
    assert last == malformed(HeadTooLarge)


def test_what_the_handler_refuses_is_malformed_and_nothing_follows() -> None:
    assert parsed(GET + GET, refuse=True) == [BEGAN, malformed(UnknownMethod)]
    offer = b"POST /a HTTP/1.1\r\n" + OFFER + b"Content-Length: 2\r\n\r\nhi"
    assert parsed(offer + GET, refuse=True) == [BEGAN, malformed(UnknownMethod)]


def test_a_handler_that_stops_the_parser_is_not_called_again() -> None:
    class Stopping(Recorder):
        def request_head(self, head: RequestHead) -> None:
            super().request_head(head)
            parser.stop()

    handler = Stopping()
    parser = RequestParser(handler, max_head_bytes=MAX_HEAD_BYTES)
    parser.feed(b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi" + GET)
    assert [name for name, _ in handler.events] == ["began", "head"]
    assert parser.stopped


def test_a_fault_in_the_handler_is_raised_to_whoever_feeds_the_parser() -> None:
    class Faulty(Recorder):
        def request_began(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(httptools.HttpParserCallbackError):
        RequestParser(Faulty(), max_head_bytes=MAX_HEAD_BYTES).feed(GET)
