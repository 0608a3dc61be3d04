"""A seal is read before the rows that it stands beside: read after them, it could claim events that they lack."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.seal import LogSnapshot
from schemas.statement import Statement
from schemas.tables import PROPERTY_SPELLING, REQUEST_RESPONSE
from services.ports.log import LogPositions
from services.ports.warehouse import LedgerWarehouse
from services.query import seals
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.journal.positions import JournalPositions
from tests.contracts.test_read_seals import SEALED
from tests.servers.querying import LIST, Client, query_service

PERIOD = {"timeFilter": {"start": "2026-01-01T00:00:00Z"}}
GROUPED = {"measures": ["cost_usd"], "by": [{"column": "model"}]} | PERIOD
ASKED: dict[str, Any] = SEALED | {
    "/v1/report": GROUPED,
    "/v1/report#compared": GROUPED | {"compare": "previous"},
    "/v1/report#broken-down": GROUPED | {"breakdowns": [{"by": [{"time": "day"}]}]},
    "/v1/report/summary": None,
    LIST: {"filter": "all"},
    "/v1/request/count/query": {"filter": "all"},
    "/v1/prices/unknown": None,
    "/v1/prices/disputed": None,
}


class NotingWarehouse:
    """Notes in `read` each query of rows."""

    def __init__(self, warehouse: LedgerWarehouse, read: list[str]) -> None:
        self._warehouse = warehouse
        self._read = read
        self.insert, self.execute, self.close = warehouse.insert, warehouse.execute, warehouse.close
        self.keep_prices, self.keep_corrections = warehouse.keep_prices, warehouse.keep_corrections
        self.keep_amendments, self.keep_values = warehouse.keep_amendments, warehouse.keep_values

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        if any(table.name in statement.sql for table in (REQUEST_RESPONSE, PROPERTY_SPELLING)):
            self._read.append("rows")
        return await self._warehouse.query(statement)


class NotingPositions:
    """Notes in `read` each look at the log that has ended."""

    def __init__(self, positions: LogPositions, read: list[str]) -> None:
        self._positions = positions
        self._read = read
        self.close = positions.close

    async def snapshot(self) -> LogSnapshot:
        found = await self._positions.snapshot()
        self._read.append("seal")
        return found


@pytest.fixture(scope="module")
def read() -> list[str]:
    """What was read, in that order."""
    return []


@pytest.fixture(scope="module")
def client(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory, read: list[str]
) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("order")
    positions = NotingPositions(JournalPositions(folder / "journal.sqlite"), read)
    organization_id = f"org-{uuid.uuid4()}"
    with query_service(NotingWarehouse(embedded_warehouse, read), folder, positions=positions) as service:
        client = Client(service, organization_id, service.key(organization_id))
        client.keep({"session_id": "s1", "session_name": "one", "user_id": "ann", "properties": {"feature": "chat"}})
        yield client


@pytest.mark.parametrize("question", ASKED)
def test_the_seal_is_read_before_the_rows(
    client: Client, read: list[str], question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "MAX_AGE_S", 0)  # each response looks at the log
    read.clear()
    status, response = client.ask(question.partition("#")[0], ASKED[question])
    assert (status in (200, 201), "seal" in response) == (True, True), response
    assert read.count("seal") == 1
    assert (read[0], read[-1]) == ("seal", "rows"), read
