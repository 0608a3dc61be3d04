"""The state database on SQLAlchemy: SQLite for one machine, PostgreSQL for many. What all its stores share."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schemas.errors import InvalidSetting, StoreUnavailable
from services.stores.private_files import make_private_file
from services.stores.sqlite_wal import switch_to_wal

_CONNECTIONS = 4
_WAIT_S = 5

# Any number that nobody else locks by, so that two processes do not alter the tables at once.
_MIGRATION_LOCK = 7_214_003_551
_UNDEFINED_TABLE = "42P01"

T = TypeVar("T")


class Database:
    """One store's connections to the state database. Calls run in a few threads of its own, so no loop ever waits."""

    def __init__(self, url: str, *, what: str) -> None:
        """Connects when first used. `what` the store holds, for error texts.

        Raises: InvalidSetting when `url` names no database that is known.
        """
        self._engine = _engine(url)
        self._what = what
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix=what)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns for a connection. Raises: StoreUnavailable."""

        def call() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return await self._run(call)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """The same in a transaction, which is durable on return. Raises: StoreUnavailable."""

        def call() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return await self._run(call)

    async def alter(self, work: Callable[[Connection], None]) -> None:
        """Runs `work`, which changes tables, in a transaction, one at a time among all processes.

        Raises: StoreUnavailable.
        """

        def call() -> None:
            with self._engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    _alter_sqlite(connection, work)
                    return
                with connection.begin():
                    connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                    work(connection)

        await self._run(call)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _run(self, call: Callable[[], T]) -> T:
        def translated() -> T:
            with _translated(self._what):
                return call()

        return await asyncio.get_running_loop().run_in_executor(self._threads, translated)


def _engine(url: str) -> Engine:
    # Neither the URL nor what a statement carries may end up in an error's text.
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        return create_engine(
            parsed,
            hide_parameters=True,
            pool_size=_CONNECTIONS,
            pool_timeout=_WAIT_S,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _WAIT_S},
        )
    except (ArgumentError, NoSuchModuleError, ImportError):
        raise InvalidSetting("state: expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME") from None


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ArgumentError("each connection would have a database of its own")
    file = Path(url.database).resolve()
    try:
        make_private_file(file)
    except OSError as error:
        raise InvalidSetting(f"state: {file} cannot be used: {error.strerror}") from error
    engine = create_engine(url.set(database=str(file)), hide_parameters=True, connect_args={"timeout": _WAIT_S})

    @event.listens_for(engine, "connect")
    def _let_readers_read_while_one_writes(connection: Any, _record: object) -> None:
        switch_to_wal(connection, wait_s=_WAIT_S)

    return engine


def _alter_sqlite(connection: Connection, work: Callable[[Connection], None]) -> None:
    # By hand, since the driver would begin a transaction before rows are written only, not before tables are made.
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        work(connection)
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailable(f"{what}: all connections are busy") from error
    except (OperationalError, InterfaceError, InternalError) as error:
        raise StoreUnavailable(f"{what}: {type(error.orig).__name__}") from error
    except (sqlite3.OperationalError, OSError) as error:
        # While connecting, where SQLAlchemy does not see them: no descriptor or no room is left, a disk fails.
        raise StoreUnavailable(f"{what}: {type(error).__name__}") from error
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", "") != _UNDEFINED_TABLE:
            raise
        raise StoreUnavailable(f"{what}: table missing: run `python -m services.migrate`") from error
    except DatabaseError as error:
        if not _is_damage(error.orig):
            raise
        raise StoreUnavailable(f"{what}: the state database is damaged") from error


def _is_damage(error: BaseException | None) -> bool:
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF in codes
