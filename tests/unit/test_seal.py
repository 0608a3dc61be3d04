"""What is said of totals: until when they are complete, what waits, why, and when an operator should look."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.seal import Held, LogPosition, LogProgress, LogSnapshot, Member, MemberKind, SealState
from services.domain.seal import SETTLE, Ends, seal_of, unknown_seal
from tests.builders.records import TIMESTAMP

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def a_snapshot(
    counted: int = 5, end: int = 5, held: Held | None = None, other: tuple[int, int] = (0, 0)
) -> LogSnapshot:
    positions = {"a": LogPosition(counted=counted, end=end), "b": LogPosition(counted=other[0], end=other[1])}
    return LogSnapshot(positions=positions, held=held or Held(), dead_letters=2)


def a_worker(heard: timedelta = timedelta(0)) -> Member:
    return Member(id="worker", kind=MemberKind.WORKER, heard_at=TIMESTAMP - heard)


def a_writer(heard: timedelta = timedelta(0), events: int = 0, since: timedelta | None = None) -> Member:
    held = Held(events=events, since=None if since is None else TIMESTAMP - since)
    return Member(id="writer", kind=MemberKind.WRITER, heard_at=TIMESTAMP - heard, held=held)


def progress(*members: Member, **complete_until: datetime) -> LogProgress:
    return LogProgress(complete_until=complete_until, members=members)


NOW = TIMESTAMP - SETTLE
BEHIND = {"a": TIMESTAMP - 9 * SECOND, "b": TIMESTAMP - 7 * SECOND}
SILENT = "a process that writes events has been silent since"

# Snapshot, progress -> state, seconds until which totals are complete, events waiting, reason, whether there is alarm.
CASES: dict[str, tuple[LogSnapshot, LogProgress, SealState, datetime | None, int, str, bool]] = {
    "all is counted": (a_snapshot(), progress(a_worker()), SealState.COMPLETE, NOW, 0, "", False),
    "all is counted, and no worker runs": (a_snapshot(), progress(), SealState.COMPLETE, NOW, 0, "", False),
    "events are on their way": (
        a_snapshot(end=7),
        progress(a_worker(), **BEHIND),
        *(SealState.WAITING, BEHIND["a"], 2, "events wait to be counted", False),
    ),
    "both partitions are behind": (
        a_snapshot(end=7, other=(1, 4)),
        progress(a_worker(), **BEHIND | {"a": TIMESTAMP - 3 * SECOND}),
        *(SealState.WAITING, BEHIND["b"], 5, "events wait to be counted", False),
    ),
    "nothing was ever said of the partition": (
        a_snapshot(counted=0),
        progress(a_worker()),
        *(SealState.WAITING, None, 5, "events wait to be counted", True),
    ),
    "workers lag": (
        a_snapshot(end=7),
        progress(a_worker(), a=TIMESTAMP - 61 * SECOND),
        *(SealState.WAITING, TIMESTAMP - 61 * SECOND, 2, "events wait to be counted", True),
    ),
    "no worker runs": (
        a_snapshot(end=65),
        progress(**BEHIND),
        *(SealState.WAITING, BEHIND["a"], 60, "no worker runs", True),
    ),
    "the worker was killed": (
        a_snapshot(end=65),
        progress(a_worker(20 * SECOND), **BEHIND),
        *(SealState.WAITING, BEHIND["a"], 60, "no worker was heard for 20 s", True),
    ),
    "a file beside the journal holds events": (
        a_snapshot(held=Held(events=3, since=TIMESTAMP - 4 * SECOND)),
        progress(a_worker()),
        *(SealState.WAITING, TIMESTAMP - 4 * SECOND, 3, "events wait to be counted", False),
    ),
    "a writer holds events": (
        a_snapshot(),
        progress(a_worker(), a_writer(events=3, since=5 * SECOND)),
        *(SealState.WAITING, TIMESTAMP - 5 * SECOND, 3, "events wait to be counted", False),
    ),
    "a writer was heard a short time ago": (
        a_snapshot(),
        progress(a_worker(), a_writer(2 * SECOND)),
        *(SealState.COMPLETE, TIMESTAMP - 2 * SECOND - SETTLE, 0, "", False),
    ),
    "a writer is silent": (
        a_snapshot(),
        progress(a_worker(), a_writer(20 * SECOND)),
        *(SealState.WAITING, TIMESTAMP - 20 * SECOND - SETTLE, 0, f"{SILENT} 2026-11-01T11:59:40Z", True),
    ),
    "a silent writer is not waited for beyond an hour": (
        a_snapshot(),
        progress(a_worker(), a_writer(HOUR + SECOND)),
        *(SealState.COMPLETE, NOW, 0, "", False),
    ),
    "unless it said that it held events": (
        a_snapshot(),
        progress(a_worker(), a_writer(HOUR + SECOND, events=1, since=2 * HOUR)),
        *(
            SealState.WAITING,
            TIMESTAMP - 2 * HOUR,
            1,
            f"events wait to be counted; {SILENT} 2026-11-01T10:59:59Z",
            True,
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_seal_says_what_is_known(case: str) -> None:
    snapshot, written, *expected = CASES[case]
    seal = seal_of(TIMESTAMP, snapshot, written)
    found: list[Any] = [seal.state, seal.complete_until, seal.events_waiting, seal.reason, bool(seal.alarm)]
    assert found == expected
    assert seal.dead_lettered_events == 2


def test_what_cannot_be_looked_at_is_unknown_and_an_alarm() -> None:
    seal = unknown_seal("the log is unreachable")
    assert (seal.state, seal.complete_until, seal.events_waiting) == (SealState.UNKNOWN, None, None)
    assert "the log is unreachable" in seal.alarm


def test_a_partition_is_complete_until_what_was_known_when_its_end_was_seen() -> None:
    ends = Ends()
    assert ends.observe(a_snapshot(counted=0, end=5), TIMESTAMP) == {"b": TIMESTAMP}
    assert ends.observe(a_snapshot(counted=4, end=9), TIMESTAMP + SECOND) == {"b": TIMESTAMP + SECOND}
    assert ends.observe(a_snapshot(counted=6, end=9), TIMESTAMP + 2 * SECOND)["a"] == TIMESTAMP
    assert ends.observe(a_snapshot(counted=9, end=12), TIMESTAMP + 3 * SECOND)["a"] == TIMESTAMP + 2 * SECOND
    assert ends.observe(a_snapshot(counted=12, end=12), TIMESTAMP + 4 * SECOND)["a"] == TIMESTAMP + 4 * SECOND


def test_ends_that_are_not_reached_for_long_do_not_fill_the_memory() -> None:
    ends = Ends()
    for number in range(10_000):
        ends.observe(a_snapshot(counted=0, end=number + 1), TIMESTAMP + number * SECOND)
    assert len(ends._seen["a"]) < 100
    complete = ends.observe(a_snapshot(counted=5_000, end=10_001), TIMESTAMP + 10_000 * SECOND)["a"]
    assert TIMESTAMP <= complete < TIMESTAMP + 5_000 * SECOND
