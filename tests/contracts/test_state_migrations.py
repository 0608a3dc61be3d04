"""What migrating the state database owes, on SQLite and on PostgreSQL: once is enough, and twice does no harm."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from schemas.errors import StoreUnavailable
from schemas.key import Permission
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.database import Database
from services.stores.state.migrations.run import migrate_state
from services.stores.state.tables import METADATA

T = TypeVar("T")

MIGRATE = """
import asyncio, sys
from services.stores.state.migrations.run import migrate_state
asyncio.run(migrate_state(sys.argv[1]))
"""


def read(url: str, look: Callable[[Connection], T]) -> T:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return look(connection)
    finally:
        engine.dispose()


def tables(url: str) -> set[str]:
    return read(url, lambda connection: set(inspect(connection).get_table_names()))


def revisions(url: str) -> list[str]:
    return read(url, lambda connection: list(connection.scalars(text("SELECT version_num FROM alembic_version"))))


def test_the_revisions_leave_the_tables_that_the_stores_work_on(state_url: str) -> None:
    asyncio.run(migrate_state(state_url))
    assert tables(state_url) == {*METADATA.tables, "alembic_version"}
    differences = read(
        state_url,
        lambda connection: compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), METADATA
        ),
    )
    assert differences == []


def test_migrating_again_keeps_what_is_stored(state_url: str, organization_id: str) -> None:
    asyncio.run(migrate_state(state_url))
    keys = SqlKeyStore(state_url)
    _, secret = asyncio.run(keys.create_key(organization_id=organization_id, name="a key", permission=Permission.ADMIN))
    before = revisions(state_url)
    asyncio.run(migrate_state(state_url))
    assert (revisions(state_url), len(before)) == (before, 1)
    assert asyncio.run(keys.organization_of(secret)) == (organization_id, Permission.ADMIN)
    asyncio.run(keys.close())


def test_threads_may_migrate_at_once(state_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: asyncio.run(migrate_state(state_url)), range(4)))
    assert tables(state_url) == {*METADATA.tables, "alembic_version"}
    assert len(revisions(state_url)) == 1


def test_processes_may_migrate_at_once(state_url: str) -> None:
    command = [sys.executable, "-c", MIGRATE, state_url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert len(revisions(state_url)) == 1


def test_a_migration_that_fails_leaves_nothing_behind(state_url: str) -> None:
    async def half_done() -> None:
        database = Database(state_url, what="state")

        def work(connection: Connection) -> None:
            connection.execute(text("CREATE TABLE half (n INTEGER)"))
            raise LookupError

        try:
            with pytest.raises(LookupError):
                await database.alter(work)
        finally:
            await database.close()

    asyncio.run(half_done())
    assert tables(state_url) == set()
    asyncio.run(migrate_state(state_url))
    assert "api_key" in tables(state_url)


def test_a_server_that_is_unreachable_is_an_outage_and_its_password_is_not_shown() -> None:
    with pytest.raises(StoreUnavailable) as raised:
        asyncio.run(migrate_state("postgresql+psycopg://farebox:hunter2@127.0.0.1:1/none"))
    assert "hunter2" not in f"{raised.value} {raised.value.__cause__}"


def test_a_path_with_a_percent_sign_is_a_path_like_others(tmp_path: Path) -> None:
    asyncio.run(migrate_state(f"sqlite:///{tmp_path}/100%25%(here)s/state.sqlite"))
    assert len(list(tmp_path.rglob("state.sqlite"))) == 1
