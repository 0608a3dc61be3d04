"""Sends each call as a span of OpenTelemetry, and sums of all as metrics, to a receiver that an operator names.

Rows are handed over once they are inserted, with exact usage and cost, and nothing waits for the receiver: what it does
not take in time is dropped, the oldest first, and counted. A row that is inserted again is the same span again, and in
the metrics once more.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from schemas.errors import Unavailable
from schemas.timestamps import unix_us
from services.domain.gen_ai import protobuf
from services.domain.gen_ai.call import has_usage, model_call
from services.domain.gen_ai.metrics import CallMetrics
from services.domain.gen_ai.span import encode_span, encode_traces
from services.domain.pricing.billable import path_generates
from services.ports.clock import Clock
from services.ports.otlp import Signal, TelemetryReceiver
from services.retry import Backoff, RetryPolicy
from services.telemetry.metrics import Metrics
from services.worker.rows import Row
from services.worker.span_queue import MAX_BYTES, SpanQueue

SPANS_EVERY_S: Final = 1.0
METRICS_EVERY_S: Final = 60.0
OLDEST: Final = timedelta(hours=1)  # of a call: a log that is read again is no news
LEAVE_S: Final = 3.0
SERVICE: Final = "farebox"

_RETRY: Final = RetryPolicy(first_delay_s=1.0, last_delay_s=30.0)

logger = logging.getLogger("farebox.worker")


class OtlpExport:
    """Of one worker. `take` is called by the worker, `run` beside it."""

    def __init__(
        self,
        receiver: TelemetryReceiver,
        *,
        resource: Mapping[str, str],
        clock: Clock,
        metrics: Metrics,
        metrics_every_s: float = METRICS_EVERY_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`resource`: attributes of who sends. `max_bytes`: of spans, while the receiver is slow."""
        self._receiver = receiver
        self._clock = clock
        self._metrics = metrics
        self._resource = protobuf.attributes(1, {"service.name": SERVICE, **resource})
        self._scope = protobuf.text(1, SERVICE)
        self._waiting = SpanQueue(max_bytes)
        self._sending: Sequence[bytes] = ()  # what the receiver has not taken yet
        self._sums = CallMetrics(_unix_ns(clock.now()))
        self._sums_lock = threading.Lock()
        self._metrics_every_s = metrics_every_s

    async def take(self, rows: Sequence[Row]) -> None:
        """Never fails, and waits for nobody outside."""
        try:
            dropped = await asyncio.to_thread(self._take, rows, self._clock.now())
        except Exception:  # a bug of ours, which must not end the worker
            logger.exception("calls cannot be sent to the receiver of OpenTelemetry")
        else:
            self._metrics.add("worker_otlp_dropped_total", dropped)

    def _take(self, rows: Sequence[Row], now: datetime) -> int:
        """In a thread. How many spans were dropped."""
        dropped = 0
        for row in rows:
            call = model_call(row.record)
            if call is None or not _generates(row):
                continue
            if now - row.record.response_created_at > OLDEST:
                dropped += 1
                continue
            if self._receiver.wants(Signal.METRICS):
                with self._sums_lock:
                    self._sums.add(row.record, call)
            span = encode_span(row.record, call, row.traceparent) if self._receiver.wants(Signal.TRACES) else None
            if span is not None:
                dropped += self._waiting.add(span)
        return dropped

    async def run(self) -> None:
        """Until it is cancelled; then what waits is sent, if that takes no longer than `LEAVE_S`.

        Each signal by itself: their receivers may be two.
        """
        try:
            await asyncio.gather(
                _repeat(self._send_spans, SPANS_EVERY_S, "spans wait, and some are dropped"),
                _repeat(self._send_sums, self._metrics_every_s, "metrics are sent later"),
            )
        finally:
            await asyncio.gather(_leave(self._send_spans), _leave(self._send_sums))

    async def _send_spans(self) -> None:
        """Raises: Unavailable."""
        while spans := self._sending or self._waiting.take():
            self._sending = spans
            is_taken = await self._receiver.send(Signal.TRACES, encode_traces(self._resource, self._scope, spans))
            self._metrics.add("worker_otlp_sent_total" if is_taken else "worker_otlp_dropped_total", len(spans))
            self._sending = ()

    async def _send_sums(self) -> None:
        """Raises: Unavailable."""
        with self._sums_lock:
            export = self._sums.encode(self._resource, self._scope, _unix_ns(self._clock.now()))
        if export is not None:
            await self._receiver.send(Signal.METRICS, export)


def _generates(row: Row) -> bool:
    """Whether a model was called for it, and not only something read or managed."""
    record = row.record
    return path_generates(row.method, record.provider, record.target_url, has_usage=has_usage(record))


async def _repeat(send: Callable[[], Awaitable[None]], every_s: float, meanwhile: str) -> None:
    """Sends each `every_s`, and later where that fails: `meanwhile` says what happens then."""
    message = f"the receiver of OpenTelemetry is unavailable: {meanwhile}"
    backoff, wait_s = Backoff(_RETRY, logger, message), every_s
    while True:
        await asyncio.sleep(wait_s)
        try:
            await send()
            backoff, wait_s = Backoff(_RETRY, logger, message), every_s
        except Unavailable as error:
            wait_s = backoff.failed(error) or 0
        except Exception:  # a bug of ours, as above
            wait_s = every_s
            logger.exception("nothing can be sent to the receiver of OpenTelemetry")


async def _leave(send: Callable[[], Awaitable[None]]) -> None:
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(LEAVE_S):
            await send()


def _unix_ns(timestamp: datetime) -> int:
    return unix_us(timestamp) * 1000
