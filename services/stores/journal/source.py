"""The reading end of the journal: whole segments in order, a stored position, and the removal of what is done with."""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from schemas.errors import BrokerUnavailable
from schemas.event import DeadLetter, Delivery
from services.stores.journal.file import insert_dead_letters, unavailable, unix_ms
from services.stores.journal.files import JournalFiles
from services.stores.journal.reader import Batch, FileReader, Mark
from services.stores.private_files import make_private_file
from services.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

POLL_S = 0.020
PRUNE_SEGMENTS = 10_000  # one step; a commit makes one step, and takes less than a step holds
PRUNE_BYTES = 32 * 2**20
SHRINK_PAGES = 2048
SLACK_PAGES = 8192  # free pages that stay in the file: the next segments need them again

T = TypeVar("T")


class JournalSource:
    """An EventSource on the journal at `path`, for the only live consumer called `consumer`.

    Committed segments are deleted when they are older than `keep_s`, and oldest first while the file uses more than
    `keep_bytes`. What any consumer of the file has not committed stays, unless that one is not alive and has committed
    nothing for `keep_s`: it is forgotten, and begins again with what is left if it comes again.

    Damaged files are read as far as they can be; `metrics` counts what cannot.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        consumer: str = "farebox-workers",
        keep_s: float = 72 * 3600,
        keep_bytes: int = 10 * 2**30,
        metrics: Metrics | None = None,
    ) -> None:
        """Raises: BrokerUnavailable when a file cannot be used now, or when another `consumer` is alive on it."""
        self._path = Path(path)
        self._files = JournalFiles(path)
        self._consumer = consumer
        self._keep_ms = int(keep_s * 1000)
        self._keep_bytes = keep_bytes
        self._metrics = metrics or Metrics()
        self._metrics.health.warnings[f"journal {path}"] = self._files.warnings
        self._readers: list[FileReader] = []
        self._open_readers()
        try:
            self._lease = _lease(self._path, consumer)
            self._reopen_readers()  # where they left off may have moved until the lease was ours
        except BrokerUnavailable:
            self._close_readers()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")

    async def take(self, *, max_events: int, max_bytes: int, wait_s: float) -> Sequence[Delivery]:
        deadline_s = time.monotonic() + wait_s
        while True:
            deliveries, marks = await self._run(lambda: self._read(max_events, max_bytes))
            left_s = deadline_s - time.monotonic()
            if deliveries or left_s <= 0:
                # Only now, when they are surely handed over: a take that is cancelled has taken nothing.
                for reader, mark in marks:
                    reader.taken = mark
                return deliveries
            await asyncio.sleep(min(POLL_S, left_s))

    async def commit(self) -> None:
        done = [(reader, reader.taken) for reader in self._readers if reader.taken != reader.committed]
        if done:
            await self._run(lambda: self._store(done))
            await self._run(self._prune)

    async def write_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        if dead_letters:
            await self._run(lambda: self._insert_dead(dead_letters))

    async def backlog(self) -> int:
        """Events in the journal that this consumer has not committed. Raises: BrokerUnavailable."""
        return await self._run(lambda: sum(reader.backlog() for reader in self._readers))

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._close_readers()
        self._lease.close()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # From here on: the reader thread.

    def _read(self, max_events: int, max_bytes: int) -> tuple[list[Delivery], list[tuple[FileReader, Mark]]]:
        self._open_readers()
        deliveries: list[Delivery] = []
        marks: list[tuple[FileReader, Mark]] = []
        size_bytes = 0
        for reader in self._readers:
            if len(deliveries) >= max_events or size_bytes >= max_bytes:
                break
            batch = self._batch(reader, max_events - len(deliveries), max_bytes - size_bytes)
            deliveries += batch.deliveries
            size_bytes += batch.size_bytes
            marks.append((reader, batch.mark))
        return deliveries, marks

    def _batch(self, reader: FileReader, max_events: int, max_bytes: int) -> Batch:
        skipped = reader.unreadable_events
        batch = reader.read(max_events=max_events, max_bytes=max_bytes)
        self._see_to(reader)
        if reader.unreadable_events > skipped:
            count = reader.unreadable_events - skipped
            self._metrics.add("log_unreadable_total", count)
            logger.error("events of a damaged journal cannot be read", extra={"count": count, "file": str(reader.path)})
        return batch

    def _open_readers(self) -> None:
        """One for each file that is there: fresh ones come, salvaged ones go. Raises: BrokerUnavailable."""
        try:
            if self._are_all_open():
                return
            paths = self._files.paths()
        except OSError as error:
            raise unavailable(self._path, error) from error
        if paths == [reader.path for reader in self._readers]:
            return
        known = {reader.path: reader for reader in self._readers}
        readers = [known.pop(path) if path in known else self._reader(path) for path in paths]
        for salvaged in known.values():
            salvaged.close()
        self._readers = readers
        for reader in readers:
            self._see_to(reader)

    def _are_all_open(self) -> bool:
        """A look at names, which takes no descriptor."""
        if not self._readers or self._files.after(self._readers[-1].path).exists():
            return False
        return all(reader.path.exists() for reader in self._readers)

    def _reader(self, path: Path) -> FileReader:
        return FileReader(path, self._consumer, self._files)

    def _reopen_readers(self) -> None:
        self._close_readers()
        self._open_readers()

    def _close_readers(self) -> None:
        for reader in self._readers:
            reader.close()
        self._readers = []

    def _see_to(self, reader: FileReader) -> None:
        """Has further events go elsewhere once a file is damaged. Raises: BrokerUnavailable."""
        if reader.damage is not None:
            self._files.begin_after(reader.path, str(reader.damage))

    def _store(self, done: Sequence[tuple[FileReader, Mark]]) -> None:
        for reader, mark in done:
            reader.store(mark)
            self._see_to(reader)

    def _insert_dead(self, dead_letters: Sequence[DeadLetter]) -> None:
        self._open_readers()
        newest = self._readers[-1]

        def insert(connection: sqlite3.Connection) -> bool:
            insert_dead_letters(connection, dead_letters)
            return True

        if not newest.attempt(insert, False):
            self._see_to(newest)
            raise BrokerUnavailable(f"journal {newest.path} is damaged: dead letters go to the next file")

    def _prune(self) -> None:
        """What is done with, in the file that takes events; a damaged one is left as it is."""
        newest = self._readers[-1]
        try:
            newest.attempt(self._prune_file, None)
            self._see_to(newest)
        except BrokerUnavailable as error:  # the commit stands; the next one prunes again
            logger.warning("journal not pruned", extra={"reason": str(error)})

    def _prune_file(self, connection: sqlite3.Connection) -> None:
        self._forget_absent(connection)
        last = self._last_prunable(connection)
        if last:
            connection.execute("DELETE FROM segment WHERE id <= ?", (last,))
            _shrink(connection)

    def _forget_absent(self, connection: sqlite3.Connection) -> None:
        """A name that nobody uses any more would hold back all pruning for good."""
        absent = connection.execute(
            "SELECT name FROM consumer WHERE name != ? AND updated_at_ms < ?",
            (self._consumer, unix_ms() - self._keep_ms),
        )
        for (name,) in absent.fetchall():
            # Refused where it is alive, and has only had nothing to commit for long.
            with contextlib.suppress(BrokerUnavailable), contextlib.closing(_lease(self._path, name)):
                connection.execute("DELETE FROM consumer WHERE name = ?", (name,))

    def _last_prunable(self, connection: sqlite3.Connection) -> int:
        """The id up to which one step may delete; 0 for nothing."""
        excess_bytes = _used_bytes(connection) - self._keep_bytes
        oldest_ms = unix_ms() - self._keep_ms
        last = size_bytes = 0
        rows = connection.execute(
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


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _shrink(connection: sqlite3.Connection) -> None:
    """Gives pages that are not needed soon back to the file system, some at a time."""
    if _pragma(connection, "freelist_count") > SLACK_PAGES:
        # Not `execute`: it stops after the first step, which is one page.
        connection.executescript(f"PRAGMA incremental_vacuum({SHRINK_PAGES})")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _lease(path: Path, consumer: str) -> sqlite3.Connection:
    """Held while open. SQLite's own file lock on an empty file beside the journal: released when the process ends."""
    file = path.with_name(f"{path.name}.{quote(consumer, safe='')}.lock")
    lease: sqlite3.Connection | None = None
    try:
        make_private_file(file)
        lease = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        lease.execute("BEGIN EXCLUSIVE")
    except (sqlite3.Error, OSError) as error:
        if lease is not None:
            lease.close()
        is_held = isinstance(error, sqlite3.Error) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY
        reason = f"already has a live consumer {consumer!r}" if is_held else f"cannot lock {file}: {error}"
        raise BrokerUnavailable(f"journal {path} {reason}") from error
    return lease
