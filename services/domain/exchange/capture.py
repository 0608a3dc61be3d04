"""One exchange in progress: chunks and timestamps are collected, and become one event at the end."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from schemas.attempts import AttemptPolicy
from schemas.cache import CachePolicy
from schemas.event import ExchangeEvent, Outcome, ProviderAccount, RequestEvent, RequestTags, ResponseEvent
from schemas.limit import RateLimit, Spent
from schemas.timestamps import whole_milliseconds
from services.domain.attribution.account import provider_request_id, response_account
from services.domain.exchange.captured_body import CapturedBody, CaptureSpace
from services.domain.exchange.headers import NO_FRAMING, Head
from services.domain.exchange.sse import ends_stream
from services.domain.exchange.target import Target

TAIL_BYTES: Final = 64 * 2**10  # of a response that is larger than the capture limit, kept beside its beginning
_TRACEPARENT_BYTES: Final = 256  # a valid one of today has 55, and later versions may have more
LAST_EVENT_BYTES: Final = 2**20  # of a stream's end, searched for its last event: OpenAI's may hold the whole response


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt whose response, if there was any, the client does not get."""

    outcome: Outcome
    began_s: float  # on the monotonic clock
    status: int | None = None
    framing_headers: Mapping[bytes, bytes] = NO_FRAMING
    account_headers: Mapping[bytes, bytes] = NO_FRAMING
    body: bytes = b""
    body_bytes: int = 0


class RecordedAttempt(NamedTuple):
    event: ExchangeEvent | None  # None where nobody is told what it has spent
    durable: Awaitable[None] | None  # None where the event log failed to take it


class Capture:
    """The only mutable value of the vocabulary. It belongs to one exchange and finishes exactly once."""

    __slots__ = (
        "_created_at",
        "_finished",
        "_first_byte_s",
        "_head",
        "_method",
        "_proxy_id",
        "_response_account",
        "_response_framing",
        "_status",
        "_tags",
        "_target",
        "account",
        "added_headers",
        "attempts",
        "began_s",
        "body",
        "cache",
        "cache_reference_id",
        "drained",
        "fell_back",
        "key_id",
        "limit",
        "organization_id",
        "refused",
        "release_attempt",
        "request_id",
        "request_sent",
        "reserved_nano",
        "response",
        "retry",
        "sent_model",
        "settle",
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
        account: ProviderAccount,
        proxy_id: str,
        limit: int,
        space: CaptureSpace,
        cache: CachePolicy | None = None,
    ) -> None:
        """`created_at` is when the request began; `began_s` is the same on the monotonic clock. `cache` is what the
        request wants of the response cache."""
        self.organization_id, self.key_id = organization_id, key_id
        self.request_id = request_id
        self._created_at = whole_milliseconds(created_at)
        self.began_s = began_s
        self._method, self._target, self._tags = method, target, tags
        self.account, self._proxy_id = account, proxy_id
        self._head = head
        self.body = CapturedBody(limit, space)
        self.response = CapturedBody(limit, space, TAIL_BYTES)
        self._first_byte_s: float | None = None
        self._status: int | None = None
        self._response_framing: Mapping[bytes, bytes] = NO_FRAMING
        self._response_account: Mapping[bytes, bytes] = NO_FRAMING
        self.request_sent = True
        self._finished = self.drained = self.usage_injected = False
        self.cache = cache
        self.cache_reference_id: str | None = None  # the request whose response this one gets from the cache
        self.added_headers: Sequence[tuple[bytes, bytes]] = ()  # to those of the response
        self.limit: RateLimit | None = None  # that the request wants
        self.refused = False  # the response is Farebox's own
        self.settle: Sequence[Callable[[Spent], Awaitable[None] | None]] = ()  # to be told what the exchange has spent
        self.reserved_nano = 0  # that budgets hold for the attempt under way
        self.release_attempt: Callable[[], None] | None = None  # where an attempt before the last one was free
        self.retry: AttemptPolicy | None = None  # that the request wants
        self.fell_back = False  # another target than the first one responds, or a cheaper model than the client's
        self.sent_model = ""  # in the place of the client's
        self.attempts: Sequence[RecordedAttempt] = ()  # before the one that responds, those that may have been billed

    def part(self, request_id: str, began_s: float, tags: RequestTags, head: Head) -> "Capture":
        """A POST of its own on the connection that this request began, from `began_s` on the monotonic clock."""
        part = copy(self)
        part._created_at, part._head = whole_milliseconds(self.timestamp_at(began_s)), head  # noqa: SLF001
        part._method, part._tags = b"POST", tags  # noqa: SLF001  # of this very class
        part.request_id, part.began_s = request_id, began_s
        part.body, part.response = self.body.another(), self.response.another()
        return part

    def note_rate_limited(self) -> None:
        """The row says why, as Helicone's does."""
        self.note({"Helicone-Rate-Limit-Status": "bucket_rate_limited"})

    def retarget(self, target: Target, head: Head, account: ProviderAccount) -> None:
        """From now on the request goes to `target`, with `head`."""
        self._target, self._head, self.account, self.fell_back = target, head, account, True

    def replace_body(self, body: bytes) -> None:
        """What is sent in the place of what the client sent."""
        self.body.take()
        self.body.body_bytes, self.body.dropped = 0, False
        self.body.add(body)

    def response_head(
        self, status: int, framing_headers: Mapping[bytes, bytes], account_headers: Mapping[bytes, bytes] = NO_FRAMING
    ) -> None:
        self._status = status
        self._response_framing = framing_headers
        self._response_account = account_headers

    def note(self, properties: Mapping[str, str]) -> None:
        """The row has these too, such as which budget acted on the request, and how."""
        self._tags = replace(self._tags, properties={**self._tags.properties, **properties})

    def begin_session(self) -> None:
        """What comes on the connection that this request opens is one session, unless its client names another."""
        self._tags = replace(self._tags, session_id=self._tags.session_id or self.request_id)

    def set_model_override_aside(self) -> None:
        """The request is priced by the model that responds, whatever its client says."""
        self._tags = replace(self._tags, model_override=None)

    @property
    def created_at(self) -> datetime:
        return self._created_at

    @property
    def tags(self) -> RequestTags:
        return self._tags

    @property
    def target(self) -> Target:
        return self._target

    @property
    def head(self) -> Head:
        """Of the request."""
        return self._head

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
        if outcome is Outcome.COMPLETED and self.cache_reference_id is not None:
            outcome = Outcome.CACHED
        elif self.refused and outcome is Outcome.PROVIDER_ERROR:
            outcome = Outcome.REFUSED
        recorded_at = self._created_at + timedelta(seconds=at_s - self.began_s)
        body, _ = self.body.take()
        request = self._request(body, self.request_id, self._created_at)
        return ExchangeEvent(request=request, response=self._response(outcome, at_s), recorded_at=recorded_at)

    def failed_attempt(self, failed: FailedAttempt, request_id: str, at_s: float) -> ExchangeEvent:
        """The event of an attempt that ended at `at_s`, and that another one follows."""
        created_at, framing = self.timestamp_at(failed.began_s), failed.framing_headers
        request = self._request(self.body.held(), request_id, created_at)
        response = ResponseEvent(
            outcome=failed.outcome,
            status=failed.status,
            latency_ms=round((at_s - failed.began_s) * 1000),
            content_type=framing.get(b"content-type", b"").decode("latin-1"),
            content_encoding=framing.get(b"content-encoding", b"").decode("latin-1"),
            body=failed.body,
            body_bytes=failed.body_bytes,
            account=response_account(self._target.provider, failed.account_headers),
            provider_request_id=provider_request_id(self._target.provider, failed.account_headers),
            usage_injected=self.usage_injected,
        )
        return ExchangeEvent(
            request=replace(request, attempt_of=self.request_id),
            response=response,
            recorded_at=self.timestamp_at(at_s),
        )

    def timestamp_at(self, at_s: float) -> datetime:
        """Of a time on the monotonic clock, in whole milliseconds."""
        return whole_milliseconds(self._created_at + timedelta(seconds=at_s - self.began_s))

    def _request(self, body: bytes, request_id: str, created_at: datetime) -> RequestEvent:
        framing = self._head.framing_headers
        return RequestEvent(
            organization_id=self.organization_id,
            key_id=self.key_id,
            account=self.account,
            proxy_id=self._proxy_id,
            request_id=request_id,
            created_at=created_at,
            provider=self._target.provider,
            method=self._method.decode("ascii"),
            target_url=self._target.url,
            tags=self._tags,
            content_type=framing.get(b"content-type", b"").decode("latin-1"),
            content_encoding=framing.get(b"content-encoding", b"").decode("latin-1"),
            body=body,
            body_bytes=self.body.body_bytes,
            sent_model=self.sent_model,
            reserved_nano=self.reserved_nano,
            traceparent=framing.get(b"traceparent", b"")[:_TRACEPARENT_BYTES].decode("latin-1"),
        )

    def _response(self, outcome: Outcome, at_s: float) -> ResponseEvent:
        framing, account = self._response_framing, self._response_account
        first = self._first_byte_s
        body, tail = self.response.take()
        return ResponseEvent(
            outcome=outcome,
            status=self._status,
            latency_ms=round((at_s - self.began_s) * 1000),
            first_byte_ms=None if first is None else round((first - self.began_s) * 1000),
            content_type=framing.get(b"content-type", b"").decode("latin-1"),
            content_encoding=framing.get(b"content-encoding", b"").decode("latin-1"),
            body=body,
            body_tail=tail,
            body_bytes=self.response.body_bytes,
            account=response_account(self._target.provider, account),
            cache_reference_id=self.cache_reference_id,
            provider_request_id=provider_request_id(self._target.provider, account),
            request_sent=self.request_sent,
            drained=self.drained,
            usage_injected=self.usage_injected,
        )


def beginning_and_end(body: bytes, limit: int) -> tuple[bytes, bytes]:
    """What the proxy would have captured of a whole response: its first bytes, and its last."""
    return body[:limit], body[max(limit, len(body) - TAIL_BYTES) :]
