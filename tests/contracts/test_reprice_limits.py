"""Re-pricing reads as much as it has to: the limits of queries are for clients that wait."""

import asyncio
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.amendment import Amendment
from schemas.errors import QueryLimitExceeded
from schemas.query_limits import QueryLimits
from schemas.record import RequestRecord
from schemas.reprice import Criteria, RepriceState
from schemas.tables import REQUEST_RESPONSE
from services.domain.amendment import to_stored
from services.query.fair_warehouse import FairWarehouse
from services.sql.compile import compile_report
from services.sql.measures import MEASURES
from services.sql.nodes import Report
from services.sql.reprices import criteria_filter
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.servers.warehouses import insert, many
from tests.support.repricing import LATER, Operator

ROWS = 400
ALL = Criteria(model="*", provider="", since=LATER - timedelta(days=4000), until=LATER + timedelta(days=4000))


def test_a_run_charges_more_rows_than_a_query_may_read_and_find(
    warehouse: ClickHouseWarehouse, organization_id: str, tmp_path: Path
) -> None:
    records = many(organization_id, ROWS)
    insert(warehouse, records)
    asyncio.run(warehouse.keep_amendments([to_stored(_score(record)) for record in records]))
    operator = Operator(warehouse, tmp_path, organization_id)
    operator.add_price("*", "0.000001")
    of_all = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=criteria_filter(ALL),
        measures=(MEASURES["requests"],),
        by=(),
    )

    limits = QueryLimits(time_s=30, read_rows=10, result_rows=10)
    limited = asyncio.run(ClickHouseWarehouse.open(warehouse.url, limits=limits))
    with pytest.raises(QueryLimitExceeded):
        asyncio.run(FairWarehouse(limited).query(compile_report(of_all)))
    run = operator.use(lambda repricing: repricing.begin(organization_id, ALL, dry_run=False), FairWarehouse(limited))
    undone = operator.use(lambda repricing: repricing.undo(run), FairWarehouse(limited))
    asyncio.run(limited.close())
    assert (run.state, run.rows_total, run.rows_done, run.error) == (RepriceState.DONE, ROWS, ROWS, "")
    assert (undone.state, undone.error) == (RepriceState.UNDONE, "")


def _score(record: RequestRecord) -> Amendment:
    return Amendment(
        organization_id=record.organization_id,
        request_id=record.request_id,
        amendment_id=str(uuid.uuid4()),
        recorded_at=LATER,
        scores={"accuracy": 1},
    )
