"""What the event log carries: `python -m tests.bench.log [SECONDS]`.

Events of 3 KB are published from one event loop, at a steady rate and as fast as they are taken, first into the
journal and then into Kafka; durability is the time from `publish` to its promise. Then one source takes all of them.
The line of raw SQLite is a loop of bare inserts of the same groups, compressed, with the same guarantees.
"""

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import NamedTuple

import uvloop
from rich.console import Console
from rich.table import Table

from schemas.event import ExchangeEvent, encode_event
from services.ports.log import EventSink, EventSource
from services.stores.journal.file import open_journal, pack_segment
from tests.builders.records import an_event, chat_response
from tests.servers.clickhouse import NoServer
from tests.servers.kafka import kafka_server
from tests.support.logs import InJournal, InKafka, request_id

RATES = (1_000, 10_000, 30_000, None)
UNSETTLED = 20_000  # as fast as possible, with no more than these on their way
GROUP = 300  # what a group holds at 30,000 events a second


class Line(NamedTuple):
    log: str
    load: str
    per_s: float
    p50_ms: float | None
    p99_ms: float | None
    worst_ms: float | None
    taken_per_s: float | None


def some_events() -> list[ExchangeEvent]:
    """About 3 KB each, their words drawn at random: real prompts compress better."""
    words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(2, 9))) for _ in range(5000)]
    return [
        an_event(
            request_id=request_id(number),
            request_body=" ".join(random.choices(words, k=160)).encode(),
            response_body=chat_response() + " ".join(random.choices(words, k=210)).encode(),
        )
        for number in range(1000)
    ]


async def publish(sink: EventSink, events: list[ExchangeEvent], rate: int | None, seconds: float) -> tuple[int, float]:
    """How many were published, and how long that took until the last was durable."""
    promises: deque[Awaitable[None]] = deque()
    started_s = time.perf_counter()
    count = 0
    while (elapsed_s := time.perf_counter() - started_s) < seconds:
        due = int(rate * elapsed_s) - count if rate else 100
        for _ in range(min(due, 100)):
            promises.append(sink.publish(events[count % len(events)]))
            count += 1
        while len(promises) > UNSETTLED:
            await promises.popleft()
        await asyncio.sleep(0 if due > 100 or not rate else 0.001)
    for promise in promises:
        await promise
    return count, time.perf_counter() - started_s


async def probe(sink: EventSink, event: ExchangeEvent, latencies_ms: list[float]) -> None:
    while True:
        started_s = time.perf_counter()
        await sink.publish(event)
        latencies_ms.append(1000 * (time.perf_counter() - started_s))
        await asyncio.sleep(0.005)


async def take_all(source: EventSource, count: int) -> float:
    """Entries a second."""
    taken = len(await source.take(max_events=1, max_bytes=1, wait_s=30))
    started_s = time.perf_counter()
    first = taken
    while taken < count:
        taken += len(await source.take(max_events=20_000, max_bytes=16 * 2**20, wait_s=5))
        await source.commit()
    return (taken - first) / (time.perf_counter() - started_s)


async def measure(name: str, log: InJournal | InKafka, rate: int | None, seconds: float) -> Line:
    events = some_events()
    latencies_ms: list[float] = []
    sink = await log.sink()
    await sink.publish(events[0])
    probing = asyncio.ensure_future(probe(sink, events[0], latencies_ms))
    count, took_s = await publish(sink, events, rate, seconds)
    probing.cancel()
    await sink.close()
    source = await log.source()
    taken_per_s = await take_all(source, log.metrics.get("log_published_total"))
    await source.close()
    latencies_ms.sort()
    load = f"{rate:,}/s" if rate else "full"
    p99_ms = latencies_ms[int(0.99 * len(latencies_ms))]
    p50_ms, worst_ms = latencies_ms[len(latencies_ms) // 2], latencies_ms[-1]
    return Line(name, load, count / took_s, p50_ms, p99_ms, worst_ms, taken_per_s)


def raw_sqlite(folder: Path, seconds: float) -> Line:
    payloads = [encode_event(event) for event in some_events()[:GROUP]]
    connection = open_journal(folder / "raw.sqlite")
    took_ms: list[float] = []
    started_s = time.perf_counter()
    while time.perf_counter() - started_s < seconds:
        group_s = time.perf_counter()
        connection.execute("INSERT INTO segment VALUES (NULL, 0, ?, 0, ?)", (GROUP, pack_segment(payloads)))
        took_ms.append(1000 * (time.perf_counter() - group_s))
    per_s = GROUP * len(took_ms) / (time.perf_counter() - started_s)
    connection.close()
    took_ms.sort()
    p50_ms, p99_ms = took_ms[len(took_ms) // 2], took_ms[int(0.99 * len(took_ms))]
    return Line("raw SQLite", "full", per_s, p50_ms, p99_ms, took_ms[-1], None)


async def lines(folder: Path, kafka: str | None, seconds: float) -> AsyncIterator[Line]:
    yield raw_sqlite(folder, seconds)
    for rate in RATES:
        yield await measure("journal", InJournal(folder / f"{rate}.sqlite"), rate, seconds)
    for rate in RATES if kafka else ():
        fresh = await InKafka.fresh(kafka or "", folder, partitions=12)
        yield await measure("Kafka", fresh, rate, seconds)


async def main(seconds: float) -> None:
    table = Table("log", "published", "events/s", "durable p50 ms", "p99 ms", "worst ms", "taken/s")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = None
        try:
            kafka = stack.enter_context(kafka_server())
        except NoServer as reason:
            print(f"without Kafka: {reason}")
        async for line in lines(folder, kafka, seconds):
            figures = (line.per_s, line.p50_ms, line.p99_ms, line.worst_ms, line.taken_per_s)
            table.add_row(line.log, line.load, *("" if figure is None else f"{figure:,.1f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0))
