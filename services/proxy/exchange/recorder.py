"""Records exchanges: a capture is opened when a request is admitted, and closed into one published event."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic

import msgspec

from schemas.event import Outcome
from schemas.key import KeyOwner
from schemas.timestamps import whole_milliseconds
from services.domain.exchange.capture import Capture, CaptureSpace
from services.domain.exchange.headers import Head, parse_helicone_headers
from services.domain.exchange.routes import Target
from services.ports import EventSink
from services.proxy.exchange.request_ids import GivenIds
from services.telemetry import Metrics

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
        capture_bytes: int,
        capture_total_bytes: int,
    ) -> None:
        """`draw_id` makes a request id from the request's timestamp; `capture_bytes` is the limit of each body."""
        self._sink = sink
        self._metrics = metrics
        self._draw_id = draw_id
        self._capture_bytes = capture_bytes
        self._space = CaptureSpace(capture_total_bytes)
        self._given = GivenIds()

    def open(self, request: Request, owner: KeyOwner) -> Capture:
        organization_id = owner.organization_id
        tags, request_id = parse_helicone_headers(request.head.helicone_headers)
        if request_id and not self._given.is_new(organization_id, request_id, whole_milliseconds(request.created_at)):
            self._metrics.add("proxy_ids_replaced_total")
            request_id = None
        return Capture(
            organization_id=organization_id,
            key_id=owner.key_id,
            request_id=request_id or self._draw_id(request.created_at),
            created_at=request.created_at,
            began_s=request.began_s,
            method=request.method,
            target=request.target,
            head=request.head,
            tags=tags,
            limit=self._capture_bytes,
            space=self._space,
        )

    def close(self, capture: Capture, outcome: Outcome) -> Awaitable[None] | None:
        """Publishes the event, without waiting. None when the event log failed to take it."""
        event = capture.finish(outcome, monotonic())
        for body in (capture.body, capture.response):
            if body.dropped:
                self._metrics.add("proxy_bodies_dropped_total")
            elif body.truncated:
                self._metrics.add("proxy_bodies_truncated_total")
        try:
            return self._sink.publish(event)
        except Exception:
            # A fault of the log must not reach clients, who are owed their response.
            logger.exception("an event was not taken by the event log")
            self._metrics.add("log_lost_total")
            return None
