"""What the journal owes beyond the contract: it is a file on a disk, shared by processes that may be killed."""

import asyncio
import errno
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.errors import BrokerUnavailable, UndecodableEvent
from schemas.event import DeadLetter, decode_event
from services.stores.journal.dead_letters import JournalDeadLetters
from services.stores.journal.file import open_journal, pack_segment, unpack_segment
from services.stores.journal.files import JournalFiles
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.telemetry.metrics import Metrics
from tests.support.logs import close_all, events, ids_of, publish_all, take_count, take_rest

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "journal.sqlite"


def a_sink(path: Path, *, metrics: Metrics | None = None, queue_bytes: int = 2**28, close_s: float = 10) -> JournalSink:
    return JournalSink(
        path, metrics=metrics or Metrics(), group_s=0.002, queue_bytes=queue_bytes, close_timeout_s=close_s
    )


def stored_ids(path: Path) -> list[str]:
    """Read by a connection that was opened just now."""
    connection = sqlite3.connect(path)
    segments = connection.execute("SELECT payload FROM segment ORDER BY id").fetchall()
    connection.close()
    return [
        decode_event(payload).request.request_id for (packed,) in segments for payload in unpack_segment(packed) or ()
    ]


def file_bytes(path: Path) -> int:
    return path.stat().st_size


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the file, as a backup might."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


@contextmanager
def child(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_the_file_is_synced_on_every_commit(path: Path) -> None:
    connection = open_journal(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


async def test_an_awaited_event_is_in_the_file(path: Path) -> None:
    sink = a_sink(path)
    for event in events(20):
        await sink.publish(event)
        assert stored_ids(path)[-1] == event.request.request_id
    await sink.close()


PUBLISH_FOREVER = """
    import asyncio, itertools, sys
    from services.stores.journal.sink import JournalSink
    from services.telemetry.metrics import Metrics
    from tests.support.logs import events

    async def main():
        sink = JournalSink(sys.argv[1], metrics=Metrics(), group_s=0.001)
        for number in itertools.count():
            event = events(1, first=number)[0]
            await sink.publish(event)
            print(event.request.request_id, flush=True)

    asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 17, 150])
async def test_killing_the_process_loses_nothing_that_was_awaited(path: Path, acknowledged: int) -> None:
    with child(PUBLISH_FOREVER, str(path)) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline().strip() for _ in range(acknowledged)]
        os.kill(process.pid, signal.SIGKILL)
        seen += process.stdout.read().split("\n")[:-1]
    assert set(seen) <= set(stored_ids(path))
    source = JournalSource(path)
    assert set(seen) <= set(ids_of(await take_count(source, len(seen))))
    await source.close()


PUBLISH_SOME = """
    import asyncio, sys
    from services.stores.journal.sink import JournalSink
    from services.telemetry.metrics import Metrics
    from tests.support.logs import events

    async def main():
        sink = JournalSink(sys.argv[1], metrics=Metrics(), group_s=0.001)
        for event in events(1500, first=int(sys.argv[2])):
            sink.publish(event)
            await asyncio.sleep(0)
        await sink.close()

    asyncio.run(main())
"""


async def test_several_processes_write_one_journal(path: Path) -> None:
    with (
        child(PUBLISH_SOME, str(path), "0") as one,
        child(PUBLISH_SOME, str(path), "1500") as two,
        child(PUBLISH_SOME, str(path), "3000") as three,
    ):
        assert [await asyncio.to_thread(process.wait) for process in (one, two, three)] == [0, 0, 0]
    assert sorted(stored_ids(path)) == ids_of(events(4500))
    source = JournalSource(path)
    assert await source.backlog() == 4500
    await source.close()


DISK_FULL_FOR_A_WHILE = """
    import asyncio, resource, sys
    from services.stores.journal.sink import JournalSink
    from services.telemetry.metrics import Metrics
    from tests.support.logs import events

    async def main():
        metrics = Metrics()
        sink = JournalSink(sys.argv[1], metrics=metrics, group_s=0.001)
        await sink.publish(events(1)[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        acks = [sink.publish(event) for event in events(50, first=1)]
        await asyncio.sleep(0.5)
        print(metrics.get("log_durable_total"), flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for ack in acks:
            await ack
        print(metrics.get("log_durable_total"), metrics.get("log_lost_total"), flush=True)
        await sink.close()

    asyncio.run(main())
"""


async def test_a_full_disk_delays_events_and_loses_none(path: Path) -> None:
    with child(DISK_FULL_FOR_A_WHILE, str(path)) as process:
        output, _ = await asyncio.to_thread(process.communicate)
    assert output.split("\n")[:2] == ["1", "51 0"]
    assert stored_ids(path) == ids_of(events(51))


async def test_while_the_disk_stalls_clients_go_on_and_memory_is_bounded(path: Path) -> None:
    metrics = Metrics()
    sink = a_sink(path, metrics=metrics, queue_bytes=100_000)
    with locked(path):
        started_s = time.monotonic()
        acks = [sink.publish(event) for event in events(300, body=b"x" * 1000)]
        assert time.monotonic() - started_s < 0.5
        lost = metrics.get("log_lost_total")
        assert 150 < lost < 250
    outcomes = await asyncio.gather(*acks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(BrokerUnavailable) == lost
    assert len(stored_ids(path)) == metrics.get("log_durable_total") == 300 - lost
    await sink.close()


async def test_dropped_receipts_of_lost_events_make_no_noise_but_one_log_line(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    sink = a_sink(path, queue_bytes=0)
    for event in events(100):
        sink.publish(event)
    await sink.close()
    assert noise == []
    lines = [record for record in caplog.records if record.message == "events lost"]
    assert [line.__dict__["count"] for line in lines] == [1, 99]


async def test_an_error_that_nobody_foresaw_delays_events_and_ends_no_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [MemoryError(), OSError(errno.EIO, "Input/output error")]

    def pack(payloads: Sequence[bytes]) -> bytes:
        if errors:
            raise errors.pop()
        return pack_segment(payloads)

    monkeypatch.setattr("services.stores.journal.sink.pack_segment", pack)
    metrics = Metrics()
    sink = a_sink(path, metrics=metrics)
    await publish_all(sink, events(3))
    assert (
        metrics.get("log_durable_total"),
        metrics.get("log_write_failures_total"),
        metrics.health.unhealthy_reason,
    ) == (3, 2, "")
    await sink.close()


async def test_a_folder_that_cannot_be_looked_into_makes_the_log_unavailable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = JournalSource(path)

    def exists(_: Path) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "exists", exists)
        with pytest.raises(BrokerUnavailable, match="Input/output error"):
            await source.take(max_events=1, max_bytes=1, wait_s=0)
        with pytest.raises(BrokerUnavailable, match="Input/output error"):
            JournalFiles(path).begin_after(path, "for the test")
    await source.close()


async def test_two_sinks_on_one_journal_each_say_that_they_cannot_write(path: Path) -> None:
    metrics = Metrics()
    one, other = a_sink(path, metrics=metrics), a_sink(path, metrics=metrics)
    with locked(path):
        acks = [one.publish(events(1)[0]), other.publish(events(1, first=1)[0])]
        async with asyncio.timeout(30):
            while len(metrics.health.failures) < 2:  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.01)
    for ack in acks:
        await ack
    assert metrics.health.failures == {}
    await close_all(one, other)


async def test_close_gives_up_in_bounded_time_when_the_disk_never_responds(path: Path) -> None:
    metrics = Metrics()
    sink = a_sink(path, metrics=metrics, close_s=0.1)
    with locked(path):
        ack = sink.publish(events(1)[0])
        await sink.close()
    with pytest.raises(BrokerUnavailable):
        await ack
    assert metrics.get("log_lost_total") == 0, "the next start takes it over"
    await a_sink(path, metrics=metrics).close()
    assert (metrics.get("log_recovered_total"), stored_ids(path)) == (1, ids_of(events(1)))


async def test_close_counts_as_lost_what_cannot_be_written_and_no_intake_covers(path: Path) -> None:
    metrics = Metrics()
    sink = JournalSink(path, metrics=metrics, group_s=0.001, close_timeout_s=0.1, intake_bytes=8000)
    with locked(path):
        published = [sink.publish(event) for event in events(10, body=b"x" * 1000)]
        uncovered = metrics.get("log_uncovered_total")
        await sink.close()
    assert 0 < uncovered < 10
    for ack in published:
        with pytest.raises(BrokerUnavailable):
            await ack
    assert metrics.get("log_lost_total") == uncovered
    await a_sink(path).close()
    assert stored_ids(path) == ids_of(events(10 - uncovered))


async def test_a_path_that_cannot_be_a_journal_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a database, it is a text that is long enough to look like none")
    for path in (tmp_path, tmp_path / "text", tmp_path / "text" / "below"):
        with pytest.raises(BrokerUnavailable, match=r"journal "):
            a_sink(path)


async def test_a_journal_of_a_later_version_is_refused(path: Path) -> None:
    connection = open_journal(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(BrokerUnavailable, match="format 99"):
        a_sink(path)


async def test_a_second_live_consumer_of_the_same_name_is_refused(path: Path) -> None:
    source = JournalSource(path, consumer="farebox/workers")
    with pytest.raises(BrokerUnavailable, match="already has a live consumer 'farebox/workers'"):
        JournalSource(path, consumer="farebox/workers")
    other = JournalSource(path, consumer="another")
    await other.close()
    await source.close()
    await JournalSource(path, consumer="farebox/workers").close()


HOLD = """
    import sys, time
    from services.stores.journal.source import JournalSource
    source = JournalSource(sys.argv[1])
    print("held", flush=True)
    time.sleep(60)
"""


async def test_a_killed_consumer_holds_nothing(path: Path) -> None:
    with child(HOLD, str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BrokerUnavailable, match="live consumer"):
            JournalSource(path)
    await JournalSource(path).close()


async def test_a_damaged_segment_is_delivered_as_it_is_and_the_others_go_on(path: Path) -> None:
    sink, source = a_sink(path), JournalSource(path)
    for first in (0, 3, 6):
        await publish_all(sink, events(3, first=first))
    connection = open_journal(path)
    packed = connection.execute("SELECT payload FROM segment WHERE id = 2").fetchone()[0]
    damaged = packed[:-5] + bytes([packed[-5] ^ 1]) + packed[-4:]
    connection.execute("UPDATE segment SET payload = ? WHERE id = 2", (damaged,))
    connection.close()
    taken = await take_count(source, 7)
    assert ids_of(taken[:3] + taken[4:]) == ids_of(events(3) + events(3, first=6))
    assert (taken[3].payload, taken[3].position) == (damaged, "journal:2")
    with pytest.raises(UndecodableEvent):
        decode_event(taken[3].payload)
    await source.close()
    await sink.close()


async def test_consumed_segments_go_when_they_are_old(path: Path) -> None:
    sink, source = a_sink(path), JournalSource(path, keep_s=0)
    for first in range(10):
        await publish_all(sink, events(1, first=first))
    await take_count(source, 10)
    await asyncio.sleep(0.01)
    await source.commit()
    assert stored_ids(path) == ids_of(events(1, first=9))  # the newest stays: ids must not come twice
    await publish_all(sink, events(1, first=10))
    assert ids_of(await take_count(source, 1)) == ids_of(events(1, first=10))
    await source.close()
    await sink.close()


async def test_consumed_segments_stay_while_they_are_young_and_small(path: Path) -> None:
    sink, source = a_sink(path), JournalSource(path)
    await publish_all(sink, events(5))
    await publish_all(sink, events(5, first=5))
    await take_count(source, 10)
    await source.commit()
    assert stored_ids(path) == ids_of(events(10))
    await source.close()
    await sink.close()


async def test_the_oldest_consumed_segments_go_when_the_file_is_large_and_it_shrinks(path: Path) -> None:
    sink = a_sink(path)
    source = JournalSource(path, keep_bytes=2**20)
    for first in range(0, 40, 2):
        await publish_all(sink, events(2, first=first, body=os.urandom(2**21)))
    full_bytes = file_bytes(path)
    for _ in range(10):
        await source.take(max_events=4, max_bytes=2**30, wait_s=0)
        await source.commit()
    assert len(stored_ids(path)) < 6
    await source.close()
    await sink.close()
    assert file_bytes(path) < full_bytes * 0.9


async def test_pruning_never_takes_what_some_consumer_has_not_committed(path: Path) -> None:
    sink = a_sink(path)
    fast, slow = JournalSource(path, consumer="fast", keep_s=0), JournalSource(path, consumer="slow", keep_s=0)
    for first in range(6):
        await publish_all(sink, events(1, first=first))
    await take_count(fast, 6)
    await fast.commit()
    await slow.take(max_events=2, max_bytes=2**20, wait_s=0)
    await asyncio.sleep(0.01)
    await slow.commit()
    assert stored_ids(path) == ids_of(events(4, first=2))
    assert ids_of(await take_count(slow, 4)) == ids_of(events(4, first=2))
    await slow.close()
    await fast.close()
    await sink.close()


@pytest.mark.parametrize(("keep_s", "kept"), [(0.02, 1), (3600, 6)])
async def test_a_consumer_that_has_been_gone_for_long_holds_nothing_back(path: Path, keep_s: float, kept: int) -> None:
    sink = a_sink(path)
    await JournalSource(path, consumer="renamed").close()
    source = JournalSource(path, consumer="its new name", keep_s=keep_s, keep_bytes=0)
    for first in range(6):
        await publish_all(sink, events(1, first=first))
    await asyncio.sleep(0.05)
    await take_count(source, 6)
    await source.commit()
    assert stored_ids(path) == ids_of(events(kept, first=6 - kept))
    again = JournalSource(path, consumer="renamed")
    assert ids_of(await take_count(again, kept)) == ids_of(events(kept, first=6 - kept))
    await again.commit()
    await again.close()
    await source.close()
    await sink.close()


async def test_dead_letters_written_again_after_a_crash_are_kept_once(path: Path) -> None:
    source = JournalSource(path)
    dead_letter = DeadLetter(payload=b"?", position="journal:1/0", code="undecodable", reason="not an event")
    await source.write_dead_letters([dead_letter])
    await source.write_dead_letters([dead_letter])
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM dead_letter").fetchone() == (1,)
    connection.close()
    assert await take_rest(source) == []
    await source.close()


async def test_letters_that_somebody_else_put_back_while_they_are_read_are_left_out(path: Path) -> None:
    source, ours, theirs = JournalSource(path), JournalDeadLetters(path), JournalDeadLetters(path)
    first, second, third = (
        DeadLetter(payload=b"?", position=place, code="undecodable", reason="not an event") for place in "123"
    )
    await source.write_dead_letters([first, second, third])
    reading = ours.read()
    assert await anext(reading) == first
    await theirs.forget([first, second])
    assert [dead_letter async for dead_letter in reading] == [third]
    for each in (source, ours, theirs):
        await each.close()
