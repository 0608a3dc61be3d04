"""What each of many runs consists of is what it would consist of alone."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from services.sql.anomalies import RunOfGroup, Span, compile_parts
from services.sql.measures import MEASURES
from services.sql.nodes import Everything
from services.sql.sort import group_by_column, group_by_property
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import TIMESTAMP, a_record
from tests.servers.warehouses import insert

USER, MODEL, FEATURE = group_by_column("user_id"), group_by_column("model"), group_by_property("Feature")
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def a_run(day: int, days: int, measure: str, grouping: Sequence[Any], *key: str, is_fall: bool = False) -> RunOfGroup:
    start = TIMESTAMP + day * DAY
    spans = [Span(start - weeks * WEEK, start + days * DAY - weeks * WEEK) for weeks in range(4)]
    drivers = tuple(by for by in (USER, MODEL, FEATURE) if by not in grouping) if measure != "p95_latency_ms" else ()
    return RunOfGroup(
        grouping=tuple(grouping),
        key=key or ("",),
        measure=MEASURES[measure],
        span=spans[0],
        earlier=tuple(spans[1:]),
        drivers=drivers,
        is_fall=is_fall,
    )


RUNS = (
    a_run(0, 1, "cost_usd", ()),
    a_run(0, 3, "cost_usd", (USER,), "ann"),
    a_run(1, 1, "requests", (USER,), "ann"),
    a_run(1, 1, "requests", (USER, MODEL), "bob", "model-b", is_fall=True),
    a_run(2, 2, "cost_usd", (FEATURE,), ""),
    a_run(3, 1, "p95_latency_ms", (MODEL,), "model-a"),
    a_run(-7, 1, "requests", (FEATURE,), "chat"),  # at a time before another one
    a_run(5, 1, "cost_usd", (USER,), "nobody"),
)


def stored(warehouse: ClickHouseWarehouse, chance: random.Random) -> str:
    organization_id = f"org-{uuid.uuid4()}"
    insert(
        warehouse,
        [
            a_record(
                organization_id=organization_id,
                request_id=str(uuid.UUID(int=chance.getrandbits(128))),
                request_created_at=TIMESTAMP + chance.randrange(-35 * 24, 7 * 24) * timedelta(hours=1),
                user_id=chance.choice(["ann", "bob"]),
                model=chance.choice(["model-a", "model-b"]),
                properties=chance.choice([{}, {"feature": "chat"}, {"feature": "search"}]),
                cost_usd=chance.choice([None, Decimal(chance.randrange(1000)).scaleb(-3)]),
                latency_ms=chance.randrange(1000),
            )
            for _ in range(600)
        ],
    )
    return organization_id


def parts(warehouse: ClickHouseWarehouse, organization_id: str, runs: Sequence[RunOfGroup]) -> list[dict[str, Any]]:
    return asyncio.run(warehouse.query(compile_parts(organization_id, Everything(), runs)))


def test_many_runs_at_once_consist_of_what_each_consists_of_alone(embedded_warehouse: ClickHouseWarehouse) -> None:
    organization_id = stored(embedded_warehouse, random.Random(1))
    together = parts(embedded_warehouse, organization_id, RUNS)
    alone = [
        row | {"run": at} for at, run in enumerate(RUNS) for row in parts(embedded_warehouse, organization_id, [run])
    ]
    assert together == alone
    assert {row["run"] for row in together} == set(range(len(RUNS) - 1))
    whole = next(row for row in together if row["run"] == 0 and row["place"] == -1)
    by_user = [row for row in together if row["run"] == 0 and row["place"] == 0]
    assert sum(Decimal(row["actual"] or 0) for row in by_user) == Decimal(whole["actual"])
