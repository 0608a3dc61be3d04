"""What a killed process owes: every event that was published is in the log when somebody opens it again, and once."""

import asyncio
import os
import random
import signal
import sqlite3
from pathlib import Path

import pytest

from schemas.errors import BrokerUnavailable
from schemas.event import encode_event
from services.stores.journal import recovery as journal_recovery
from services.stores.journal.file import INSERT_SEGMENT, open_journal, pack_segment
from services.stores.journal.intake import Intake, Left, Mark, take_over
from services.stores.journal.recovery import Recovery
from services.stores.journal.sink import JournalSink
from services.stores.kafka.sink import KafkaSink, SinkLimits
from services.telemetry.metrics import Metrics
from tests.contracts.test_journal import child, stored_ids
from tests.support.logs import (
    InKafka,
    close_all,
    events,
    ids_of,
    journal_rows,
    publish_all,
    take_count,
    take_rest,
    within,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "journal.sqlite"


def intakes(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.intake-*"))


def left_at(path: Path) -> list[Left]:
    """What is there to take over, which is forgotten by that."""
    found: list[Left] = []
    take_over(path, found.append)
    return found


def abandon(intake: Intake) -> None:
    """Leaves it as a killed process does."""
    os.close(intake._descriptor)


KILLED = """
    import asyncio, os, signal, sys
    from services.stores.journal.sink import JournalSink
    from services.telemetry.metrics import Metrics
    from tests.support.logs import events

    async def main():
        sink = JournalSink(sys.argv[1], metrics=Metrics())
        await sink.publish(events(1)[0])
        for event in events(50, first=1):
            sink.publish(event)
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(main())
"""


async def test_a_process_that_is_killed_loses_nothing_that_it_published(path: Path) -> None:
    with child(KILLED, str(path)) as process:
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    metrics = Metrics()
    await JournalSink(path, metrics=metrics).close()
    assert stored_ids(path) == ids_of(events(51))
    assert metrics.get("log_recovered_total") == 50
    assert intakes(path) == []


async def test_what_was_durable_when_its_process_was_killed_is_not_doubled(path: Path) -> None:
    payloads = [encode_event(event) for event in events(5)]
    connection, intake = open_journal(path), Intake(path, metrics=Metrics())
    for payload in payloads:
        intake.add(payload)
    intake.begin_segment(1_700_000_000_123)
    connection.execute(INSERT_SEGMENT, (1_700_000_000_123, 3, pack_segment(payloads[:3])))
    abandon(intake)
    Recovery(path, Metrics()).attempt(lambda: connection)
    connection.close()
    assert stored_ids(path) == ids_of(events(5))


@pytest.mark.parametrize("segment_ms", [0, 1_700_000_000_000])
async def test_only_the_newest_segments_are_looked_through_for_what_was_durable(path: Path, segment_ms: int) -> None:
    """A journal may hold gigabytes. How much is read is counted by the instructions that SQLite runs."""
    connection, older, instructions = open_journal(path), 2000, 0
    connection.execute("BEGIN")
    for number in range(older):
        created_ms = 1_700_000_000_000 - 1000 * (older - number)
        connection.execute(INSERT_SEGMENT, (created_ms, 1, pack_segment([b"x" * 5000])))
    connection.execute("COMMIT")
    payload = encode_event(events(1)[0])
    intake = Intake(path, metrics=Metrics())
    intake.add(payload)
    if segment_ms:
        intake.begin_segment(segment_ms)
        connection.execute(INSERT_SEGMENT, (segment_ms, 1, pack_segment([payload])))
    abandon(intake)

    def count() -> int:
        nonlocal instructions
        instructions += 100
        return 0

    connection.set_progress_handler(count, 100)
    Recovery(path, Metrics()).attempt(lambda: connection)
    connection.close()
    assert instructions < 3000
    assert intakes(path) == []
    assert journal_rows(path, "SELECT sum(event_count) FROM segment") == [(older + 1,)]


async def test_what_a_living_process_responds_for_is_left_to_it(path: Path) -> None:
    living, other = JournalSink(path, metrics=Metrics(), group_s=60), JournalSink(path, metrics=Metrics())
    ack = living.publish(events(1)[0])
    await publish_all(other, events(1, first=1))
    assert stored_ids(path) == ids_of(events(1, first=1))
    assert len(intakes(path)) == 2
    await close_all(living, other)
    await ack
    assert sorted(stored_ids(path)) == ids_of(events(2))
    assert intakes(path) == []


async def test_a_neighbour_that_lives_takes_over_from_one_that_was_killed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_recovery, "LOOK_S", 0.0)
    sink = JournalSink(path, metrics=Metrics())
    with child(KILLED, str(path)) as process:
        await asyncio.to_thread(process.wait, 60)
    assert len(stored_ids(path)) == 1
    await publish_all(sink, events(1, first=99))
    await sink.close()
    assert set(stored_ids(path)) == {*ids_of(events(51)), *ids_of(events(1, first=99))}


async def test_while_the_journal_is_locked_what_was_left_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_recovery, "RETRY_S", 0.0)
    open_journal(path).close()
    intake = Intake(path, metrics=Metrics())
    intake.add(encode_event(events(1)[0]))
    abandon(intake)
    recovery, connection = Recovery(path, Metrics()), sqlite3.connect(path, timeout=0, isolation_level=None)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    recovery.attempt(lambda: connection)
    assert stored_ids(path) == []
    holder.rollback()
    recovery.attempt(lambda: connection)
    assert stored_ids(path) == ids_of(events(1))
    holder.close()
    connection.close()


@pytest.mark.parametrize("seed", range(20))
async def test_what_is_left_is_always_what_was_added_and_not_released(path: Path, seed: int) -> None:
    draw, metrics = random.Random(seed), Metrics()
    intake = Intake(path, metrics=metrics, size_bytes=20_000)
    waiting: list[tuple[bytes, Mark]] = []
    for number in range(draw.randrange(1, 400)):
        payload = b"%d " % number * draw.choice((1, 10, 200, 1000))
        uncovered = metrics.get("log_uncovered_total")
        intake.add(payload)
        if metrics.get("log_uncovered_total") == uncovered:
            waiting.append((payload, intake.mark))
        if waiting and draw.random() < 0.4:
            done = draw.randrange(len(waiting))
            intake.begin_segment(number)
            intake.release(waiting[done][1])
            del waiting[: done + 1]
    abandon(intake)
    assert [payload for left in left_at(path) for payload in left.payloads] == [payload for payload, _ in waiting]
    assert left_at(path) == []


@pytest.mark.parametrize("damaged_at", [4096, 4100, 4110, 4130])
async def test_a_damaged_record_ends_what_is_taken_over(path: Path, damaged_at: int) -> None:
    intake = Intake(path, metrics=Metrics())
    for payload in (b"x" * 30, b"y" * 30):  # of 46 bytes each in the file
        intake.add(payload)
    os.pwrite(intake._descriptor, b"\xff", damaged_at + 46)
    abandon(intake)
    assert [left.payloads for left in left_at(path)] == [[b"x" * 30]]


async def test_an_intake_whose_header_was_damaged_keeps_no_new_event_from_being_written(path: Path) -> None:
    damaged = Intake(path, metrics=Metrics())
    damaged.add(encode_event(events(1)[0]))
    os.pwrite(damaged._descriptor, b"\xff" * 8, 24)  # when its segment was created
    abandon(damaged)
    sink = JournalSink(path, metrics=Metrics())
    await publish_all(sink, events(1, first=1))
    await sink.close()
    assert set(stored_ids(path)) >= set(ids_of(events(1, first=1)))


async def test_a_file_that_is_no_intake_is_left_out(path: Path) -> None:
    path.parent.mkdir()
    for number, content in enumerate((b"", b"short", b"\xff" * 10_000)):
        path.with_name(f"{path.name}.intake-{number}").write_bytes(content)
    assert left_at(path) == []


FULL_FOR_A_WHILE = """
    import asyncio, resource, sys
    from services.stores.journal import intake
    from services.stores.journal.sink import JournalSink
    from services.telemetry.metrics import Metrics
    from tests.support.logs import events

    intake.RETRY_S = 0

    async def main():
        metrics = Metrics()
        sink = JournalSink(sys.argv[1], metrics=metrics)
        {limit}
        acks = [sink.publish(event) for event in events(50, body=b"x" * 1000)]
        {unlimit}
        for ack in acks:
            await ack
        print(metrics.get("log_durable_total"), metrics.get("log_uncovered_total"))
        await sink.publish(events(1, first=50)[0])
        await sink.close()
        print(metrics.get("log_durable_total"), metrics.get("log_uncovered_total"))

    asyncio.run(main())
"""


async def test_a_full_disk_costs_the_cover_and_never_the_event(path: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))"
    unlimit = "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))"
    with child(FULL_FOR_A_WHILE.format(limit=limit, unlimit=unlimit), str(path)) as process:
        output, _ = await asyncio.to_thread(process.communicate)
    assert output.split("\n")[:2] == ["50 50", "51 50"]


async def test_a_file_that_could_not_be_made_is_made_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.stores.journal.intake.RETRY_S", 0.0)
    metrics = Metrics()
    path.parent.parent.joinpath("log").write_text("a file where the folder should be")
    intake = Intake(path, metrics=metrics)
    intake.add(b"first")
    path.parent.unlink()
    intake.add(b"second")
    assert metrics.get("log_uncovered_total") == 1
    abandon(intake)
    assert [left.payloads for left in left_at(path)] == [[b"second"]]


KILLED_WITHOUT_KAFKA = """
    import asyncio, os, signal, sys
    from services.stores.kafka.sink import KafkaSink, SinkLimits
    from services.telemetry.metrics import Metrics
    from tests.support.logs import events

    async def main():
        limits = SinkLimits(first_connect_s=0.1)
        spill, brokers, prefix = sys.argv[1:]
        sink = await KafkaSink.open(brokers, spill=spill, metrics=Metrics(), prefix=prefix, limits=limits)
        for event in events(20):
            sink.publish(event)
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(main())
"""


@pytest.mark.parametrize("is_away", [True, False])
async def test_a_proxy_that_is_killed_beside_kafka_loses_nothing_that_it_published(
    kafka: str, tmp_path: Path, is_away: bool
) -> None:
    log = await InKafka.fresh(kafka, tmp_path)
    brokers = "127.0.0.1:1" if is_away else kafka
    with child(KILLED_WITHOUT_KAFKA, str(log.spill), brokers, log.prefix) as process:
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    sink, source = await log.sink(), await log.source()
    assert sorted(ids_of(await take_count(source, 20))) == ids_of(events(20))
    assert await take_rest(source) == []
    await close_all(source, sink)
    assert intakes(log.spill) == []


async def test_a_proxy_that_is_stopped_without_kafka_and_without_disk_leaves_its_events_to_the_next(
    kafka: str, tmp_path: Path
) -> None:
    log = await InKafka.fresh(kafka, tmp_path)
    metrics, limits = Metrics(), SinkLimits(first_connect_s=0.1, delivery_timeout_s=0.1, close_timeout_s=0.2)
    stopped = await KafkaSink.open("127.0.0.1:1", spill=log.spill, metrics=metrics, prefix=log.prefix, limits=limits)
    holder = sqlite3.connect(log.spill, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    acks = [stopped.publish(event) for event in events(20)]
    await within(60, "a sink closes that can write nothing", stopped.close())
    holder.rollback()
    holder.close()
    for ack in acks:
        with pytest.raises(BrokerUnavailable):
            await ack
    assert metrics.get("log_lost_total") == 0

    sink, source = await log.sink(), await log.source()
    assert sorted(ids_of(await take_count(source, 20))) == ids_of(events(20))
    await close_all(source, sink)
    assert intakes(log.spill) == []


async def test_how_long_events_were_at_risk_is_reported(path: Path) -> None:
    metrics = Metrics()
    sink = JournalSink(path, metrics=metrics)
    await publish_all(sink, events(5))
    await sink.close()
    reported = metrics.exposition()
    assert "\n# TYPE farebox_log_durable_seconds histogram\n" in reported
    assert 'farebox_log_durable_seconds_bucket{le="+Inf"} 5.0\n' in reported
    assert "farebox_log_durable_seconds_count 5.0\n" in reported
