"""Fixtures that several rooms of tests share: the real engines, each started at most once a run."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from typing import NoReturn

import pytest

from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.clickhouse_server import NoServer, clickhouse_server
from tests.postgres_server import postgres_server
from tests.servers import kafka_server
from tests.warehouses import fresh_database, migrated


def unavailable(what: str, reason: object) -> NoReturn:
    """Skips, saying why; where everything must be there (CI is set), fails."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: {reason}", pytrace=False)
    pytest.skip(f"{what}: {reason}")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What tests marked `anyio` run on."""
    return "asyncio"


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a real Kafka broker, without topics."""
    with contextlib.ExitStack() as stack:
        try:
            address = stack.enter_context(kafka_server())
        except NoServer as reason:
            unavailable("Kafka", reason)
        yield address


@pytest.fixture(scope="session")
def clickhouse_address() -> Iterator[str]:
    """A real ClickHouse server, `http://USER:PASSWORD@HOST:PORT`."""
    with contextlib.ExitStack() as stack:
        try:
            address = stack.enter_context(clickhouse_server())
        except NoServer as reason:
            unavailable("ClickHouse server", reason)
        yield address


@pytest.fixture(scope="session")
def clickhouse(clickhouse_address: str) -> Iterator[str]:
    """A database of the server, not migrated: `http://USER:PASSWORD@HOST:PORT/DATABASE`."""
    with fresh_database(clickhouse_address) as url:
        yield url


@pytest.fixture(scope="session")
def embedded_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseWarehouse]:
    """The engine in this process, migrated. One for all tests: a process can open one folder only."""
    with migrated(f"chdb:{tmp_path_factory.mktemp('warehouse')}") as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def server_warehouse(clickhouse_address: str) -> Iterator[ClickHouseWarehouse]:
    """A migrated database of the server."""
    with fresh_database(clickhouse_address) as url, migrated(url) as warehouse:
        yield warehouse


@pytest.fixture(params=["embedded", "server"])
def warehouse(request: pytest.FixtureRequest) -> ClickHouseWarehouse:
    """Both shapes of the warehouse, one after the other. Tests keep apart by `organization_id`."""
    opened: ClickHouseWarehouse = request.getfixturevalue(f"{request.param}_warehouse")
    return opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_server())
        except NoServer as reason:
            unavailable("PostgreSQL", reason)
        yield url


@pytest.fixture
def organization_id() -> str:
    """An organization of which no other test knows."""
    return f"org-{uuid.uuid4()}"
