"""BudgetCounters in one SQLite file, for the processes of one machine: each step is one transaction.

No step waits for the disk: what a crash of the machine takes with it, the ledger brings back.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from msgspec.structs import replace

from schemas.budget import Claim, Counter, CounterState, LedgerSums, Reservation, Reserved
from schemas.errors import StoreUnavailable
from services.stores.budgets.names import name_of, named
from services.stores.private_files import make_private_file
from services.stores.sqlite_wal import switch_to_wal

_BUSY_S: Final = 0.5  # for another process that writes
_VERSION: Final = 1
_PER_STEP: Final = 250  # counters that are rebuilt in one transaction: some milliseconds

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, budget_id TEXT NOT NULL, sealed_s INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counter_budget ON counter (budget_id);
CREATE TABLE IF NOT EXISTS spent (name TEXT, slot INTEGER, nano INTEGER NOT NULL, PRIMARY KEY (name, slot))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recent (name TEXT, slot INTEGER, slice INTEGER, nano INTEGER NOT NULL,
  PRIMARY KEY (name, slot, slice)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservation (name TEXT, id TEXT, nano INTEGER NOT NULL, expires_at_s REAL NOT NULL,
  PRIMARY KEY (name, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rebuilt (budget_id TEXT PRIMARY KEY, sealed_s INTEGER NOT NULL) WITHOUT ROWID;
"""
_SPEND: Final = "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET nano = nano + excluded.nano"
_SPEND_LATELY: Final = "INSERT INTO recent VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET nano = nano + excluded.nano"
_SPENT: Final = "SELECT slot, nano FROM spent WHERE name = ? AND slot >= ?"
_LATELY: Final = "SELECT ifnull(sum(nano), 0) FROM recent WHERE name = ? AND slot >= ?"
_HELD: Final = "SELECT ifnull(sum(nano), 0) FROM reservation WHERE name = ? AND expires_at_s > ?"
_KNOWN: Final = "INSERT OR IGNORE INTO counter VALUES (?, ?, NULL)"
_SEALED: Final = "SELECT sealed_s FROM counter WHERE name = ?"
_KNOWN_NAMES: Final = "SELECT name FROM counter WHERE budget_id = ?"
_SET_SEALED: Final = "INSERT OR REPLACE INTO counter VALUES (?, ?, ?)"
_REBUILT: Final = "SELECT 1 FROM rebuilt WHERE budget_id = ?"
_SET_REBUILT: Final = "INSERT OR REPLACE INTO rebuilt VALUES (?, ?)"
_FORGET_RECENT: Final = "DELETE FROM recent WHERE name = ? AND (slice < ? OR slot < ?)"
_FORGET_SPENT: Final = "DELETE FROM spent WHERE name = ? AND (slot >= ? OR slot < ?)"
_SPENT_LATELY: Final = """
INSERT INTO spent SELECT name, slot, sum(nano) FROM recent WHERE name = ? AND slot >= ? GROUP BY name, slot
"""
_FORGET: Final = """
DELETE FROM counter WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM spent WHERE name = ?1)
  AND NOT EXISTS (SELECT 1 FROM reservation WHERE name = ?1)
"""

T = TypeVar("T")


class SqliteCounters:
    """Opened when first used. One thread has the connection."""

    def __init__(self, path: str | Path, *, now_s: Callable[[], float] = time.time) -> None:
        """`now_s` returns unix time."""
        self._path = Path(path)
        self._now_s = now_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="budgets")
        self._connection: sqlite3.Connection | None = None

    async def reserve(self, reservation: Reservation, claims: Sequence[Claim]) -> Reserved:
        return await self._write(lambda connection: self._reserve(connection, reservation, claims))

    def _reserve(self, connection: sqlite3.Connection, reservation: Reservation, claims: Sequence[Claim]) -> Reserved:
        now_s, amount = self._now_s(), reservation.amount_nano
        states = [_state(connection, claim.counter, now_s) for claim in claims]
        fits = [
            (left := claim.limit_nano - state.spent_nano - state.reserved_nano) > 0 and left >= amount
            for claim, state in zip(claims, states, strict=True)
        ]
        granted = all(fit or not claim.is_enforced for fit, claim in zip(fits, claims, strict=True))
        if granted:
            for claim in claims:
                name = name_of(claim.counter)
                connection.execute(_KNOWN, (name, claim.counter.budget_id))
                connection.execute("DELETE FROM reservation WHERE name = ? AND expires_at_s <= ?", (name, now_s))
                connection.execute(
                    "INSERT OR REPLACE INTO reservation VALUES (?, ?, ?, ?)",
                    (name, reservation.id, amount, now_s + reservation.lease_s),
                )
        held = amount if granted else 0
        return Reserved(granted=granted, fits=tuple(fits), states=tuple(_with_held(one, held) for one in states))

    async def settle(self, reservation: Reservation, amount_nano: int, recorded_s: int) -> None:
        await self._write(lambda connection: _settle(connection, reservation, amount_nano, recorded_s))

    async def renew(self, reservations: Sequence[Reservation]) -> None:
        def renew(connection: sqlite3.Connection) -> None:
            now_s = self._now_s()
            connection.executemany(
                "UPDATE reservation SET expires_at_s = ? WHERE name = ? AND id = ? AND expires_at_s > ?",
                [
                    (now_s + one.lease_s, name_of(counter), one.id, now_s)
                    for one in reservations
                    for counter in one.counters
                ],
            )

        await self._write(renew)

    async def read(self, counters: Sequence[Counter]) -> Sequence[CounterState]:
        return await self._run(lambda connection: [self._read(connection, counter) for counter in counters])

    def _read(self, connection: sqlite3.Connection, counter: Counter) -> CounterState:
        [lately] = connection.execute(_LATELY, (name_of(counter), counter.oldest_slot)).fetchone()
        return replace(_state(connection, counter, self._now_s()), recent_nano=lately)

    async def rebuild(self, sums: LedgerSums) -> None:
        """In steps. Behind each the file is free for as long as it took, since who waits for it looks only at times."""
        by_name = {named(sums.organization_id, sums.budget_id, value): slots for value, slots in sums.nano.items()}
        known = await self._run(lambda connection: connection.execute(_KNOWN_NAMES, (sums.budget_id,)).fetchall())
        names = sorted(by_name.keys() | {name for (name,) in known})
        for first in range(0, len(names), _PER_STEP):
            some = {name: by_name.get(name, {}) for name in names[first : first + _PER_STEP]}
            began_s = time.monotonic()
            await self._write(lambda connection, some=some: _rebuild(connection, sums, some))  # type: ignore[misc]
            await asyncio.sleep(time.monotonic() - began_s)
        mark = sums.budget_id, sums.sealed_s
        await self._write(lambda connection: connection.execute(_SET_REBUILT, mark))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def in_transaction(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            return result

        return await self._run(in_transaction)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._call, work)

    def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = _connect(self._path)
            return work(self._connection)
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                self._disconnect()
            raise StoreUnavailable(f"counters of budgets {self._path}: {error}") from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _state(connection: sqlite3.Connection, counter: Counter, now_s: float) -> CounterState:
    name = name_of(counter)
    slots = dict(connection.execute(_SPENT, (name, counter.oldest_slot)).fetchall())
    sealed = connection.execute(_SEALED, (name,)).fetchone()
    return CounterState(
        spent_nano=sum(slots.values()),
        reserved_nano=connection.execute(_HELD, (name, now_s)).fetchone()[0],
        is_rebuilt=connection.execute(_REBUILT, (counter.budget_id,)).fetchone() is not None,
        slots=slots,
        sealed_s=None if sealed is None else sealed[0],
    )


def _with_held(state: CounterState, held_nano: int) -> CounterState:
    return CounterState(
        spent_nano=state.spent_nano, reserved_nano=state.reserved_nano + held_nano, is_rebuilt=state.is_rebuilt
    )


def _settle(connection: sqlite3.Connection, reservation: Reservation, amount_nano: int, recorded_s: int) -> None:
    for counter in reservation.counters:
        name = name_of(counter)
        connection.execute("DELETE FROM reservation WHERE name = ? AND id = ?", (name, reservation.id))
        connection.execute(_KNOWN, (name, counter.budget_id))
        sealed = connection.execute(_SEALED, (name,)).fetchone()[0]
        if amount_nano and (sealed is None or recorded_s >= sealed):
            connection.execute(_SPEND, (name, counter.slot, amount_nano))
            connection.execute(_SPEND_LATELY, (name, counter.slot, recorded_s, amount_nano))


def _rebuild(connection: sqlite3.Connection, sums: LedgerSums, some: Mapping[str, Mapping[int, int]]) -> None:
    """Those counters that are in `some`, by name, with what the ledger has in their slots."""
    for name, slots in some.items():
        sealed = connection.execute(_SEALED, (name,)).fetchone()
        if sealed is not None and sealed[0] is not None and sealed[0] > sums.sealed_s:
            continue  # by another worker, which read the ledger later
        connection.execute(_FORGET_RECENT, (name, sums.sealed_s, sums.forget_before))
        connection.execute(_FORGET_SPENT, (name, sums.first_slot, sums.forget_before))
        connection.execute(_SPENT_LATELY, (name, sums.first_slot))
        connection.executemany(_SPEND, [(name, slot, nano) for slot, nano in slots.items()])
        connection.execute(_SET_SEALED, (name, sums.budget_id, sums.sealed_s))
        connection.execute(_FORGET, (name,))


def _connect(path: Path) -> sqlite3.Connection:
    make_private_file(path)
    connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
    try:
        switch_to_wal(connection, wait_s=_BUSY_S)
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            for table in ("counter", "spent", "recent", "reservation", "rebuilt"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION};")
    except BaseException:
        connection.close()
        raise
    return connection
