"""Where the log and its members stand -> until when totals are complete.

Log order is not the order of recording: a proxy may hold an event for hours while another one's pass. So nothing is
concluded from the events themselves. What is known is this: at some time all that was recorded before T had reached
the log, whose partitions ended there and there. Once the workers have counted up to these ends, totals are complete
until T, and stay so.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from schemas.seal import LogProgress, LogSnapshot, Member, MemberKind, Seal, SealState

# From the timestamp that an event is given until its sink has it: microseconds, unless the process is stopped.
SETTLE: Final = timedelta(seconds=1)
SILENT_AFTER: Final = timedelta(seconds=15)  # of a member, which is heard every few seconds
# A writer that ended without a word may have left events on its disk. One that said so is believed for as long as the
# log keeps anything; of the others nobody knows, and after some time nobody waits.
FORGET_AFTER: Final = timedelta(hours=1)
FORGET_HOLDER_AFTER: Final = timedelta(days=7)
LAG_ALARM: Final = timedelta(seconds=60)

_MOST_ENDS: Final = 64  # of a partition that are remembered while they are not reached


def published_until(now: datetime, snapshot: LogSnapshot, progress: LogProgress) -> datetime:
    """All that was recorded before had reached the log when `snapshot` was taken, after `progress` and `now`."""
    bounds = [now - SETTLE]
    if snapshot.held.since is not None:
        bounds.append(snapshot.held.since)
    for writer in _writers(progress, now):
        bounds.append(writer.heard_at - SETTLE)
        if writer.held.since is not None:
            bounds.append(writer.held.since)
    return min(bounds)


class Ends:
    """Ends of partitions that were seen, each with the timestamp until which all that was recorded is before it."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[int, datetime]]] = defaultdict(list)

    def observe(self, snapshot: LogSnapshot, until: datetime) -> Mapping[str, datetime]:
        """Until when each partition is complete, where that is known by now. `until` is `published_until`."""
        complete = {}
        for partition, position in snapshot.positions.items():
            seen = self._seen[partition]
            if seen and seen[-1][0] == position.end:
                seen.pop()
            seen.append((position.end, until))
            reached = [at for end, at in seen if end <= position.counted]
            if reached:
                complete[partition] = max(reached)
                del seen[: len(reached) - 1]
            if len(seen) > _MOST_ENDS:
                del seen[1:-1:2]
        return complete


def seal_of(now: datetime, snapshot: LogSnapshot, progress: LogProgress) -> Seal:
    """The seal of what is read from the warehouse after `snapshot`, which was taken after `progress` and `now`."""
    waiting = _waiting(now, snapshot, progress)
    complete_until = _complete_until(now, snapshot, progress)
    reasons = list(_reasons(now, waiting, progress))
    lag_alarm = waiting > 0 and (complete_until is None or now - complete_until > LAG_ALARM)
    is_lagging = lag_alarm or any(reason != _EVENTS_WAIT for reason in reasons)
    return Seal(
        state=SealState.WAITING if reasons else SealState.COMPLETE,
        complete_until=complete_until,
        events_waiting=waiting,
        dead_lettered_events=snapshot.dead_letters,
        reason="; ".join(reasons),
        alarm=_alarm(complete_until, waiting, reasons) if is_lagging else "",
    )


def unknown_seal(reason: str) -> Seal:
    """Of a log, or of progress, that cannot be read."""
    alarm = f"it is unknown whether totals are complete: {reason}"
    return Seal(state=SealState.UNKNOWN, reason=reason, alarm=alarm)


def is_forgotten(member: Member, now: datetime) -> bool:
    """Whether what `member` may have left counts no more."""
    limit = FORGET_HOLDER_AFTER if member.held.events else FORGET_AFTER
    return now - member.heard_at > limit


_EVENTS_WAIT: Final = "events wait to be counted"


def _waiting(now: datetime, snapshot: LogSnapshot, progress: LogProgress) -> int:
    in_log = sum(max(0, position.end - position.counted) for position in snapshot.positions.values())
    return in_log + snapshot.held.events + sum(writer.held.events for writer in _writers(progress, now))


def _complete_until(now: datetime, snapshot: LogSnapshot, progress: LogProgress) -> datetime | None:
    published = published_until(now, snapshot, progress)
    bounds = [published]
    for partition, position in snapshot.positions.items():
        if position.counted >= position.end:
            continue
        known = progress.complete_until.get(partition)
        if known is None:
            return None
        bounds.append(known)
    return min(bounds)


def _reasons(now: datetime, waiting: int, progress: LogProgress) -> Iterator[str]:
    if waiting:
        workers = [member.heard_at for member in progress.members if member.kind is MemberKind.WORKER]
        if not workers:
            yield "no worker runs"
        elif now - max(workers) > SILENT_AFTER:
            yield f"no worker was heard for {(now - max(workers)).total_seconds():.0f} s"
        else:
            yield _EVENTS_WAIT
    silent = [writer.heard_at for writer in _writers(progress, now) if now - writer.heard_at > SILENT_AFTER]
    if silent:
        who = "a process that writes events has" if len(silent) == 1 else f"{len(silent)} writers of events have"
        yield f"{who} been silent since {min(silent):%Y-%m-%dT%H:%M:%SZ}"


def _alarm(complete_until: datetime | None, waiting: int, reasons: list[str]) -> str:
    until = (
        "not known to be complete" if complete_until is None else f"complete until {complete_until:%Y-%m-%dT%H:%M:%SZ}"
    )
    return f"totals are {until}, {waiting:,} events wait: {'; '.join(reasons)}"


def _writers(progress: LogProgress, now: datetime) -> Iterator[Member]:
    return (member for member in progress.members if member.kind is MemberKind.WRITER and not is_forgotten(member, now))
