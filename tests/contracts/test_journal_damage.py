"""A journal whose file is damaged: it is plain to see, events go on beside it, and what can be saved is saved."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from schemas.errors import BrokerUnavailable, JournalDamaged
from schemas.event import DeadLetter, encode_event
from services.stores.journal import salvage as salvaging
from services.stores.journal.dead_letters import JournalDeadLetters
from services.stores.journal.file import log_damage, open_journal, pack_segment
from services.stores.journal.files import JournalFiles
from services.stores.journal.salvage import Salvaged
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.telemetry.metrics import Metrics
from tests.support.logs import events, ids_of, journal_rows, publish_all, take_count, take_rest

pytestmark = pytest.mark.anyio

EVENTS, COMMITTED, PER_SEGMENT = 120, 20, 2
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def a_sink(path: Path, metrics: Metrics | None = None) -> JournalSink:
    return JournalSink(path, metrics=metrics or Metrics(), group_s=0.001)


async def fill(path: Path) -> None:
    """Segments of which each takes several pages; some are done with, one event of them is a dead letter."""
    sink, source = a_sink(path), JournalSource(path)
    await write(sink, source)
    await source.close()
    await sink.close()


async def fill_and_kill(path: Path) -> None:
    """The same as a killed process leaves it: all of it is in the write-ahead log."""
    written = path.parent / "killed" / path.name
    sink, source = a_sink(written), JournalSource(written)
    await write(sink, source)
    for suffix in ("", "-wal"):  # not by this process: to close a file takes SQLite's locks away
        copy = ["cp", f"{written}{suffix}", f"{path}{suffix}"]
        await asyncio.to_thread(subprocess.run, copy, check=True)
    await source.close()
    await sink.close()


async def write(sink: JournalSink, source: JournalSource) -> None:
    for first in range(0, EVENTS, PER_SEGMENT):
        await publish_all(sink, events(PER_SEGMENT, first=first, body=os.urandom(3000)))
    taken = await source.take(max_events=COMMITTED, max_bytes=2**30, wait_s=5)
    assert len(taken) == COMMITTED
    await source.write_dead_letters(
        [DeadLetter(payload=b"?", position=taken[0].position, code="undecodable", reason="no event")]
    )
    await source.commit()


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def last_page(path: Path) -> None:
    overwrite(path, path.stat().st_size - PAGE, os.urandom(PAGE))


def middle_pages(path: Path) -> None:
    middle = path.stat().st_size // PAGE // 2
    overwrite(path, middle * PAGE, os.urandom(6 * PAGE))


def root_of_segments(path: Path) -> None:
    connection = sqlite3.connect(path)
    (number,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'segment'").fetchone()
    connection.close()
    overwrite(path, (number - 1) * PAGE, os.urandom(PAGE))


def positions(path: Path) -> None:
    connection = sqlite3.connect(path)
    (number,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'consumer'").fetchone()
    connection.close()
    overwrite(path, (number - 1) * PAGE, os.urandom(PAGE))


def header(path: Path) -> None:
    overwrite(path, 0, bytes(100))


def first_page(path: Path) -> None:
    overwrite(path, 0, os.urandom(PAGE))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3 // PAGE * PAGE + 1000)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def tenth_of_log(path: Path) -> None:
    overwrite(log_of(path), log_of(path).stat().st_size // 10, os.urandom(PAGE))


def middle_of_log(path: Path) -> None:
    overwrite(log_of(path), log_of(path).stat().st_size // 2, os.urandom(PAGE))


def header_of_log(path: Path) -> None:
    """All that follows the magic number: only the checksum reports."""
    overwrite(log_of(path), 8, os.urandom(24))


LOG_DAMAGES = (tenth_of_log, middle_of_log, header_of_log)

DAMAGES: dict[str, Callable[[Path], None]] = {
    damage.__name__: damage
    for damage in (
        last_page,
        middle_pages,
        root_of_segments,
        positions,
        header,
        first_page,
        truncated,
        emptied,
        *LOG_DAMAGES,
    )
}


async def all_of_it(source: JournalSource) -> list[str]:
    """What comes until nothing does any more."""
    taken = list(await take_rest(source))
    while more := await source.take(max_events=1000, max_bytes=2**30, wait_s=0.2):
        taken += more
    assert len({delivery.position for delivery in taken}) == len(taken)
    return ids_of([delivery for delivery in taken if not delivery.payload.startswith(b"\x28\xb5\x2f\xfd")])


@pytest.mark.parametrize("kind", DAMAGES)
async def test_damage_from_before_the_start_costs_no_new_event_and_what_can_be_saved_is(path: Path, kind: str) -> None:
    await (fill_and_kill if DAMAGES[kind] in LOG_DAMAGES else fill)(path)
    before = ids_of(events(EVENTS - COMMITTED, first=COMMITTED))
    DAMAGES[kind](path)

    metrics = Metrics()
    source = JournalSource(path, metrics=metrics)
    sink = a_sink(path, metrics)
    new = ids_of(events(10, first=EVENTS))
    await publish_all(sink, events(10, first=EVENTS))
    found = await all_of_it(source)
    assert Counter(new) <= Counter(found)
    assert (metrics.get("log_durable_total"), metrics.get("log_lost_total"), metrics.health.unhealthy_reason) == (
        10,
        0,
        "",
    )
    assert metrics.health.current_warnings(), "an operator hears of it"
    assert "degraded" in metrics.health.render()
    await source.commit()

    (result,) = await salvaged_elsewhere(path)
    found += await all_of_it(source)
    assert not metrics.health.current_warnings(), "there is nothing to salvage any more"
    saved = set(before) & set(found)
    lost = len(before) - len(saved)
    assert result.is_lower_bound or result.lost_events == lost
    assert result.lost_events <= lost
    if kind not in ("emptied", "truncated"):
        assert lost <= 12 * PER_SEGMENT, "most is saved"
    if kind in ("last_page", "middle_pages", "root_of_segments", "header", "truncated"):
        assert not result.is_lower_bound
    assert set_aside(result) or kind == "emptied"
    await source.commit()
    await publish_all(sink, events(1, first=1000))
    assert ids_of(await take_count(source, 1)) == ids_of(events(1, first=1000))
    await sink.close()
    await source.close()


def set_aside(result: Salvaged) -> int:
    """How many bytes of the file are still there."""
    return Path(result.set_aside_as).stat().st_size


SALVAGE = """
    import asyncio, sys
    import msgspec
    from services.stores.journal.salvage import salvage
    print(msgspec.json.encode(asyncio.run(salvage(sys.argv[1]))).decode())
"""


async def salvaged_elsewhere(path: Path) -> list[Salvaged]:
    """As the command does it: in a process of its own."""
    import textwrap

    command = [sys.executable, "-c", textwrap.dedent(SALVAGE), str(path)]
    done = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=list[Salvaged])


@pytest.mark.parametrize("kind", ["last_page", "middle_pages", "root_of_segments", "header", "truncated", "emptied"])
async def test_damage_below_a_running_log_costs_no_new_event(
    path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(path)
    metrics = Metrics()
    source, sink = JournalSource(path, metrics=metrics), a_sink(path, metrics)
    await publish_all(sink, events(1, first=500))
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    DAMAGES[kind](path)
    new = events(30, first=EVENTS)
    for event in new:
        await publish_all(sink, [event])
    await sink.close()
    found = await all_of_it(source)
    await source.close()
    assert (metrics.get("log_durable_total"), metrics.get("log_lost_total")) == (31, 0)
    again = JournalSource(path)
    found += await all_of_it(again)
    await again.close()
    await salvaged_elsewhere(path)
    last = JournalSource(path)
    found += await all_of_it(last)
    await last.close()
    missing = set(ids_of(new)) - set(found)
    assert missing == set(), caplog.records


WRITE_UNTIL_KILLED = """
    import asyncio, sys
    from services.stores.journal.sink import JournalSink
    from services.telemetry.metrics import Metrics
    from tests.support.logs import events

    async def main():
        sink = JournalSink(sys.argv[1], metrics=Metrics(), group_s=0.001)
        for event in events(20):
            await sink.publish(event)
        print("written", flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


def write_until_killed(path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITE_UNTIL_KILLED), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        os.kill(process.pid, signal.SIGKILL)


async def test_a_write_ahead_log_that_was_zeroed_is_seen_at_the_start(path: Path) -> None:
    await asyncio.to_thread(write_until_killed, path)
    log = path.with_name("journal.sqlite-wal")
    zeroes = bytes(log.stat().st_size)
    log.write_bytes(zeroes)
    metrics = Metrics()
    sink = a_sink(path, metrics)
    await publish_all(sink, events(5, first=100))
    assert len(metrics.health.current_warnings()) == 1
    assert log.read_bytes() == zeroes, "what is there may be needed yet"
    (result,) = await salvaged_elsewhere(path)
    assert result.is_lower_bound
    source = JournalSource(path)
    assert set(ids_of(events(5, first=100))) <= set(await all_of_it(source))
    await source.close()
    await sink.close()


async def log_of_killed(path: Path) -> bytes:
    await fill_and_kill(path)
    return log_of(path).read_bytes()


FRAME = 24 + PAGE


def ends_of_transactions(log: bytes) -> list[int]:
    """Behind each frame that commits."""
    frames = range(32, len(log) - FRAME + 1, FRAME)
    return [at + FRAME for at in frames if log[at + 4 : at + 8] != bytes(4)]


async def test_a_last_transaction_that_a_power_failure_tore_is_no_damage(path: Path) -> None:
    log = await log_of_killed(path)
    *_, before, end = ends_of_transactions(log)
    torn = bytearray(log[:end])
    torn[before + 24 : before + 24 + PAGE] = bytes(PAGE)  # its first page did not reach the disk, its commit did
    for left in (bytes(torn), log[: end - 100], log[: before + FRAME]):
        log_of(path).write_bytes(left)
        assert log_damage(log_of(path)) == ""


async def test_what_failed_writes_left_behind_the_end_of_the_log_is_no_damage(path: Path) -> None:
    """Each began where the one before it had, was longer than what came after it, and has its commit at its end."""
    log = await log_of_killed(path)
    first, second, third, fourth = ends_of_transactions(log)[20:24]  # of several frames each
    longest, longer, last = log[third:fourth], log[second:third], log[first:second]
    left = log[:first] + last + longer[-FRAME:] + longest[-FRAME:]
    log_of(path).write_bytes(left)
    assert log_damage(log_of(path)) == ""
    open_journal(path).close()


@pytest.mark.parametrize("transactions", [1, 2, 3])
async def test_damage_is_seen_wherever_another_transaction_follows(path: Path, transactions: int) -> None:
    log = await log_of_killed(path)
    before = ends_of_transactions(log)[-1 - transactions]
    damaged = bytearray(log)
    damaged[before - 100 : before - 50] = os.urandom(50)  # in the page of the frame that commits
    log_of(path).write_bytes(bytes(damaged))
    assert f"damaged at byte {before - FRAME}" in log_damage(log_of(path))
    with pytest.raises(JournalDamaged):
        open_journal(path)
    assert log_of(path).read_bytes() == damaged


async def test_a_log_that_is_being_written_is_never_taken_for_damaged(path: Path) -> None:
    sink, stop, found = a_sink(path), threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            found.append(log_damage(log_of(path)))

    looking = asyncio.create_task(asyncio.to_thread(look))
    for first in range(0, 3000, 10):
        await publish_all(sink, events(10, first=first, body=os.urandom(3000)))
    stop.set()
    await looking
    await sink.close()
    assert set(found) == {""}


async def test_what_a_writer_commits_until_the_damaged_file_is_set_aside_is_saved_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(path)
    positions(path)
    late, set_aside = sqlite3.connect(path, isolation_level=None, check_same_thread=False), salvaging._set_aside
    late.execute("SELECT count(*) FROM segment")
    JournalFiles(path).begin_after(path, "for the test")
    payload = encode_event(events(1, first=EVENTS)[0])

    def after_a_late_commit(file: Path) -> Path:
        late.execute("INSERT INTO segment VALUES (1000, 0, 1, 10000, ?)", (pack_segment([payload]),))
        return set_aside(file)

    monkeypatch.setattr(salvaging, "_set_aside", after_a_late_commit)
    await salvaging.salvage(path)
    late.close()
    source = JournalSource(path)
    assert ids_of(events(1, first=EVENTS))[0] in await all_of_it(source)
    await source.close()


PUBLISH_UNTIL_REPORTED = """
    import asyncio, sys
    from services.stores.journal.sink import JournalSink
    from services.telemetry.metrics import Metrics
    from tests.support.logs import events

    async def main():
        sink = JournalSink(sys.argv[1], metrics=Metrics(), group_s=0.001)
        first, stdin = int(sys.argv[2]), asyncio.to_thread(sys.stdin.read)
        stopped = asyncio.create_task(stdin)
        count = 0
        while not stopped.done():
            await sink.publish(events(1, first=first + count)[0])
            count += 1
        await sink.close()
        print(count)

    asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["last_page", "root_of_segments"])
async def test_salvaging_under_load_costs_no_event_that_was_durable(path: Path, kind: str) -> None:
    await fill(path)
    DAMAGES[kind](path)
    starts = [10_000, 1_000_000, 2_000_000]
    command = [sys.executable, "-c", textwrap.dedent(PUBLISH_UNTIL_REPORTED), str(path)]
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                subprocess.Popen(  # noqa: ASYNC220  # begun before anything waits
                    [*command, str(first)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for first in starts
        ]
        await asyncio.sleep(1)
        results = await salvaged_elsewhere(path)
        await asyncio.sleep(0.5)
        counts = [int((await asyncio.to_thread(writer.communicate, "", 60))[0]) for writer in writers]
    results += await salvaged_elsewhere(path)
    assert results
    assert min(counts) > 0
    source = JournalSource(path)
    durable = {one for first, count in zip(starts, counts, strict=True) for one in ids_of(events(count, first=first))}
    assert durable - set(await all_of_it(source)) == set()
    await source.close()


async def test_all_writers_go_on_in_the_fresh_file_and_ids_stay_unique(path: Path) -> None:
    await fill(path)
    sinks = [a_sink(path) for _ in range(3)]
    source = JournalSource(path)
    positions(path)
    JournalFiles(path).begin_after(path, "for the test")
    for number in range(15):
        await publish_all(sinks[number % 3], events(1, first=EVENTS + number))
    rows = journal_rows(path.with_name("journal.2.sqlite"), "SELECT sum(event_count) FROM segment")
    assert int(rows[0][0]) == 15
    assert set(ids_of(events(15, first=EVENTS))) <= set(await all_of_it(source))
    await source.close()
    for sink in sinks:
        await sink.close()


async def test_a_later_file_that_was_emptied_is_damaged_though_it_is_the_only_one(path: Path) -> None:
    await fill(path)
    last_page(path)
    metrics = Metrics()
    for number in (2, 3):
        await salvaged_elsewhere(path)
        later = path.with_name(f"journal.{number}.sqlite")
        assert [file.name for file in JournalFiles(path).paths()] == [later.name]
        emptied(later)
    sink = a_sink(path, metrics)
    await publish_all(sink, events(1, first=EVENTS))
    await sink.close()
    assert [str(later) in warning for warning in metrics.health.current_warnings()] == [True]


async def test_a_fresh_file_is_never_seen_empty(path: Path) -> None:
    files = JournalFiles(path)
    open_journal(path).close()
    files.begin_after(path, "for the test")
    fresh = path.with_name("journal.2.sqlite")
    assert journal_rows(fresh, "SELECT count(*) FROM segment") == [(0,)]
    assert fresh.stat().st_mode & 0o777 == 0o600
    assert set(names(path)) == {"journal.sqlite", "journal.2.sqlite"}


async def test_the_dead_letters_of_a_damaged_file_are_listed_and_kept(path: Path) -> None:
    await fill(path)
    last_page(path)
    JournalFiles(path).begin_after(path, "for the test")
    dead_letters = JournalDeadLetters(path)
    assert [dead_letter.payload async for dead_letter in dead_letters.read()] == [b"?"]
    await dead_letters.close()
    (result,) = await salvaged_elsewhere(path)
    assert result.dead_letters == 1
    again = JournalDeadLetters(path)
    assert [dead_letter.payload async for dead_letter in again.read()] == [b"?"]
    await again.close()


async def test_a_journal_without_damage_has_nothing_to_salvage_and_stays_as_it_is(path: Path) -> None:
    await fill(path)
    before = set(names(path))
    assert await salvaged_elsewhere(path) == []
    assert set(names(path)) == before


def names(path: Path) -> list[str]:
    return [file.name for file in path.parent.iterdir()]


def test_a_file_of_another_kind_is_refused_and_nothing_is_put_beside_it(path: Path) -> None:
    path.write_text("this is a text, and somebody mistyped a path")
    with pytest.raises(BrokerUnavailable, match="not a journal"):
        a_sink(path)
    assert names(path) == ["journal.sqlite"]
