"""Fixtures of the contracts: a running query service, and both kinds of state database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.key import Permission
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.servers.postgres import fresh_schema
from tests.servers.querying import Client, QueryService, query_service
from tests.support.logs import EventLog, InJournal, InKafka, InMemory


@pytest.fixture(scope="module", params=["embedded", "server"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueryService]:
    warehouse: ClickHouseWarehouse = request.getfixturevalue(f"{request.param}_warehouse")
    with query_service(warehouse, tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(scope="module")
def embedded_service(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QueryService]:
    with query_service(embedded_warehouse, tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def admin(embedded_service: QueryService, organization_id: str) -> Client:
    """Of the embedded service, with a key that may change prices and costs."""
    return Client(embedded_service, organization_id, embedded_service.key(organization_id, Permission.ADMIN))


@pytest.fixture
def client(service: QueryService, organization_id: str) -> Client:
    return Client(service, organization_id, service.key(organization_id))


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A state database of either kind that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/not/there/yet/state.sqlite"
    return fresh_schema(request.getfixturevalue("postgres"))


@pytest.fixture(params=["memory", "journal", "kafka"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> EventLog:
    """A fresh one of each kind."""
    match request.param:
        case "memory":
            return InMemory()
        case "journal":
            return InJournal(tmp_path / "journal.sqlite")
        case _:
            return await InKafka.fresh(request.getfixturevalue("kafka"), tmp_path)
