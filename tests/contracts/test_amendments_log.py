"""Amendments in every event log, beside the requests that they are about."""

import asyncio
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.amendment import Amendment
from schemas.event import DeadLetter
from schemas.log_entry import LogEntry, decode_entry, encode_entry
from services.ports.log import EventSource
from services.stores.journal.sink import JournalSink
from services.stores.memory import MemoryLog, MemorySource
from services.telemetry.metrics import Metrics
from services.worker.loop import Flush, run_worker
from tests.builders.price_rows import known
from tests.builders.records import TIMESTAMP, an_event
from tests.contracts.test_worker import InMemoryWarehouse
from tests.support.command_line import farebox
from tests.support.logs import EventLog, InJournal, InKafka, close_all, request_id, take_count

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


def an_amendment(number: int) -> Amendment:
    return Amendment(
        organization_id="org-1",
        request_id=request_id(number),
        amendment_id=str(uuid.UUID(int=number)),
        recorded_at=TIMESTAMP + timedelta(seconds=number),
        scores={"accuracy": number},
    )


async def taken(source: EventSource, count: int) -> list[LogEntry]:
    return [decode_entry(delivery.payload) for delivery in await take_count(source, count)]


async def test_amendments_are_taken_unchanged_and_behind_the_request_that_they_are_about(log: EventLog) -> None:
    sink, source = await log.sink(), await log.source()
    numbers = range(20)
    for number in numbers:
        sink.publish(an_event(request_id=request_id(number), organization_id="org-1"))
    for number in numbers:
        await sink.publish(an_amendment(number))
    entries = await taken(source, 2 * len(numbers))
    assert {entry.request_id: entry for entry in entries if isinstance(entry, Amendment)} == {
        request_id(number): an_amendment(number) for number in numbers
    }
    for number in numbers:
        kinds = [type(entry).__name__ for entry in entries if request_id(number) in str(entry)]
        assert kinds == ["ExchangeEvent", "Amendment"]
    assert log.metrics.get("log_durable_total") == 40
    await close_all(sink, source)


async def test_an_amendment_that_waits_for_kafka_in_a_file_travels_on(kafka: str, tmp_path: Path) -> None:
    log = await InKafka.fresh(kafka, tmp_path)
    spill = JournalSink(log.spill, metrics=Metrics())
    await spill.append(encode_entry(an_amendment(1)))
    await spill.close()
    sink, source = await log.sink(), await log.source()
    assert await taken(source, 1) == [an_amendment(1)]
    await close_all(source, sink)


async def test_an_amendment_that_nobody_can_store_is_dead_lettered_and_the_rest_goes_on() -> None:
    class Kept(InMemoryWarehouse):
        amendments: object = ()

        async def keep_amendments(self, amendments: object) -> None:
            self.amendments = amendments

    log, warehouse, stop = MemoryLog(), Kept(), asyncio.Event()
    broken = Amendment(organization_id="org-1", request_id="none", amendment_id="none", recorded_at=TIMESTAMP)
    log.entries += [encode_entry(entry) for entry in (broken, an_amendment(7), an_event())]
    source, metrics = MemorySource(log), Metrics()
    flush = Flush(max_rows=10, max_bytes=2**20, max_age_s=0.01)
    worker = asyncio.create_task(run_worker(source, warehouse, known(), metrics, flush=flush, stop=stop))
    while await source.backlog():  # noqa: ASYNC110  what is waited for has no event
        await asyncio.sleep(0.01)
    stop.set()
    await worker
    (dead_letter,) = log.dead_letters.values()
    assert (dead_letter.code, len(warehouse.rows), metrics.get("worker_amendments_total")) == ("undecodable", 1, 1)
    assert metrics.get("worker_events_total") == 3


def test_a_dead_letter_that_is_an_amendment_is_named_and_put_back(tmp_path: Path) -> None:
    log = InJournal(tmp_path / "data/journal.sqlite")
    amendment = an_amendment(3)
    dead_letter = DeadLetter(payload=encode_entry(amendment), position="here:1", code="unstorable", reason="a test")

    async def write() -> None:
        source = await log.source()
        await source.write_dead_letters([dead_letter])
        await close_all(source)

    asyncio.run(write())
    where = ("--data", str(log.path.parent))
    assert f"amendment of request {request_id(3)} of org-1" in farebox("dead-letters", *where).stdout
    assert farebox("dead-letters", "--retry", *where).returncode == 0

    async def again() -> list[LogEntry]:
        source = await log.source()
        entries = await taken(source, 1)
        await close_all(source)
        return entries

    assert asyncio.run(again()) == [amendment]
