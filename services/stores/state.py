"""The KeyStore port on SQLAlchemy: SQLite for one machine, PostgreSQL for many."""

import asyncio
import hashlib
import secrets
import string
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Row,
    String,
    Table,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeDecorator

from schemas.errors import InvalidSetting, StoreUnavailable
from schemas.key import ApiKey, Permission

_CONNECTIONS = 4
_WAIT_S = 5

# Any number that nobody else locks by, so that two processes do not create the tables at once.
_MIGRATION_LOCK = 7_214_003_551
_UNDEFINED_TABLE = "42P01"

T = TypeVar("T")


class _Moment(TypeDecorator[datetime]):
    """Aware UTC in and out, also where the database keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_KEYS = Table(
    "api_key",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("permission", String(2), nullable=False),
    Column("hint", String(4), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", _Moment, nullable=False),
    Column("revoked_at", _Moment),
)
_SHOWN = [column for column in _KEYS.c if column.name != "secret_hash"]


class SqlKeyStore:
    """API keys in a table. Calls run in a few threads of its own, so no loop ever waits."""

    def __init__(self, url: str) -> None:
        """Connects when first asked. Raises: InvalidSetting when `url` names no database that is known."""
        self._engine = _engine(url)
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="keys")

    async def migrate(self) -> None:
        """Makes the table where it is missing; safe to run twice and at once. Raises: StoreUnavailable."""
        await self._run(self._migrate)

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            connection.execute(CreateTable(_KEYS, if_not_exists=True))

    async def organization_of(self, secret: str) -> tuple[str, Permission] | None:
        """Whose key `secret` is and what it may do; None when unknown or revoked. Raises: StoreUnavailable."""
        row = await self._run(lambda: self._in_force(hash_of(secret)))
        return None if row is None else (row.organization_id, Permission(row.permission))

    def _in_force(self, secret_hash: str) -> Row[Any, Any] | None:
        in_force = (_KEYS.c.secret_hash == secret_hash) & _KEYS.c.revoked_at.is_(None)
        with self._engine.connect() as connection:
            return connection.execute(select(_KEYS.c.organization_id, _KEYS.c.permission).where(in_force)).one_or_none()

    async def create_key(self, *, organization_id: str, name: str, permission: Permission) -> tuple[ApiKey, str]:
        """The new key and its secret, which is never to be had again. Raises: StoreUnavailable."""
        secret = _new_secret()
        key = ApiKey(
            id=str(uuid.uuid4()),
            organization_id=organization_id,
            name=name,
            permission=permission,
            hint=secret[-4:],
            created_at=datetime.now(UTC),
        )
        await self._run(lambda: self._keep(key, hash_of(secret)))
        return key, secret

    def _keep(self, key: ApiKey, secret_hash: str) -> None:
        values = {column.name: getattr(key, column.name) for column in _SHOWN}
        values |= {"permission": key.permission.value, "secret_hash": secret_hash}
        with self._engine.begin() as connection:
            connection.execute(_KEYS.insert().values(values))

    async def list_keys(self, organization_id: str) -> Sequence[ApiKey]:
        """Its keys, revoked ones too, the oldest first. Raises: StoreUnavailable."""
        return await self._run(lambda: self._list(organization_id))

    def _list(self, organization_id: str) -> Sequence[ApiKey]:
        its_keys = select(*_SHOWN).where(_KEYS.c.organization_id == organization_id)
        with self._engine.connect() as connection:
            rows = connection.execute(its_keys.order_by(_KEYS.c.created_at, _KEYS.c.id)).mappings()
            return [ApiKey(**{**row, "permission": Permission(row["permission"])}) for row in rows]

    async def revoke_key(self, organization_id: str, key_id: str) -> bool:
        """False when there is no such key in force. Raises: StoreUnavailable."""
        return await self._run(lambda: self._revoke(organization_id, key_id))

    def _revoke(self, organization_id: str, key_id: str) -> bool:
        in_force = (_KEYS.c.organization_id == organization_id) & (_KEYS.c.id == key_id) & _KEYS.c.revoked_at.is_(None)
        with self._engine.begin() as connection:
            return connection.execute(_KEYS.update().where(in_force).values(revoked_at=datetime.now(UTC))).rowcount > 0

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _run(self, call: Callable[[], T]) -> T:
        def translated() -> T:
            with _translated():
                return call()

        return await asyncio.get_running_loop().run_in_executor(self._threads, translated)


def hash_of(secret: str) -> str:
    """What is kept of a key: SHA-256 of the header that carries it, as hex. Helicone's stored keys have this form."""
    return hashlib.sha256(f"Bearer {secret}".encode(errors="surrogatepass")).hexdigest()


def _new_secret() -> str:
    """145 random bits in the shape that Helicone's clients check for."""
    alphabet = string.ascii_lowercase + string.digits
    groups = ("".join(secrets.choice(alphabet) for _ in range(7)) for _ in range(4))
    return f"sk-helicone-{'-'.join(groups)}"


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
        raise ArgumentError("each connection would have a memory of its own")
    file = Path(url.database).resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url.set(database=str(file)), hide_parameters=True, connect_args={"timeout": _WAIT_S})

    @event.listens_for(engine, "connect")
    def _let_readers_read_while_one_writes(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")

    return engine


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailable("keys: all connections are busy") from error
    except (OperationalError, InterfaceError, InternalError) as error:
        raise StoreUnavailable(f"keys: {type(error.orig).__name__}") from error
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", "") != _UNDEFINED_TABLE:
            raise
        raise StoreUnavailable("keys: the table is missing until somebody migrates") from error
