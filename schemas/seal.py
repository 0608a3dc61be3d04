"""Until when what is counted is complete: where the event log stands, who works on it, and the seal that follows."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec


class LogPosition(msgspec.Struct, frozen=True, kw_only=True):
    """Of one partition of the event log, in entries since its beginning."""

    counted: int  # whose rows are in the warehouse, as the workers have committed
    end: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Events that have been recorded and are not in the log yet."""

    events: int = 0
    since: datetime | None = None  # when the oldest of them was recorded; None when there are none

    def plus(self, other: "Held") -> "Held":
        """Of both together."""
        known = [since for since in (self.since, other.since) if since is not None]
        return Held(events=self.events + other.events, since=min(known, default=None))


class LogSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The event log at one time. What was held was looked at before the ends."""

    positions: Mapping[str, LogPosition]  # by partition
    held: Held = Held()  # beside the log, as far as it can be seen from here
    dead_letters: int = 0


class MemberKind(StrEnum):
    """What a process does with the event log."""

    WRITER = "writer"
    WORKER = "worker"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A process that works on the event log, as it was last heard."""

    id: str
    kind: MemberKind
    place: str = ""  # of what a writer holds: who opens the same place takes that over
    heard_at: datetime
    held: Held = Held()


class LogProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What the members have written down of themselves, and of the log."""

    complete_until: Mapping[str, datetime]  # by partition: all that was recorded before is in the rows
    members: tuple[Member, ...]


class SealState(StrEnum):
    """Whether anything that was recorded is missing from the totals."""

    COMPLETE = "complete"  # nothing that was recorded before `complete_until`, which is about now
    WAITING = "waiting"  # events wait, or may: only `complete_until` is sure
    UNKNOWN = "unknown"


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of every total that is computed afterwards."""

    state: SealState
    complete_until: datetime | None = None  # every event recorded before is in the rows; None: nothing is known
    events_waiting: int | None = None
    dead_lettered_events: int | None = None
    reason: str = ""  # why it is not complete
    alarm: str = ""  # what an operator should look at
