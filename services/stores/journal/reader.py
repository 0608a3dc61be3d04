"""One file of a journal as one consumer reads it: whole segments in order, and the place up to which it has."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from schemas.errors import JournalDamaged
from schemas.event import Delivery
from services.stores.journal.file import is_damage, open_damaged, unavailable, unix_ms, unpack_segment
from services.stores.journal.files import JournalFiles

PROBES = 20_000  # ids that are tried one by one behind a place that cannot be read
PROBE_AGAIN_S = 60.0  # for what a writer added that did not know yet

T = TypeVar("T")

_SEGMENTS = "SELECT id, event_count, events_through, payload FROM segment"


class Mark(NamedTuple):
    """A place between two segments: after `segment_id`, when `events_through` events had passed."""

    segment_id: int
    events_through: int


class Batch:
    """What was read behind a mark, up to some size."""

    def __init__(self, mark: Mark, *, label: str, max_events: int, max_bytes: int) -> None:
        self.mark = mark
        self.deliveries: list[Delivery] = []
        self.size_bytes = 0
        self._label = label
        self._max_events = max_events
        self._max_bytes = max_bytes

    @property
    def is_full(self) -> bool:
        return len(self.deliveries) >= self._max_events or self.size_bytes >= self._max_bytes

    def add(self, segment_id: int, events_through: int, packed: bytes) -> None:
        payloads = unpack_segment(packed)
        place = f"{self._label}:{segment_id}"
        if (
            payloads is None
        ):  # as it is, for the worker to write_dead_letters: one damaged segment does not stop the log
            arrived = [Delivery(payload=packed, position=place)]
        else:
            arrived = [Delivery(payload=one, position=f"{place}/{index}") for index, one in enumerate(payloads)]
        self.deliveries += arrived
        self.size_bytes += sum(len(delivery.payload) for delivery in arrived)
        self.mark = Mark(segment_id, events_through)


class FileReader:
    """Reads `path` for `consumer` from where that left off. One thread at a time.

    Damage is no error: `damage` then says what it is, and what can still be read is read.
    """

    def __init__(self, path: Path, consumer: str, files: JournalFiles) -> None:
        """`path` is one of `files`. Raises: BrokerUnavailable when it cannot be used now."""
        self.path = path
        self.damage: JournalDamaged | None = None
        self.unreadable_events = 0  # skipped so far
        self._consumer = consumer
        self._files = files
        self._connection: sqlite3.Connection | None = None
        self._probe_at_s = 0.0
        self.committed = self.taken = self.attempt(self._registered, Mark(0, 0))

    def read(self, *, max_events: int, max_bytes: int) -> Batch:
        """What follows `taken`. Raises: BrokerUnavailable."""
        batch = Batch(self.taken, label=self._files.label(self.path), max_events=max_events, max_bytes=max_bytes)
        if self.damage and time.monotonic() < self._probe_at_s:
            return batch
        self.attempt(lambda connection: _fill(connection, batch), None)
        if self.damage and not batch.deliveries:
            self._probe_at_s = time.monotonic() + PROBE_AGAIN_S
            self.attempt(lambda connection: self._skip(connection, batch), None)
        return batch

    def store(self, mark: Mark) -> None:
        """Writes down that all before `mark` is done with. Raises: BrokerUnavailable.

        Not in a damaged file: what could not be read was passed over, and salvaging must not pass it over too. It is
        read again after a restart, which changes nothing.
        """
        if self.damage:
            self.committed = mark
            return
        values = (*mark, unix_ms(), self._consumer)
        statement = "UPDATE consumer SET segment_id = ?, events_through = ?, updated_at_ms = ? WHERE name = ?"
        self.attempt(lambda connection: connection.execute(statement, values), None)
        self.committed = mark

    def backlog(self) -> int:
        """Events that are not committed and can be read. Raises: BrokerUnavailable."""
        if self._probe_at_s and self.committed == self.taken:
            return 0
        query = "SELECT ifnull(max(events_through), 0) FROM segment WHERE id = (SELECT max(id) FROM segment)"
        through = self.attempt(lambda connection: int(connection.execute(query).fetchone()[0]), 0)
        return max(0, through - self.committed.events_through)

    def attempt(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What `work` makes of a connection; `otherwise` where damage keeps it from that. Raises: BrokerUnavailable."""
        try:
            return work(self._connected())
        except JournalDamaged as error:
            self.damage = self.damage or error
        except (sqlite3.Error, OSError) as error:
            failure = unavailable(self.path, error)
            if not isinstance(failure, JournalDamaged):
                self.close()  # after a fault a connection may stay broken
                raise failure from error
            self.damage = self.damage or failure
        return otherwise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = self._files.open(self.path)
            except JournalDamaged as error:
                self.damage = self.damage or error
                self._connection = open_damaged(self.path)
        return self._connection

    def _registered(self, connection: sqlite3.Connection) -> Mark:
        """Where this consumer goes on; a new one is written down, so that pruning waits for it."""
        query = "SELECT segment_id, events_through FROM consumer WHERE name = ?"
        row = connection.execute(query, (self._consumer,)).fetchone()
        if row is None and not self.damage:
            connection.execute("INSERT OR IGNORE INTO consumer VALUES (?, 0, 0, ?)", (self._consumer, unix_ms()))
        return Mark(*(row or (0, 0)))

    def _skip(self, connection: sqlite3.Connection, batch: Batch) -> None:
        """Goes on behind what cannot be read, and counts what was skipped."""
        before = batch.mark
        for segment_id in range(before.segment_id + 1, before.segment_id + 1 + PROBES):
            row = _segment(connection, segment_id)
            if row is not None:
                _, event_count, events_through, packed = row
                self._count_skipped(before, events_through - event_count)
                batch.add(segment_id, events_through, packed)
                self._probe_at_s = 0.0
                return
        last = connection.execute("SELECT id, events_through FROM segment ORDER BY id DESC LIMIT 1").fetchone()
        if last is not None:
            batch.mark = max(before, Mark(*last))
            self._count_skipped(before, batch.mark.events_through)

    def _count_skipped(self, before: Mark, events_through: int) -> None:
        # Of a consumer that begins, nobody knows what was pruned before it came.
        if before.segment_id:
            self.unreadable_events += max(0, events_through - before.events_through)


def _fill(connection: sqlite3.Connection, batch: Batch) -> None:
    rows = connection.execute(f"{_SEGMENTS} WHERE id > ? ORDER BY id", (batch.mark.segment_id,))
    try:
        for segment_id, _, events_through, packed in rows:
            batch.add(segment_id, events_through, packed)
            if batch.is_full:
                break
    finally:
        rows.close()  # an open read would keep the write-ahead log from being folded in


def _segment(connection: sqlite3.Connection, segment_id: int) -> tuple[int, int, int, bytes] | None:
    """None when it is not there or cannot be read."""
    try:
        row: tuple[int, int, int, bytes] | None = connection.execute(
            f"{_SEGMENTS} WHERE id = ?", (segment_id,)
        ).fetchone()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return None
    return row
