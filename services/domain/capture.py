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

    __slots__ = ("_limit", "_pieces", "_space", "body_bytes", "dropped")

    def __init__(self, limit: int, space: CaptureSpace) -> None:
        self._limit = limit
        self._space = space
        self._pieces: list[bytes] = []
        self.body_bytes = 0
        self.dropped = False

    @property
    def truncated(self) -> bool:
        return self.body_bytes > self._limit and not self.dropped

    def add(self, piece: bytes) -> None:
        before = self.body_bytes
        self.body_bytes = before + len(piece)
        if self.body_bytes > self._limit:
            piece = piece[: max(0, self._limit - before)]
        if self.dropped:
            return
        if len(piece) > self._space.free_bytes:
            self.release()
            self.dropped = True
            return
        self._space.free_bytes -= len(piece)
        self._pieces.append(piece)

    def bytes(self) -> bytes:
        return b"".join(self._pieces)

    def release(self) -> None:
        """Gives the space back; nothing is held any more."""
        self._space.free_bytes += sum(map(len, self._pieces))
        self._pieces.clear()


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
        "request_id",
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
        event = ExchangeEvent(request=self._request(), response=self._response(ending, at_s))
        self.body.release()
        self.answer.release()
        return event

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
            content_type=_text(notes, b"content-type"),
            content_encoding=_text(notes, b"content-encoding"),
            body=self.body.bytes(),
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
            content_type=_text(notes, b"content-type"),
            content_encoding=_text(notes, b"content-encoding"),
            body=self.answer.bytes(),
            body_bytes=self.answer.body_bytes,
        )


def whole_milliseconds(moment: datetime) -> datetime:
    """`moment` cut to milliseconds, as it is part of a row's identity and stored so."""
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def _text(notes: Mapping[bytes, bytes], name: bytes) -> str:
    return notes[name].decode("latin-1") if name in notes else ""
