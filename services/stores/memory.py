"""EventSink, EventSource and Clock without any outside system: the reference that the real adapters are held to."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta

from schemas.errors import BrokerUnavailable
from schemas.event import DeadLetter, Delivery
from schemas.log_entry import LogEntry, encode_entry
from services.stores.durability import DurabilityAck
from services.telemetry.metrics import Metrics

POLL_S = 0.005


class MemoryLog:
    """What a broker would keep: entries in order, dead letters, and where each consumer stands."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.dead_letters: dict[str, DeadLetter] = {}
        self.committed: dict[str, int] = {}
        self.live: set[str] = set()


class MemorySink:
    """An EventSink on a MemoryLog. As durable as the process is."""

    def __init__(self, log: MemoryLog, *, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self._closed = False

    def publish(self, event: LogEntry) -> Awaitable[None]:
        self._metrics.add("log_published_total")
        ack = DurabilityAck(asyncio.get_running_loop())
        if self._closed:
            self._metrics.add("log_lost_total")
            ack.fail(BrokerUnavailable("memory log is closed"))
        else:
            self._log.entries.append(encode_entry(event))
            self._metrics.add("log_durable_total")
            ack.settle()
        return ack

    async def close(self) -> None:
        self._closed = True


class MemorySource:
    """An EventSource on a MemoryLog, for the only live consumer called `consumer`."""

    def __init__(self, log: MemoryLog, *, consumer: str = "farebox-workers") -> None:
        """Raises: BrokerUnavailable when another `consumer` is alive."""
        if consumer in log.live:
            raise BrokerUnavailable(f"memory log already has a live consumer {consumer!r}")
        log.live.add(consumer)
        self._log = log
        self._consumer = consumer
        self._taken = log.committed.get(consumer, 0)

    async def take(self, *, max_events: int, max_bytes: int, wait_s: float) -> Sequence[Delivery]:
        deadline_s = time.monotonic() + wait_s
        while True:
            deliveries = self._next(max_events, max_bytes)
            left_s = deadline_s - time.monotonic()
            if deliveries or left_s <= 0:
                return deliveries
            await asyncio.sleep(min(POLL_S, left_s))

    def _next(self, max_events: int, max_bytes: int) -> list[Delivery]:
        deliveries: list[Delivery] = []
        size_bytes = 0
        while self._taken < len(self._log.entries) and len(deliveries) < max_events and size_bytes < max_bytes:
            payload = self._log.entries[self._taken]
            deliveries.append(Delivery(payload=payload, position=f"memory:{self._taken}"))
            size_bytes += len(payload)
            self._taken += 1
        return deliveries

    async def commit(self) -> None:
        self._log.committed[self._consumer] = self._taken

    async def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self._log.dead_letters.update((letter.position, letter) for letter in letters)

    async def backlog(self) -> int:
        """Entries that this consumer has not committed."""
        return len(self._log.entries) - self._log.committed.get(self._consumer, 0)

    async def close(self) -> None:
        self._log.live.discard(self._consumer)


class ManualClock:
    """A Clock that moves only by `advance`."""

    def __init__(self, timestamp: datetime) -> None:
        self._now = timestamp

    def now(self) -> datetime:
        return self._now

    def advance(self, *, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
