"""One exchange in progress: chunks and timestamps are collected, and become one event at the end."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from schemas.event import ExchangeEvent, Outcome, RequestEvent, RequestTags, ResponseEvent
from schemas.timestamps import whole_milliseconds
from services.domain.exchange.headers import NO_FRAMING, Head
from services.domain.exchange.routes import Target
from services.domain.exchange.sse import ends_stream

TAIL_BYTES: Final = 64 * 2**10  # of a response that is larger than the capture limit, kept beside its beginning
LAST_EVENT_BYTES: Final = 2**20  # of a stream's end, searched for its last event: OpenAI's may hold the whole response
MAX_LOOSE: Final = 256  # chunks of a body; more are joined, since each has some forty bytes of overhead


class CaptureSpace:
    """How many bytes all bodies in flight may hold together. Above it bodies are not captured; traffic goes on."""

    __slots__ = ("free_bytes",)

    def __init__(self, total_bytes: int) -> None:
        self.free_bytes = total_bytes


class CapturedBody:
    """One body: its first bytes up to `limit`, or none of it when space ran out, and its true size.

    Of a larger one the last `tail_bytes` are captured too, while there is space for them: responses end with their
    usage.
    """

    __slots__ = ("_chunks", "_joined", "_limit", "_space", "_tail", "body_bytes", "dropped", "tail_bytes")

    def __init__(self, limit: int, space: CaptureSpace, tail_bytes: int = 0) -> None:
        self._limit = limit
        self._space = space
        self._chunks: list[bytes] = []
        self._joined = 0  # this many of the first chunks were joined from loose ones
        self._tail: bytearray | None = None  # few responses need one
        self.tail_bytes = tail_bytes  # 0 also when there was no space for them
        self.body_bytes = 0
        self.dropped = False

    def add(self, chunk: bytes) -> None:
        size, rest = len(chunk), b""
        self.body_bytes += size
        if self.body_bytes > self._limit:
            size = max(0, size - (self.body_bytes - self._limit))
            chunk, rest = chunk[:size], chunk[size:]
        if size > self._space.free_bytes:
            self.take()
            self.dropped = True
        elif not self.dropped:
            if size:
                self._space.free_bytes -= size
                self._chunks.append(chunk)
                if len(self._chunks) - self._joined > MAX_LOOSE:
                    self._join_loose()
            if rest and self.tail_bytes:
                self._add_to_tail(rest)

    def _join_loose(self) -> None:
        self._chunks[self._joined :] = [b"".join(self._chunks[self._joined :])]
        self._joined += 1

    def _add_to_tail(self, rest: bytes) -> None:
        """Trimmed only when it has grown to twice its size, so that every byte is moved once at most."""
        tail = self._tail = bytearray() if self._tail is None else self._tail
        before = len(tail)
        tail += rest[-self.tail_bytes :]
        if len(tail) > 2 * self.tail_bytes:
            del tail[: -self.tail_bytes]
        self._space.free_bytes -= len(tail) - before
        if self._space.free_bytes < 0:
            self._take_tail(tail)
            self.tail_bytes = 0

    def end(self, size: int) -> bytes:
        """The last captured bytes, up to `size` or somewhat more. They stay captured."""
        if self._tail is not None:
            return bytes(self._tail[-size:])
        found: list[bytes] = []
        for chunk in reversed(self._chunks):
            if size <= 0:
                break
            found.append(chunk)
            size -= len(chunk)
        return b"".join(reversed(found))

    @property
    def truncated(self) -> bool:
        """Whether something between its first and its last bytes, or all behind the first, was not captured."""
        return self.body_bytes > self._limit + self.tail_bytes

    def take(self) -> tuple[bytes, bytes]:
        """The first and the last bytes. Their space is given back, and nothing is held any more."""
        body = b"".join(self._chunks)
        self._chunks.clear()
        self._joined = 0
        self._space.free_bytes += len(body)
        return body, b"" if self._tail is None else self._take_tail(self._tail)

    def _take_tail(self, tail: bytearray) -> bytes:
        self._tail = None
        self._space.free_bytes += len(tail)
        return bytes(tail[-self.tail_bytes :])


class Capture:
    """The only mutable value of the vocabulary. It belongs to one exchange and finishes exactly once."""

    __slots__ = (
        "_began_s",
        "_created_at",
        "_finished",
        "_first_byte_s",
        "_head",
        "_key_id",
        "_method",
        "_response_framing",
        "_status",
        "_tags",
        "_target",
        "body",
        "drained",
        "organization_id",
        "request_id",
        "request_sent",
        "response",
        "usage_injected",
    )

    def __init__(
        self,
        *,
        organization_id: str,
        key_id: str,
        request_id: str,
        created_at: datetime,
        began_s: float,
        method: bytes,
        target: Target,
        head: Head,
        tags: RequestTags,
        limit: int,
        space: CaptureSpace,
    ) -> None:
        """`created_at` is when the request began; `began_s` is the same on the monotonic clock."""
        self.organization_id = organization_id
        self._key_id = key_id
        self.request_id = request_id
        self._created_at = whole_milliseconds(created_at)
        self._began_s = began_s
        self._method = method
        self._target = target
        self._tags = tags
        self._head = head
        self.body = CapturedBody(limit, space)
        self.response = CapturedBody(limit, space, TAIL_BYTES)
        self._first_byte_s: float | None = None
        self._status: int | None = None
        self._response_framing: Mapping[bytes, bytes] = NO_FRAMING
        self._finished = False
        self.request_sent = True
        self.drained = False
        self.usage_injected = False

    def response_head(self, status: int, framing_headers: Mapping[bytes, bytes]) -> None:
        self._status = status
        self._response_framing = framing_headers

    @property
    def has_readable_end(self) -> bool:
        """Whether the response's end can be parsed once it has arrived. Of a compressed one only the beginning can."""
        response = self.response
        is_captured = response.tail_bytes > 0 and b"content-encoding" not in self._response_framing
        return not response.dropped and (is_captured or not response.truncated)

    @property
    def stream_ended(self) -> bool:
        """Whether the response so far is a whole stream, though its body may not have ended yet."""
        framing = self._response_framing
        if self._status != 200 or b"content-encoding" in framing or self.response.dropped:
            return False
        is_stream = framing.get(b"content-type", b"").lower().startswith(b"text/event-stream")
        return is_stream and ends_stream(self.response.end(LAST_EVENT_BYTES))

    def response_began(self, at_s: float) -> None:
        """The first byte of the response's body has arrived."""
        self._first_byte_s = at_s

    def finish(self, outcome: Outcome, at_s: float) -> ExchangeEvent:
        """The event of this exchange, which ended at `at_s`. Works once."""
        assert not self._finished, "an exchange has one event"
        self._finished = True
        recorded_at = self._created_at + timedelta(seconds=at_s - self._began_s)
        return ExchangeEvent(request=self._request(), response=self._response(outcome, at_s), recorded_at=recorded_at)

    def _request(self) -> RequestEvent:
        framing = self._head.framing_headers
        body, _ = self.body.take()
        return RequestEvent(
            organization_id=self.organization_id,
            key_id=self._key_id,
            request_id=self.request_id,
            created_at=self._created_at,
            provider=self._target.provider,
            method=self._method.decode("ascii"),
            target_url=self._target.url,
            tags=self._tags,
            content_type=framing.get(b"content-type", b"").decode("latin-1"),
            content_encoding=framing.get(b"content-encoding", b"").decode("latin-1"),
            body=body,
            body_bytes=self.body.body_bytes,
        )

    def _response(self, outcome: Outcome, at_s: float) -> ResponseEvent:
        framing = self._response_framing
        first = self._first_byte_s
        body, tail = self.response.take()
        return ResponseEvent(
            outcome=outcome,
            status=self._status,
            latency_ms=round((at_s - self._began_s) * 1000),
            first_byte_ms=None if first is None else round((first - self._began_s) * 1000),
            content_type=framing.get(b"content-type", b"").decode("latin-1"),
            content_encoding=framing.get(b"content-encoding", b"").decode("latin-1"),
            body=body,
            body_tail=tail,
            body_bytes=self.response.body_bytes,
            request_sent=self.request_sent,
            drained=self.drained,
            usage_injected=self.usage_injected,
        )


def beginning_and_end(body: bytes, limit: int) -> tuple[bytes, bytes]:
    """What the proxy would have captured of a whole response: its first bytes, and its last."""
    return body[:limit], body[max(limit, len(body) - TAIL_BYTES) :]
