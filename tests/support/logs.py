"""Event logs for tests: every adapter behind one face, and what stories about them need."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from schemas.event import DeadLetter, Delivery, ExchangeEvent, decode_event
from services.ports.log import EventSink, EventSource, LogSink
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.kafka.client import dead_letters_topic
from services.stores.kafka.sink import KafkaSink, SinkLimits
from services.stores.kafka.source import KafkaSource
from services.stores.kafka.topics import create_topics
from services.stores.memory import MemoryLog, MemorySink, MemorySource
from services.telemetry.metrics import Metrics
from tests.builders.records import an_event

T = TypeVar("T")


class EventLog(Protocol):
    """One fresh log; any number of ends on it."""

    metrics: Metrics

    async def sink(self) -> LogSink: ...

    async def source(self) -> EventSource: ...

    async def dead_letters(self) -> list[DeadLetter]: ...


class InMemory:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self._log = MemoryLog()

    async def sink(self) -> LogSink:
        return MemorySink(self._log, metrics=self.metrics)

    async def source(self) -> EventSource:
        return MemorySource(self._log)

    async def dead_letters(self) -> list[DeadLetter]:
        return list(self._log.dead_letters.values())


class InJournal:
    def __init__(self, path: Path) -> None:
        self.metrics = Metrics()
        self.path = path

    async def sink(self) -> LogSink:
        return JournalSink(self.path, metrics=self.metrics)

    async def source(self) -> EventSource:
        return JournalSource(self.path)

    async def dead_letters(self) -> list[DeadLetter]:
        rows = journal_rows(
            self.path, "SELECT payload, position, code, reason FROM dead_letter ORDER BY dead_lettered_at_ms"
        )
        return [DeadLetter(payload=row[0], position=row[1], code=row[2], reason=row[3]) for row in rows]


class InKafka:
    def __init__(self, brokers: str, spill: Path, *, prefix: str) -> None:
        self.metrics = Metrics()
        self.brokers = brokers
        self.spill = spill
        self.prefix = prefix

    @classmethod
    async def fresh(cls, brokers: str, folder: Path, *, partitions: int = 3) -> "InKafka":
        """With topics of which no other test knows."""
        log = cls(brokers, folder / "spill.sqlite", prefix=f"test-{uuid.uuid4().hex}")
        await create_topics(brokers, partitions=partitions, replication=1, retention_hours=1, prefix=log.prefix)
        return log

    async def sink(self, limits: SinkLimits = SinkLimits()) -> LogSink:  # noqa: B008  # a frozen value
        return await KafkaSink.open(
            self.brokers, spill=self.spill, metrics=self.metrics, prefix=self.prefix, limits=limits
        )

    async def source(self) -> EventSource:
        return await KafkaSource.open(self.brokers, group=f"{self.prefix}-workers", prefix=self.prefix)

    async def dead_letters(self) -> list[DeadLetter]:
        consumer = AIOKafkaConsumer(
            dead_letters_topic(self.prefix), bootstrap_servers=self.brokers, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            fetched = await consumer.getmany(timeout_ms=3000)
        finally:
            await consumer.stop()
        return [_dead_letter(record) for records in fetched.values() for record in records]


def _dead_letter(record: ConsumerRecord) -> DeadLetter:
    headers = {name: value.decode() for name, value in record.headers}
    return DeadLetter(payload=record.value or b"", **headers)


def journal_rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What a connection that knows nothing of ours finds in the file."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def events(count: int, *, first: int = 0, organization_id: str = "org-1", body: bytes = b"{}") -> list[ExchangeEvent]:
    """`count` events with ids that follow each other."""
    return [
        an_event(request_id=request_id(number), organization_id=organization_id, request_body=body)
        for number in range(first, first + count)
    ]


def request_id(number: int) -> str:
    return f"01932c07-2a00-7000-8000-{number:012d}"


def ids_of(entries: Sequence[Delivery] | Sequence[ExchangeEvent]) -> list[str]:
    return [
        (decode_event(entry.payload) if isinstance(entry, Delivery) else entry).request.request_id for entry in entries
    ]


async def within(seconds: float, what: str, work: Awaitable[T]) -> T:
    """What `work` returns. Fails when it takes longer, and says what every task is waiting for.

    It leaves `work` alone then: to wait for the end of what does not end would be to hang with it.
    """
    task = asyncio.ensure_future(work)
    await asyncio.wait((task,), timeout=seconds)
    if not task.done():
        places = sorted(_place(other) for other in asyncio.all_tasks())
        pytest.fail("\n".join([f"not within {seconds} s: {what}; tasks:", *places]), pytrace=False)
    return await task


def _place(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    where = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "done"
    return f"  {getattr(task.get_coro(), '__qualname__', task.get_name())} at {where}"


async def publish_all(sink: EventSink, published: Sequence[ExchangeEvent]) -> None:
    """Returns when all are durable."""
    await within(60, "all published events are durable", _all_durable([sink.publish(event) for event in published]))


async def _all_durable(promises: Sequence[Awaitable[None]]) -> None:
    for promise in promises:
        await promise


async def close_all(*ends: EventSink | EventSource) -> None:
    """Closes them in this order."""
    for end in ends:
        await within(45, f"a {type(end).__name__} closes", end.close())


def assert_nothing_lost(log: EventLog, count: int) -> None:
    assert (log.metrics.get("log_durable_total"), log.metrics.get("log_lost_total")) == (count, 0)


async def take_count(source: EventSource, count: int, *, within_s: float = 20.0) -> list[Delivery]:
    """Takes until `count` entries came, or what came until the time is up."""
    deadline_s = time.monotonic() + within_s
    taken: list[Delivery] = []
    while len(taken) < count and time.monotonic() < deadline_s:
        taking = source.take(max_events=10_000, max_bytes=2**24, wait_s=0.5)
        taken += await within(45, "a take ends", taking)
    return taken


async def take_rest(source: EventSource) -> list[Delivery]:
    """What still comes when nothing should."""
    await asyncio.sleep(0.05)
    return list(await source.take(max_events=10_000, max_bytes=2**24, wait_s=0.2))
