"""Warehouses for tests: opened by URL on fresh databases, filled, and asked."""

import asyncio
import contextlib
import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings

from schemas.record import RequestBodies, RequestRecord
from schemas.statement import Bound, Statement
from services.ports.warehouse import Warehouse
from services.sql.compile import compile_spellings
from services.stores.clickhouse.migrations import migrate_warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import TIMESTAMP, a_record
from tests.support.examples import examples

LARGEST_USD = Decimal("999999.999999999999")  # what one row can hold

# The warehouses are opened once a run, and each example brings an organization of its own. Each is a story of many
# statements, and other ones are drawn in each run: many of them belong to laws of pure functions.
EXAMPLES = settings(
    max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextlib.contextmanager
def fresh_database(address: str) -> Iterator[str]:
    """The URL of a database that is not there yet, on the server at `address`. It is dropped afterwards."""
    name = f"farebox_{uuid.uuid4().hex}"
    yield f"{address}/{name}"
    asyncio.run(_drop(address, name))


async def _drop(address: str, name: str) -> None:
    warehouse = await ClickHouseWarehouse.open(f"{address}/default", wait_s=0)
    await warehouse.execute(Statement(sql=f"DROP DATABASE IF EXISTS {name} SYNC", parameters={}))
    await warehouse.close()


@contextlib.contextmanager
def migrated(url: str) -> Iterator[ClickHouseWarehouse]:
    """The warehouse at `url` with all its tables, closed afterwards."""

    async def opened() -> ClickHouseWarehouse:
        warehouse = await ClickHouseWarehouse.open(url, create_database=True)
        await migrate_warehouse(warehouse)
        return warehouse

    warehouse = asyncio.run(opened())
    yield warehouse
    asyncio.run(warehouse.close())


def insert(warehouse: Warehouse, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies] = ()) -> None:
    asyncio.run(warehouse.insert(records, bodies))


def ask(warehouse: Warehouse, sql: str, **parameters: Bound) -> list[dict[str, Any]]:
    return asyncio.run(warehouse.query(Statement(sql=sql, parameters=parameters)))


def rows_of(warehouse: Warehouse, organization_id: str, table: str = "request_response_rmt") -> list[dict[str, Any]]:
    sql = f"SELECT * FROM {table} FINAL WHERE organization_id = {{o:String}} ORDER BY request_created_at, request_id"
    return ask(warehouse, sql, o=organization_id)


def total_of(warehouse: Warehouse, organization_id: str) -> tuple[int, Decimal]:
    sql = "SELECT count() AS n, sum(cost_usd) AS usd FROM request_response_rmt FINAL WHERE organization_id = {o:String}"
    (row,) = ask(warehouse, sql, o=organization_id)
    return row["n"], row["usd"]


def spellings_of(warehouse: Warehouse, organization_id: str) -> dict[str, str]:
    keys = ask(
        warehouse,
        "SELECT DISTINCT property_key FROM property_spelling WHERE organization_id = {o:String}",
        o=organization_id,
    )
    statement = compile_spellings(organization_id, [row["property_key"] for row in keys])
    rows = asyncio.run(warehouse.query(statement))
    return {row["property_key"]: row["spelling"] for row in rows}


def many(organization_id: str, count: int) -> list[RequestRecord]:
    """Records of distinct requests over some months, with costs of up to twelve decimals; a tenth without a cost."""
    draw = random.Random(organization_id)
    return [
        a_record(
            organization_id=organization_id,
            request_id=str(uuid.UUID(int=draw.getrandbits(128))),
            request_created_at=TIMESTAMP - timedelta(milliseconds=draw.randrange(90 * 86_400_000)),
            cost_usd=None if draw.random() < 0.1 else Decimal(draw.randrange(10**12)).scaleb(-12),
        )
        for _ in range(count)
    ]


def ledger(records: Sequence[RequestRecord]) -> tuple[int, Decimal]:
    return len(records), sum((record.cost_usd for record in records if record.cost_usd is not None), Decimal(0))
