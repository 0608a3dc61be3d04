"""What a seal is made of, on every log and every state database: positions, what is held, and who was heard."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import BrokerUnavailable, LogConflict, UndecodableEvent
from schemas.event import DeadLetter, encode_event
from schemas.seal import Held, LogSnapshot, Member, MemberKind, SealState
from services.ports.log import LogPositions
from services.query import seals
from services.query.seals import Seals
from services.stores.journal.intake import Intake
from services.stores.journal.positions import JournalPositions
from services.stores.kafka import announcer as kafka_announcer
from services.stores.kafka.positions import KafkaPositions
from services.stores.kafka.sink import KafkaSink, SinkLimits
from services.stores.memory import ManualClock
from services.stores.state.migrations.run import migrate_state
from services.stores.state.progress import SqlProgress
from services.telemetry.metrics import Metrics
from tests.builders.records import TIMESTAMP, an_event
from tests.support.logs import InJournal, InKafka, close_all, events, publish_all, take_count

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
AWAY = "127.0.0.1:1"


@pytest.fixture
async def progress(state_url: str) -> AsyncIterator[SqlProgress]:
    await migrate_state(state_url)
    opened = SqlProgress(state_url)
    yield opened
    await opened.close()


@pytest.fixture(params=["journal", "kafka"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> InJournal | InKafka:
    if request.param == "journal":
        return InJournal(tmp_path / "journal.sqlite")
    return await InKafka.fresh(request.getfixturevalue("kafka"), tmp_path)


def positions_of(log: InJournal | InKafka) -> LogPositions:
    if isinstance(log, InJournal):
        return JournalPositions(log.path)
    return KafkaPositions(log.brokers, group=f"{log.prefix}-workers", prefix=log.prefix)


async def standing(positions: LogPositions) -> tuple[int, int]:
    """Events that are counted, and those that are in the log."""
    for _ in range(50):
        try:
            snapshot = await positions.snapshot()
        except BrokerUnavailable:  # a fresh Kafka has to make its topic of offsets first
            await asyncio.sleep(0.2)
            continue
        every = snapshot.positions.values()
        return sum(one.counted for one in every), sum(one.end for one in every)
    raise AssertionError("the log does not say where it stands")


def a_worker(heard_s: float = 0) -> Member:
    return Member(id="worker", kind=MemberKind.WORKER, heard_at=TIMESTAMP + heard_s * SECOND)


async def test_a_partition_is_never_said_to_be_complete_for_less_than_before(progress: SqlProgress) -> None:
    await progress.advance(a_worker(), {"a": TIMESTAMP, "b": TIMESTAMP + 5 * SECOND})
    await progress.advance(a_worker(1), {"a": TIMESTAMP + SECOND, "b": TIMESTAMP})
    found = await progress.read()
    assert found.complete_until == {"a": TIMESTAMP + SECOND, "b": TIMESTAMP + 5 * SECOND}
    assert found.members == (a_worker(1),)


async def test_members_are_as_they_were_last_heard_until_they_withdraw(progress: SqlProgress) -> None:
    held = Held(events=3, since=TIMESTAMP)
    writer = Member(id="w", kind=MemberKind.WRITER, place="p/i", heard_at=TIMESTAMP + SECOND, held=held)
    await progress.announce(Member(id="w", kind=MemberKind.WRITER, heard_at=TIMESTAMP))
    await progress.announce(writer)
    await progress.advance(a_worker(), {})
    assert set((await progress.read()).members) == {writer, a_worker()}
    await progress.withdraw(["w", "worker", "another"])
    assert (await progress.read()).members == ()


async def test_the_log_says_what_is_counted_also_while_nobody_reads_it(log: InJournal | InKafka) -> None:
    sink, positions = await log.sink(), positions_of(log)
    await publish_all(sink, events(20))
    assert await standing(positions) == (0, 20)
    source = await log.source()
    await take_count(source, 20)
    assert await standing(positions) == (0, 20), "what is taken is not counted yet"
    await source.commit()
    assert await standing(positions) == (20, 20)
    await close_all(source)
    await publish_all(sink, events(3, first=20))
    assert await standing(positions) == (20, 23)
    await close_all(sink)
    await positions.close()


async def test_dead_letters_are_in_the_snapshot(log: InJournal | InKafka) -> None:
    sink, source, positions = await log.sink(), await log.source(), positions_of(log)
    await publish_all(sink, events(1))
    dead_letter = DeadLetter(payload=b"?", position="1", code=UndecodableEvent.code, reason="no event")
    await source.write_dead_letters([dead_letter])
    await standing(positions)
    assert (await positions.snapshot()).dead_letters == 1
    await close_all(source, sink)
    await positions.close()


async def test_refused_logs_in_a_journal_are_no_missing_spend(tmp_path: Path) -> None:
    log = InJournal(tmp_path / "journal.sqlite")
    source, positions = await log.source(), positions_of(log)
    await source.write_dead_letters([DeadLetter(payload=b"", position="1", code=LogConflict.code, reason="")])
    assert (await positions.snapshot()).dead_letters == 0
    await close_all(source)


async def test_events_that_a_killed_process_left_are_held_until_somebody_takes_them_over(tmp_path: Path) -> None:
    log = InJournal(tmp_path / "journal.sqlite")
    await close_all(await log.sink())
    intake = Intake(log.path, metrics=Metrics())
    for number in (2, 1, 3):
        assert intake.add(encode_event(an_event(recorded_at=TIMESTAMP + number * SECOND)))
    positions = positions_of(log)
    assert (await positions.snapshot()).held == Held(events=3, since=TIMESTAMP + 2 * SECOND)
    intake.release(intake.mark)
    assert (await positions.snapshot()).held == Held()
    assert intake.add(encode_event(an_event(recorded_at=TIMESTAMP + 9 * SECOND)))
    assert (await positions.snapshot()).held == Held(events=1, since=TIMESTAMP + 9 * SECOND)
    intake.close()
    sink = await log.sink()
    for _ in range(100):
        if not (await positions.snapshot()).held.events:
            break
        await asyncio.sleep(0.05)
    assert await standing(positions) == (0, 1)
    await close_all(sink)


async def test_a_journal_that_is_not_there_says_nothing_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(BrokerUnavailable):
        await JournalPositions(tmp_path / "journal.sqlite").snapshot()
    assert not (tmp_path / "journal.sqlite").exists()


async def test_a_writer_announces_what_it_holds_while_kafka_is_unreachable(
    progress: SqlProgress, state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_announcer, "EVERY_S", 0.1)
    limits = SinkLimits(delivery_timeout_s=0.2, first_connect_s=0)
    sink = await KafkaSink.open(
        AWAY,
        spill=tmp_path / "spill.sqlite",
        metrics=Metrics(),
        limits=limits,
        progress=SqlProgress(state_url),
    )
    (member,) = (await progress.read()).members
    assert (member.kind, member.held) == (MemberKind.WRITER, Held())
    await publish_all(sink, [an_event(recorded_at=TIMESTAMP + SECOND), an_event(recorded_at=TIMESTAMP)])
    assert sink.held == Held(events=2, since=TIMESTAMP), "durable in the spill is not in Kafka"
    await close_all(sink)
    (member,) = (await progress.read()).members
    assert member.held == Held(events=2, since=TIMESTAMP), "it ended, and what it held is still to come"


async def test_who_comes_after_a_killed_writer_withdraws_it_once_its_events_are_in_kafka(
    progress: SqlProgress, state_url: str, kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_announcer, "EVERY_S", 0.1)
    monkeypatch.setattr(kafka_announcer, "TAKEN_OVER_AFTER_S", 0.5)
    log = await InKafka.fresh(kafka, tmp_path)

    async def opened(brokers: str) -> KafkaSink:
        limits = SinkLimits(delivery_timeout_s=0.2, first_connect_s=0)
        return await KafkaSink.open(
            brokers,
            spill=log.spill,
            metrics=log.metrics,
            prefix=log.prefix,
            limits=limits,
            progress=SqlProgress(state_url),
        )

    first = await opened(AWAY)
    await publish_all(first, [an_event(recorded_at=TIMESTAMP)])
    await close_all(first)
    second = await opened(kafka)
    source = await log.source()
    await take_count(source, 1)
    for _ in range(200):
        members = (await progress.read()).members
        if len(members) == 1 and not members[0].held.events:
            break
        await asyncio.sleep(0.1)
    assert [member.held for member in members] == [Held()]
    await close_all(source, second)
    assert (await progress.read()).members == ()


async def test_a_seal_is_unknown_while_the_log_is_unreachable_and_only_the_first_waits_for_it(
    progress: SqlProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "WAIT_S", 0.2)
    positions = KafkaPositions(AWAY, group="g")
    sealing = Seals(positions, progress, ManualClock(TIMESTAMP), Metrics())
    began_s = asyncio.get_running_loop().time()
    found = [await sealing.current() for _ in range(20)]
    assert {seal.state for seal in found} == {SealState.UNKNOWN}
    assert asyncio.get_running_loop().time() - began_s < 10
    await sealing.close()
    await positions.close()


class SlowPositions:
    """A log that responds, and then stops responding."""

    def __init__(self) -> None:
        self.is_stuck = False

    async def snapshot(self) -> LogSnapshot:
        if self.is_stuck:
            await asyncio.Event().wait()
        return LogSnapshot(positions={})

    async def close(self) -> None: ...


async def test_a_seal_of_before_is_not_given_when_the_log_stops_responding(
    progress: SqlProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "WAIT_S", 0.1)
    monkeypatch.setattr(seals, "MAX_AGE_S", 0)
    positions = SlowPositions()
    sealing = Seals(positions, progress, ManualClock(TIMESTAMP), Metrics())
    # The first look may wait for the state database on a busy machine.
    for _ in range(100):
        if (await sealing.current()).state is SealState.COMPLETE:
            break
        await asyncio.sleep(0.05)
    positions.is_stuck = True
    states = [(await sealing.current()).state for _ in range(5)]
    assert states[1:] == [SealState.UNKNOWN] * 4
    await sealing.close()
