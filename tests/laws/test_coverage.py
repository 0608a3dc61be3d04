"""What could not be priced moves the coverage and never the total, and is listed to the last request."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import UsageSource
from services.sql.compile import compile_report
from services.sql.measures import MEASURES
from services.sql.nodes import Everything, Report
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import a_record
from tests.servers.warehouses import EXAMPLES, insert, ledger

FIGURES = ("cost_usd", "requests", "unpriced_requests", "priced_request_share", "priced_token_share")
TOKENS = ("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens")

reasons = st.sampled_from([CostState.UNKNOWN_MODEL, CostState.NO_USAGE, CostState.PARTIAL])


@st.composite
def rows(draw: st.DrawFn, *, known: bool) -> dict[str, Any]:
    counts = {name: draw(st.integers(0, 5000)) for name in TOKENS}
    if known:
        usd = draw(st.decimals(0, 1000, places=12))
        return counts | {"cost_usd": usd, "cost_state": CostState.PRICED if usd else CostState.FREE}
    reason = draw(reasons)
    unknown = {"cost_usd": None, "cost_state": reason, "price_id": ""}
    if reason is CostState.NO_USAGE:
        return unknown | dict.fromkeys(TOKENS, 0) | {"usage_source": UsageSource.NONE}
    return unknown | counts


@EXAMPLES
@given(known=st.lists(rows(known=True), max_size=6), unknown=st.lists(rows(known=False), max_size=6))
def test_unknown_costs_move_the_coverage_and_never_the_total(
    warehouse: ClickHouseWarehouse, known: list[dict[str, Any]], unknown: list[dict[str, Any]]
) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    priced = [_record(row, organization_id) for row in known]
    insert(warehouse, priced)
    alone = _figures(warehouse, organization_id)
    assert alone["cost_usd"] == ledger(priced)[1]

    unpriced = [_record(row, organization_id) for row in unknown]
    insert(warehouse, unpriced)
    figures = _figures(warehouse, organization_id)
    assert figures["cost_usd"] == (None if unknown and not known else alone["cost_usd"])
    assert (figures["requests"], figures["unpriced_requests"]) == (len(known) + len(unknown), len(unknown))
    assert figures["priced_request_share"] == _share(len(known), len(unknown))
    assert figures["priced_token_share"] == _share(_tokens(priced), _tokens(unpriced))


def _record(row: dict[str, Any], organization_id: str) -> RequestRecord:
    return a_record(**row, organization_id=organization_id, request_id=str(uuid.uuid4()))


def _figures(warehouse: ClickHouseWarehouse, organization_id: str) -> dict[str, Any]:
    measures = tuple(MEASURES[name] for name in FIGURES)
    report = Report(table=REQUEST_RESPONSE, organization_id=organization_id, where=Everything(), measures=measures)
    (total,) = asyncio.run(warehouse.query(compile_report(report)))
    return {name: total[f"m{position}"] for position, name in enumerate(FIGURES)}


def _tokens(records: Sequence[RequestRecord]) -> int:
    return sum(getattr(record, name) for record in records for name in TOKENS)


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None
