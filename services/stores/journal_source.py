"""The reading end of the journal: whole segments in order, a stored position, and the removal of what is done with."""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from schemas.errors import BrokerUnavailable
from schemas.event import DeadLetter, Delivery
from services.stores.journal import open_journal, unix_ms, unpack_segment
from services.stores.private_files import make_private_file

logger = logging.getLogger(__name__)

POLL_S = 0.020
PRUNE_SEGMENTS = 10_000  # one step; a commit makes one step, and takes less than a step holds
PRUNE_BYTES = 32 * 2**20
SHRINK_PAGES = 2048
SLACK_PAGES = 8192  # free pages that stay in the file: the next segments need them again

T = TypeVar("T")


class _Mark(NamedTuple):
    """A place between two segments: after `segment_id`, when `events_through` events had passed."""

    segment_id: int
    events_through: int


class JournalSource:
    """An EventSource on the SQLite file `path`, for the only live consumer called `consumer`.

    Committed segments go when they are older than `keep_s`, and oldest first while the file uses more than
    `keep_bytes`. What any consumer of the file has not committed stays, unless that one is not alive and has committed
    nothing for `keep_s`: it is forgotten, and begins anew with what is left if it comes again.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        consumer: str = "farebox-workers",
        keep_s: float = 72 * 3600,
        keep_bytes: int = 10 * 2**30,
    ) -> None:
        """Raises: BrokerUnavailable when the file cannot be opened, or when another `consumer` is alive on it."""
        self._path = Path(path)
        self._consumer = consumer
        self._keep_ms = int(keep_s * 1000)
        self._keep_bytes = keep_bytes
        self._connection = open_journal(self._path)
        try:
            self._lease = _lease(self._path, consumer)
            self._committed = self._taken = self._register()
        except BrokerUnavailable:
            self._connection.close()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")

    async def take(self, *, max_events: int, max_bytes: int, wait_s: float) -> Sequence[Delivery]:
        deadline_s = time.monotonic() + wait_s
        while True:
            deliveries, mark = await self._run(lambda: self._read(self._taken, max_events, max_bytes))
            left_s = deadline_s - time.monotonic()
            if deliveries or left_s <= 0:
                # Only now, when they are surely handed over: a take that is cancelled has taken nothing.
                self._taken = mark
                return deliveries
            await asyncio.sleep(min(POLL_S, left_s))

    async def commit(self) -> None:
        mark = self._taken
        if mark != self._committed:
            await self._run(lambda: self._store(mark))
            self._committed = mark
            await self._run(self._prune)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        rows = [(letter.position, letter.code, letter.reason, unix_ms(), letter.payload) for letter in letters]
        if rows:
            await self._run(lambda: self._insert_dead(rows))

    async def backlog(self) -> int:
        """Events in the journal that this consumer has not committed. Raises: BrokerUnavailable."""
        query = "SELECT ifnull(max(events_through), 0) FROM segment WHERE id = (SELECT max(id) FROM segment)"
        through: int = await self._run(lambda: self._connection.execute(query).fetchone()[0])
        return max(0, through - self._committed.events_through)

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()
        self._lease.close()

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise BrokerUnavailable(f"journal {self._path}: {error}") from error

    def _register(self) -> _Mark:
        """Where this consumer goes on; a new one is written down, so that pruning waits for it."""
        try:
            self._connection.execute("INSERT OR IGNORE INTO consumer VALUES (?, 0, 0, ?)", (self._consumer, unix_ms()))
            query = "SELECT segment_id, events_through FROM consumer WHERE name = ?"
            return _Mark(*self._connection.execute(query, (self._consumer,)).fetchone())
        except sqlite3.Error as error:
            self._lease.close()
            raise BrokerUnavailable(f"journal {self._path}: {error}") from error

    # From here on: the reader thread.

    def _read(self, mark: _Mark, max_events: int, max_bytes: int) -> tuple[list[Delivery], _Mark]:
        deliveries: list[Delivery] = []
        size_bytes = 0
        rows = self._connection.execute(
            "SELECT id, events_through, payload FROM segment WHERE id > ? ORDER BY id", (mark.segment_id,)
        )
        try:
            for segment_id, events_through, packed in rows:
                mark = _Mark(segment_id, events_through)
                arrived = _deliveries(segment_id, packed)
                deliveries += arrived
                size_bytes += sum(len(delivery.payload) for delivery in arrived)
                if len(deliveries) >= max_events or size_bytes >= max_bytes:
                    break
        finally:
            rows.close()  # an open read would keep the write-ahead log from being folded in
        return deliveries, mark

    def _store(self, mark: _Mark) -> None:
        self._connection.execute(
            "UPDATE consumer SET segment_id = ?, events_through = ?, updated_at_ms = ? WHERE name = ?",
            (*mark, unix_ms(), self._consumer),
        )

    def _insert_dead(self, rows: Sequence[tuple[str, str, str, int, bytes]]) -> None:
        # Replaced by position: a batch that comes again buries its letters again.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("INSERT OR REPLACE INTO dead_letter VALUES (?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            self._connection.rollback()
            raise

    def _prune(self) -> None:
        try:
            self._forget_absent()
            last = self._last_prunable()
            if last:
                self._connection.execute("DELETE FROM segment WHERE id <= ?", (last,))
                self._shrink()
        except sqlite3.Error as error:  # the commit stands; the next one prunes again
            logger.warning("journal not pruned", extra={"reason": str(error)})

    def _forget_absent(self) -> None:
        """A name that nobody uses any more would hold back all pruning for good."""
        absent = self._connection.execute(
            "SELECT name FROM consumer WHERE name != ? AND updated_at_ms < ?",
            (self._consumer, unix_ms() - self._keep_ms),
        )
        for (name,) in absent.fetchall():
            # Refused where it is alive, and has only had nothing to commit for long.
            with contextlib.suppress(BrokerUnavailable), contextlib.closing(_lease(self._path, name)):
                self._connection.execute("DELETE FROM consumer WHERE name = ?", (name,))

    def _last_prunable(self) -> int:
        """The id up to which one step may delete; 0 for nothing."""
        excess_bytes = self._used_bytes() - self._keep_bytes
        oldest_ms = unix_ms() - self._keep_ms
        last = size_bytes = 0
        rows = self._connection.execute(
            """SELECT id, created_at_ms, length(payload) FROM segment
               WHERE id <= (SELECT min(segment_id) FROM consumer) AND id < (SELECT max(id) FROM segment)
               ORDER BY id LIMIT ?""",
            (PRUNE_SEGMENTS,),
        )
        for segment_id, created_at_ms, length in rows:
            if size_bytes >= PRUNE_BYTES or (created_at_ms > oldest_ms and size_bytes >= excess_bytes):
                break
            last = segment_id
            size_bytes += length
        rows.close()
        return last

    def _used_bytes(self) -> int:
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _shrink(self) -> None:
        """Gives pages that are not needed soon back to the file system, some at a time."""
        if self._pragma("freelist_count") > SLACK_PAGES:
            # Not `execute`: it stops after the first step, which is one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({SHRINK_PAGES})")

    def _pragma(self, name: str) -> int:
        value: int = self._connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value


def _deliveries(segment_id: int, packed: bytes) -> list[Delivery]:
    payloads = unpack_segment(packed)
    if payloads is None:  # as it is, for the worker to bury: one damaged segment does not stop the log
        return [Delivery(payload=packed, position=f"journal:{segment_id}")]
    return [
        Delivery(payload=payload, position=f"journal:{segment_id}/{index}") for index, payload in enumerate(payloads)
    ]


def _lease(path: Path, consumer: str) -> sqlite3.Connection:
    """Held while open. SQLite's own file lock on an empty file beside the journal: gone when the process is."""
    file = path.with_name(f"{path.name}.{quote(consumer, safe='')}.lock")
    try:
        make_private_file(file)
        lease = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        lease.execute("BEGIN EXCLUSIVE")
    except (sqlite3.Error, OSError) as error:
        is_held = isinstance(error, sqlite3.Error) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY
        reason = f"already has a live consumer {consumer!r}" if is_held else f"cannot lock {file}: {error}"
        raise BrokerUnavailable(f"journal {path} {reason}") from error
    return lease
