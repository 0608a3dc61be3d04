"""What a sink returns from `publish`, and how it accounts for events that it had to give up."""

import asyncio
import logging
import time
from collections.abc import Generator
from typing import Any

from schemas.errors import BrokerUnavailable
from services.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

LOSS_LOG_INTERVAL_S = 10.0


class DurabilityAck:
    """Awaiting it waits until one or more events are durable. One ack serves a whole group of events.

    Raises: BrokerUnavailable when they were given up.
    """

    __slots__ = ("_future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._future: asyncio.Future[None] = loop.create_future()

    def settle(self) -> None:
        self._future.set_result(None)

    def fail(self, error: BrokerUnavailable) -> None:
        self._future.set_exception(error)
        self._future.exception()  # seen: asyncio need not complain where the ack was dropped

    def __await__(self) -> Generator[Any, Any, None]:
        # Waiting beside the future, not on it: a cancelled client would cancel it for the whole group.
        if not self._future.done():
            yield from asyncio.wait((self._future,)).__await__()
        self._future.result()


class LossReporter:
    """Counts every event given up; logs the first at once and the rest once per interval."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._unlogged = 0
        self._next_log_s = 0.0

    def add(self, count: int, error: BrokerUnavailable) -> None:
        self._metrics.add("log_lost_total", count)
        self._unlogged += count
        now_s = time.monotonic()
        if now_s >= self._next_log_s:
            self._next_log_s = now_s + LOSS_LOG_INTERVAL_S
            self.log(str(error))

    def left_over(self, count: int, error: BrokerUnavailable) -> None:
        """Events that were given up and are in the intake: whoever opens the log next makes them durable."""
        if count:
            extra = {"count": count, "reason": str(error)}
            logger.warning("events are not durable yet: the next start takes them over", extra=extra)

    def log(self, reason: str) -> None:
        """Logs what was not logged yet, if anything."""
        if self._unlogged:
            logger.error("events lost", extra={"count": self._unlogged, "reason": reason})
            self._unlogged = 0
