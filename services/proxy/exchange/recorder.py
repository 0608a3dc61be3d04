"""Records exchanges: a capture is opened when a request is admitted, and closed into one published event."""

import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

import msgspec
from msgspec.structs import replace

from schemas.cache import CachePolicy
from schemas.event import ExchangeEvent, Outcome, ProviderAccount, RequestTags
from schemas.key import KeyOwner
from schemas.limit import RateLimit
from schemas.omission import Omission
from schemas.timestamps import whole_milliseconds
from services.domain.attribution.account import request_account
from services.domain.attribution.key_tags import with_key_tags
from services.domain.cache.policy import asks_for_cache, cache_policy
from services.domain.exchange.capture import Capture, FailedAttempt, RecordedAttempt
from services.domain.exchange.captured_body import CaptureSpace
from services.domain.exchange.headers import Head, parse_helicone_headers
from services.domain.exchange.target import Target
from services.domain.limits.policy import LimitNotApplicable, limit_of
from services.domain.resilience.billed import may_be_billed
from services.domain.resilience.retry_policy import retry_policy
from services.ports.log import EventSink
from services.ports.upstream import Headers
from services.proxy.exchange.attribution import Attribution
from services.proxy.exchange.key_concurrency import KeyConcurrency
from services.proxy.exchange.request_ids import GivenIds
from services.proxy.exchange.spend import SpendReader
from services.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose head has come."""

    method: bytes
    target: Target
    head: Head
    created_at: datetime  # when its first byte came, or, of one that was queued, when it was its turn
    began_s: float  # the same on the monotonic clock


class EventRecorder:
    """One for the process."""

    def __init__(
        self,
        *,
        sink: EventSink,
        metrics: Metrics,
        draw_id: Callable[[datetime], str],
        attribution: Attribution,
        capture_bytes: int,
        capture_total_bytes: int,
        omission: Omission = Omission.NONE,
        concurrency: KeyConcurrency | None = None,
        spend: SpendReader | None = None,
        limits_closed: bool = False,
    ) -> None:
        """`draw_id` makes a request id from the request's timestamp; `capture_bytes` is the limit of each body.

        `omission` is the operator's: what is not to be kept is not cached either. `limits_closed`: a request whose
        rate limit cannot be applied is refused.
        """
        self._concurrency = concurrency or KeyConcurrency(0)
        self._spend = spend
        self._limits_closed = limits_closed
        self._sink = sink
        self.metrics = metrics
        self._draw_id = draw_id
        self._attribution = attribution
        self._capture_bytes = capture_bytes
        self._space = CaptureSpace(capture_total_bytes)
        self._omits = omission is not Omission.NONE
        self._given = GivenIds()

    def open(self, request: Request, owner: KeyOwner) -> Capture:
        """Raises: MissingTag where the request lacks what its key requires, InvalidCacheHeader, LimitNotApplicable,
        TooManyRequests.
        """
        organization_id, head, target = owner.organization_id, request.head, request.target
        tags, request_id = parse_helicone_headers(head.helicone_headers)
        if owner.tags is not None:
            tags = with_key_tags(tags, owner.tags, self._attribution.missing_tags)
        cache = self._cache_policy(head, tags) if asks_for_cache(head.helicone_headers) else None
        limit, added = self._limit(head.rate_limit, organization_id, tags) if head.unsupported else (None, ())
        retry = retry_policy(head.retry_headers) if head.unsupported else None
        if cache is not None and target.fallbacks:  # others send other bodies elsewhere
            cache = replace(cache, seed=f"{cache.seed}\0{head.fallbacks}")
        self._concurrency.enter(owner.key_id)
        if request_id and not self._given.is_new(organization_id, request_id, whole_milliseconds(request.created_at)):
            self.metrics.add("proxy_ids_replaced_total")
            request_id = None
        capture = Capture(
            organization_id=organization_id,
            key_id=owner.key_id,
            request_id=request_id or self._draw_id(request.created_at),
            created_at=request.created_at,
            began_s=request.began_s,
            method=request.method,
            target=target,
            head=head,
            tags=tags,
            account=self.account_at(target, head),
            proxy_id=self._attribution.proxy_id,
            limit=self._capture_bytes,
            space=self._space,
            cache=cache,
        )
        capture.limit, capture.retry, capture.added_headers = limit, retry, added
        return capture

    def _limit(self, text: str, organization_id: str, tags: RequestTags) -> tuple[RateLimit | None, Headers]:
        """The limit of a request with the policy `text`, and what its response says where none can be applied."""
        if not text:
            return None, ()
        try:
            return limit_of(text, organization_id, tags), ()
        except LimitNotApplicable as error:
            self.metrics.add("proxy_limit_skipped_total")
            if self._limits_closed:
                raise
            return None, ((b"Helicone-RateLimit-Skipped", error.reason.encode()),)

    def _cache_policy(self, head: Head, tags: RequestTags) -> CachePolicy | None:
        omitted = self._omits or tags.omit_request or tags.omit_response
        return cache_policy(head.helicone_headers, head.forwarded, omitted=omitted)

    def account_at(self, target: Target, head: Head) -> ProviderAccount:
        """On whose account a call to `target` with `head` runs."""
        hash_of = self._attribution.hashes.of_credential
        return request_account(target.provider, head.account_headers, hash_of, target.credential)

    def record_failed(self, capture: Capture, failed: FailedAttempt | None) -> None:
        """Publishes the event of an attempt before the last one of `capture`, where it may have been billed.

        None: not a byte of it left.
        """
        at_s = monotonic()
        event = None
        if failed is not None:
            event = capture.failed_attempt(failed, self._draw_id(capture.timestamp_at(failed.began_s)), at_s)
        capture.reserved_nano = 0  # of the next one
        if event is not None and may_be_billed(event):
            spent = event if capture.settle else None
            capture.attempts = (*capture.attempts, RecordedAttempt(spent, self._publish(event)))
        elif capture.release_attempt is not None:
            capture.release_attempt()

    def close(self, capture: Capture, outcome: Outcome) -> Awaitable[None] | None:
        """Publishes the event, without waiting. What is returned is done when it and those of earlier attempts are
        durable; None when the event log failed to take one of them.
        """
        self.leave(capture)
        return self.publish(capture, outcome)

    def leave(self, capture: Capture) -> None:
        """The connection that `capture` began is over. Its parts have events of their own, so it has none."""
        self._concurrency.leave(capture.key_id)

    def publish(self, capture: Capture, outcome: Outcome) -> Awaitable[None] | None:
        """As `close`, for a part of a capture."""
        event = capture.finish(outcome, monotonic())
        if capture.settle and self._spend is not None:
            self._spend.read([*(one.event for one in capture.attempts if one.event), event], capture.settle)
        for body in (capture.body, capture.response):
            if body.dropped:
                self.metrics.add("proxy_bodies_dropped_total")
            elif body.truncated:
                self.metrics.add("proxy_bodies_truncated_total")
        durable = self._publish(event)
        if not capture.attempts:
            return durable
        known = [one for one in (*(one.durable for one in capture.attempts), durable) if one is not None]
        return _AllDurable(known) if len(known) > len(capture.attempts) else None

    def _publish(self, event: ExchangeEvent) -> Awaitable[None] | None:
        try:
            return self._sink.publish(event)
        except Exception:
            # A fault of the log must not reach clients, who are owed their response.
            logger.exception("an event was not taken by the event log")
            self.metrics.add("log_lost_total")
            return None


class _AllDurable:
    """Awaits the events of all attempts of a request. Clients that do not need to know may drop it."""

    def __init__(self, durable: Sequence[Awaitable[None]]) -> None:
        self._durable = durable

    def __await__(self) -> Generator[Any, None, None]:
        for one in self._durable:
            yield from one.__await__()
