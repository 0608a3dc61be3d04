"""What a Warehouse owes, asked of both shapes: the engine in this process and a server over HTTP."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import StoreUnavailable, UnstorableRecord
from schemas.event import Ending
from schemas.price import CostState
from schemas.record import RequestBodies, RequestRecord
from schemas.statement import Bound, Statement
from schemas.usage import UsageSource
from services.ports import Warehouse
from services.stores.warehouse import ClickHouseWarehouse
from tests.builders import MOMENT, a_record, some_bodies

COST_LIMIT = Decimal("999999.999999999999")


def insert(warehouse: Warehouse, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies] = ()) -> None:
    asyncio.run(warehouse.insert(records, bodies))


def ask(warehouse: Warehouse, sql: str, **parameters: Bound) -> list[dict[str, Any]]:
    return asyncio.run(warehouse.query(Statement(sql=sql, parameters=parameters)))


def rows_of(warehouse: Warehouse, organization_id: str, table: str = "request_response_rmt") -> list[dict[str, Any]]:
    sql = f"SELECT * FROM {table} FINAL WHERE organization_id = {{o:String}} ORDER BY request_created_at, request_id"
    return ask(warehouse, sql, o=organization_id)


def total_of(warehouse: Warehouse, organization_id: str) -> tuple[int, Decimal]:
    sql = "SELECT count() AS n, sum(cost_usd) AS usd FROM request_response_rmt FINAL WHERE organization_id = {o:String}"
    row = ask(warehouse, sql, o=organization_id)[0]
    return row["n"], row["usd"]


def many(organization_id: str, count: int, seed: int = 1) -> list[RequestRecord]:
    """Records of distinct requests over some months, with costs of up to twelve decimals; a tenth without a cost."""
    draw = random.Random(seed)
    return [
        a_record(
            organization_id=organization_id,
            request_id=str(uuid.UUID(int=draw.getrandbits(128))),
            request_created_at=MOMENT - timedelta(milliseconds=draw.randrange(90 * 86_400_000)),
            cost_usd=None if draw.random() < 0.1 else Decimal(draw.randrange(10**12)).scaleb(-12),
        )
        for _ in range(count)
    ]


def ledger(records: Sequence[RequestRecord]) -> tuple[int, Decimal]:
    return len(records), sum((record.cost_usd for record in records if record.cost_usd is not None), Decimal(0))


def test_what_was_inserted_is_read_back_as_it_was(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    record = a_record(organization_id=organization_id, properties={"feature": "ch'at\\\n\t\x00", "naïve": ""})
    insert(warehouse, [record])

    (row,) = rows_of(warehouse, organization_id)
    assert row == {
        **{name: getattr(record, name) for name in record.__struct_fields__},
        "request_id": uuid.UUID(record.request_id),
        "cache_reference_id": uuid.UUID(int=0),
        "is_deleted": 0,
    }
    assert (row["request_created_at"].tzinfo, row["response_created_at"].tzinfo) == (UTC, UTC)
    assert (type(row["is_stream"]), type(row["cost_usd"])) == (bool, Decimal)


def test_sums_are_those_of_an_exact_ledger(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    records = many(organization_id, 5_000)
    insert(warehouse, records)
    assert total_of(warehouse, organization_id) == ledger(records)
