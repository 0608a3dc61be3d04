"""One exchange as it passes: pieces and moments are collected, and turned into one event at the end."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from schemas.event import Ending, ExchangeEvent, RequestEvent, RequestTags, ResponseEvent
from services.domain.headers import NO_NOTES, Head
from services.domain.providers import Target


class CaptureSpace:
    """How many bytes all bodies in flight may hold together. Above it bodies are not kept; traffic goes on."""

    __slots__ = ("free_bytes",)

    def __init__(self, total_bytes: int) -> None:
        self.free_bytes = total_bytes


class CapturedBody:
    """One body: its first bytes up to `limit`, or none of it when space ran out, and its true size."""

    __slots__ = ("_limit", "_pieces", "_space", "body_bytes", "dropped", "truncated")

    def __init__(self, limit: int, space: CaptureSpace) -> None:
        self._limit = limit
        self._space = space
        self._pieces: list[bytes] = []
        self.body_bytes = 0
        self.truncated = False
        self.dropped = False

    def add(self, piece: bytes) -> None:
        size = len(piece)
        self.body_bytes += size
        if self.body_bytes > self._limit:
            self.truncated = True
            size = max(0, size - (self.body_bytes - self._limit))
            piece = piece[:size]
        if size > self._space.free_bytes:
            self.take()
            self.dropped = True
        elif not self.dropped:
            self._space.free_bytes -= size
            self._pieces.append(piece)

    @property
    def partial(self) -> bool:
        """Whether some of it was not kept."""
        return self.truncated or self.dropped

    def take(self) -> bytes:
        """What is held. Its space is given back, and nothing is held any more."""
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._space.free_bytes += len(body)
        return body


class Capture:
    """The only mutable value of the vocabulary. It belongs to one exchange and finishes exactly once."""

    __slots__ = (
        "_answer_notes",
        "_began_s",
        "_created_at",
        "_finished",
        "_first_byte_s",
        "_head",
        "_method",
        "_organization_id",
        "_status",
        "_tags",
        "_target",
        "answer",
        "body",
        "drained",
        "request_id",
        "request_sent",
        "usage_injected",
    )

    def __init__(
        self,
        *,
        organization_id: str,
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
        """`created_at` is the moment of the request's first byte; `began_s` is the same on the monotonic clock."""
        self._organization_id = organization_id
        self.request_id = request_id
        self._created_at = whole_milliseconds(created_at)
        self._began_s = began_s
        self._method = method
        self._target = target
        self._tags = tags
        self._head = head
        self.body = CapturedBody(limit, space)
        self.answer = CapturedBody(limit, space)
        self._first_byte_s: float | None = None
        self._status: int | None = None
        self._answer_notes: Mapping[bytes, bytes] = NO_NOTES
        self._finished = False
        self.request_sent = True
        self.drained = False
        self.usage_injected = False

    def answer_head(self, status: int, notes: Mapping[bytes, bytes]) -> None:
        self._status = status
        self._answer_notes = notes

    def answer_began(self, at_s: float) -> None:
        """The first byte of the answer's body has come."""
        self._first_byte_s = at_s

    def finish(self, ending: Ending, at_s: float) -> ExchangeEvent:
        """The event of this exchange, which ended at `at_s`. Works once."""
        assert not self._finished, "an exchange has one event"
        self._finished = True
        recorded_at = self._created_at + timedelta(seconds=at_s - self._began_s)
        return ExchangeEvent(request=self._request(), response=self._response(ending, at_s), recorded_at=recorded_at)

    def _request(self) -> RequestEvent:
        notes = self._head.notes
        return RequestEvent(
            organization_id=self._organization_id,
            request_id=self.request_id,
            created_at=self._created_at,
            provider=self._target.provider,
            method=self._method.decode("ascii"),
            target_url=self._target.url,
            tags=self._tags,
            content_type=notes.get(b"content-type", b"").decode("latin-1"),
            content_encoding=notes.get(b"content-encoding", b"").decode("latin-1"),
            body=self.body.take(),
            body_bytes=self.body.body_bytes,
        )

    def _response(self, ending: Ending, at_s: float) -> ResponseEvent:
        notes = self._answer_notes
        first = self._first_byte_s
        return ResponseEvent(
            ending=ending,
            status=self._status,
            latency_ms=round((at_s - self._began_s) * 1000),
            first_byte_ms=None if first is None else round((first - self._began_s) * 1000),
            content_type=notes.get(b"content-type", b"").decode("latin-1"),
            content_encoding=notes.get(b"content-encoding", b"").decode("latin-1"),
            body=self.answer.take(),
            body_bytes=self.answer.body_bytes,
            request_sent=self.request_sent,
            drained=self.drained,
            usage_injected=self.usage_injected,
        )


def whole_milliseconds(moment: datetime) -> datetime:
    """`moment` cut to milliseconds, as it is part of a row's identity and stored so."""
    return moment - timedelta(microseconds=moment.microsecond % 1000)
