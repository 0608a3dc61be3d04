"""A ResponseCache in one SQLite file, of bounded size: what was not used for longest is deleted first.

Reads and writes have a thread and a connection each, so that a hit never waits for a write, and the event loop for
neither. When a response was last used is kept in memory until the next write: a hit writes nothing.
"""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from schemas.cache import CacheKey, Cleared, Found
from schemas.errors import StoreUnavailable
from services.stores.private_files import make_private_file
from services.stores.sqlite_wal import switch_to_wal

MAX_WAITING: Final = 1000  # calls; above it the cache is too slow to be of use
_BUSY_S: Final = 0.5  # for another process that writes
_KEPT_SHARE: Final = 0.9  # of the size, after a deletion
_BATCH: Final = 200  # entries that are looked at together for a deletion
_VERSION: Final = 1

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS response (
  digest TEXT NOT NULL, slot INTEGER NOT NULL, organization_id TEXT NOT NULL,
  expires_at_s REAL NOT NULL, used_at_s REAL NOT NULL, size_bytes INTEGER NOT NULL, payload BLOB NOT NULL,
  UNIQUE (digest, slot)
);
CREATE INDEX IF NOT EXISTS response_used ON response (used_at_s, size_bytes);
CREATE INDEX IF NOT EXISTS response_expires ON response (expires_at_s);
CREATE INDEX IF NOT EXISTS response_organization ON response (organization_id, size_bytes);
"""
_FILLED: Final = "SELECT slot FROM response WHERE digest = ? AND slot < ? AND expires_at_s > ?"
_READ: Final = "SELECT payload FROM response WHERE digest = ? AND slot = ? AND expires_at_s > ?"
_SAVE: Final = "INSERT OR REPLACE INTO response VALUES (?, ?, ?, ?, ?, ?, ?)"

T = TypeVar("T")
logger = logging.getLogger(__name__)


class SqliteCache:
    """Opened when first used. A file that cannot be read is replaced by an empty one: it is only a cache."""

    shared = False

    def __init__(self, path: str | Path, *, max_bytes: int, now_s: Callable[[], float] = time.time) -> None:
        """`max_bytes` of all payloads together. `now_s` returns unix time."""
        self._path = Path(path)
        self._max_bytes = max_bytes
        self._now_s = now_s
        self._reads = _Connection(self._path, "cache-reads")
        self._writes = _Connection(self._path, "cache-writes")
        self._used: dict[tuple[str, int], float] = {}  # since the last write
        self._size_bytes: int | None = None  # at most so many; None until counted

    async def find(self, key: CacheKey, *, slots: int, draw: int) -> Found | None:
        return await self._reads.run(lambda connection: self._find(connection, key.digest, slots, draw))

    def _find(self, connection: sqlite3.Connection, digest: str, slots: int, draw: int) -> Found | None:
        now_s = self._now_s()
        if slots > 1 and len(connection.execute(_FILLED, (digest, slots, now_s)).fetchall()) < slots:
            return None
        row = connection.execute(_READ, (digest, draw, now_s)).fetchone()
        if row is None:
            return None
        self._used[digest, draw] = now_s
        return Found(slot=draw, payload=row[0])

    async def read(self, key: CacheKey, slot: int) -> bytes | None:
        found = await self._reads.run(lambda connection: self._find(connection, key.digest, 1, slot))
        return None if found is None else found.payload

    async def save(self, key: CacheKey, payload: bytes, *, slots: int, draw: int, lifetime_s: int) -> int:
        return await self._writes.run(lambda connection: self._save(connection, key, payload, slots, draw, lifetime_s))

    def _save(
        self, connection: sqlite3.Connection, key: CacheKey, payload: bytes, slots: int, draw: int, lifetime_s: int
    ) -> int:
        now_s, size_bytes = self._now_s(), len(payload)
        filled = {slot for (slot,) in connection.execute(_FILLED, (key.digest, slots, now_s))}
        slot = next((one for one in range(slots) if one not in filled), draw)
        with connection:
            self._write_uses(connection)
            self._make_room(connection, size_bytes, now_s)
            row = (key.digest, slot, key.organization_id, now_s + lifetime_s, now_s, size_bytes, payload)
            connection.execute(_SAVE, row)
        return slot

    def _write_uses(self, connection: sqlite3.Connection) -> None:
        used, self._used = self._used, {}
        connection.executemany(
            "UPDATE response SET used_at_s = ? WHERE digest = ? AND slot = ?",
            [(used_at_s, *place) for place, used_at_s in used.copy().items()],
        )

    def _make_room(self, connection: sqlite3.Connection, size_bytes: int, now_s: float) -> None:
        """What was replaced or deleted elsewhere is still counted; so before anything is deleted, all is counted."""
        if self._size_bytes is not None:
            self._size_bytes += size_bytes
        if self._size_bytes is None or self._size_bytes > self._max_bytes:
            connection.execute("DELETE FROM response WHERE expires_at_s <= ?", (now_s,))
            self._size_bytes = _total_bytes(connection) + size_bytes
            if self._size_bytes > self._max_bytes:
                self._size_bytes -= _delete_unused(connection, self._size_bytes - int(self._max_bytes * _KEPT_SHARE))

    async def clear(self, organization_id: str) -> Cleared:
        return await self._writes.run(lambda connection: self._clear(connection, organization_id))

    def _clear(self, connection: sqlite3.Connection, organization_id: str) -> Cleared:
        of_it = "FROM response WHERE organization_id = ?"
        with connection:
            count = f"SELECT count(*), ifnull(sum(size_bytes), 0) {of_it}"
            entries, size_bytes = connection.execute(count, (organization_id,)).fetchone()
            connection.execute(f"DELETE {of_it}", (organization_id,))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # or the log would still hold the payloads
        return Cleared(entries=entries, size_bytes=size_bytes)

    async def lead(self, key: CacheKey, leader: str, *, lease_s: float) -> bool:  # noqa: ARG002
        return True

    async def renew_lead(self, key: CacheKey, leader: str, *, lease_s: float) -> None: ...

    async def end_lead(self, key: CacheKey, leader: str, slot: int | None, *, remember_s: float) -> None: ...

    async def led_slot(self, key: CacheKey) -> tuple[bool, int | None]:  # noqa: ARG002
        return False, None

    async def close(self) -> None:
        await asyncio.gather(self._reads.close(), self._writes.close())


class _Connection:
    """A connection that one thread uses."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting = 0
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns. Raises: StoreUnavailable."""
        if self._waiting >= MAX_WAITING:
            raise StoreUnavailable("the response cache is too slow")
        self._waiting += 1
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)
        running.add_done_callback(self._ended)
        return await running

    def _ended(self, running: "asyncio.Future[T]") -> None:
        self._waiting -= 1
        if not running.cancelled():
            running.exception()  # retrieved: whoever waited may have given up

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = _opened(self._path)
            return work(self._connection)
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                self._disconnect()  # it is opened anew, which replaces a damaged file
            raise StoreUnavailable(f"response cache {self._path}: {error}") from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        logger.warning("the response cache is damaged and begins anew", extra={"reason": str(error)})
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).unlink()
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    make_private_file(path)
    connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
    try:
        switch_to_wal(connection, wait_s=_BUSY_S)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            connection.execute("DROP TABLE IF EXISTS response")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.executescript(_TABLE)
    except BaseException:
        connection.close()
        raise
    return connection


def _total_bytes(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT ifnull(sum(size_bytes), 0) FROM response").fetchone()[0])


def _delete_unused(connection: sqlite3.Connection, size_bytes: int) -> int:
    """Deletes what was not used for longest, at least so many bytes or all; how many."""
    deleted = 0
    while deleted < size_bytes:
        oldest = "SELECT rowid, size_bytes FROM response ORDER BY used_at_s LIMIT ?"
        rows = connection.execute(oldest, (_BATCH,)).fetchall()
        if not rows:
            break
        for rowid, row_bytes in rows:
            connection.execute("DELETE FROM response WHERE rowid = ?", (rowid,))
            deleted += row_bytes
            if deleted >= size_bytes:
                break
    return deleted
