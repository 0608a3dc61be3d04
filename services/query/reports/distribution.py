"""How a cost is distributed over sessions, users or requests, and which of them are far from the others."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from fastapi import Response

from schemas.api.distribution import (
    MIN_KNOWN,
    Bar,
    DistributionRequest,
    DistributionView,
    Outlier,
    Percentiles,
    Rank,
)
from schemas.tables import REQUEST_RESPONSE
from services.ports.warehouse import Warehouse
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv, block_lines, table_csv
from services.query.http.responses import data_response
from services.query.reports.files import facts_of
from services.query.reports.grouped import average_of, coverage_of
from services.query.reports.groups import run_report
from services.query.reports.period import Period
from services.query.reports.question import question_of
from services.query.reports.sealed import Found, sealed_found, shares_of
from services.query.reports.totals import SPEND
from services.sql.distribution import PERCENTS, CostOfEach, compile_bars, compile_figures, compile_outliers
from services.sql.nodes import And, Report

_PICODOLLAR: Final = Decimal("1e-12")
_FENCE: Final = 3  # interquartile ranges above the upper quartile: Tukey's bound of what is far out
_CSV_HEAD: Final = ("line", "id", "name", "from_usd", "to_usd", "count", "cost_usd")


async def report_distribution(
    body: DistributionRequest, organization_id: Reader, service: ServiceDep, as_csv: WantsCsv
) -> Response:
    """What one session, user or request costs: percentiles, bars, and outliers with their ids. All of it is exact."""
    question = question_of(body, organization_id, service.clock.now())
    period, where = question.period, question.where
    costs = CostOfEach(organization_id=organization_id, of=body.of, where=And((period.filter(), where)))
    found = found_distribution(costs, period, body, service.warehouse)
    shown, seal, warnings = await sealed_found(found, service, organization_id, where)
    view = shown.data
    assert isinstance(view, DistributionView)
    if not as_csv:
        return data_response(view, seal=seal, warnings=warnings)
    facts = facts_of("distribution", question, _rows_named(view), seal, service)
    return table_csv("distribution", _CSV_HEAD, _lines(view), block=block_lines(facts), warnings=warnings)


async def found_distribution(
    costs: CostOfEach, period: Period, body: DistributionRequest, warehouse: Warehouse
) -> Found:
    """Raises: StoreUnavailable."""
    (figures,) = await warehouse.query(compile_figures(costs, body.rank_of_usd))
    requests = Report(
        table=REQUEST_RESPONSE, organization_id=costs.organization_id, where=costs.counted(), measures=SPEND
    )
    whole, _ = await run_report(requests, warehouse)
    above = _outlier_bound(figures)
    outliers = await _outliers(costs, above, body.outliers, warehouse)
    bars = await _bars(costs, figures, above, body.bars, warehouse)
    view = DistributionView(
        start=period.start,
        end=period.end,
        count=figures["count"],
        known=figures["known"],
        total_usd=figures["total"] if figures["count"] else Decimal(0),
        average_usd=average_of(figures["total"], figures["known"]),
        percentiles=_percentiles(figures),
        bars=bars,
        outlier_above_usd=above,
        outlier_count=outliers[0]["count"] if outliers else 0,
        outlier_cost_usd=outliers[0]["total"] if outliers else Decimal(0),
        outliers=[_outlier(row) for row in outliers[: body.outliers]],
        rank=None if body.rank_of_usd is None else Rank(below=figures["below"], above=figures["above"]),
        coverage=coverage_of(whole),
    )
    return Found(data=view, shares=shares_of([whole]), is_empty=not view.count)


def _outlier_bound(figures: Mapping[str, Any]) -> Decimal | None:
    """None where there are too few to say what is usual."""
    if figures["known"] < MIN_KNOWN:
        return None
    lower, upper = (_percentile(figures, percent) for percent in (25, 75))
    return upper + _FENCE * (upper - lower)


def _percentile(figures: Mapping[str, Any], percent: int) -> Decimal:
    value: Decimal = figures["percentiles"][PERCENTS.index(percent)]
    return value


def _percentiles(figures: Mapping[str, Any]) -> Percentiles:
    names = {f"p{percent}_usd": _percentile(figures, percent) if figures["known"] else None for percent in PERCENTS}
    return Percentiles(min_usd=figures["lowest"], max_usd=figures["highest"], **names)


async def _outliers(
    costs: CostOfEach, above: Decimal | None, limit: int, warehouse: Warehouse
) -> Sequence[Mapping[str, Any]]:
    return [] if above is None else await warehouse.query(compile_outliers(costs, above, max(limit, 1)))


async def _bars(
    costs: CostOfEach, figures: Mapping[str, Any], above: Decimal | None, count: int, warehouse: Warehouse
) -> list[Bar]:
    """Bars of equal width up to the outliers, and one of these, where there are any."""
    if not figures["known"]:
        return []
    lowest, highest = figures["lowest"], figures["highest"]
    has_outliers = above is not None and highest > above
    end = above if above is not None and has_outliers else highest
    edges = [(lowest + (end - lowest) * at / count).quantize(_PICODOLLAR) for at in range(count)]
    edges = [*dict.fromkeys(edges), *([end + _PICODOLLAR] if has_outliers else [])]
    found = {row["bar"]: row for row in await warehouse.query(compile_bars(costs, edges))}
    empty = {"count": 0, "total": Decimal(0)}
    rows = [found.get(at, empty) for at in range(1, len(edges) + 1)]
    return [
        Bar(from_usd=first, to_usd=last, count=row["count"], cost_usd=row["total"])
        for first, last, row in zip(edges, [*edges[1:], highest], rows, strict=True)
    ]


def _outlier(row: Mapping[str, Any]) -> Outlier:
    return Outlier(
        id=row["id"],
        name=row["name"],
        cost_usd=row["figure"],
        requests=row["requests"],
        first_request_at=row["first"],
    )


def _rows_named(view: DistributionView) -> str:
    """What the lines of a file are."""
    return f"percentiles and bars of all and {len(view.outliers)} of {view.outlier_count} outliers"


def _lines(view: DistributionView) -> Iterator[Sequence[object]]:
    content = view.model_dump()
    yield from (("percentile", None, name, None, None, None, usd) for name, usd in content["percentiles"].items())
    yield from (("bar", None, None, *bar.values()) for bar in content["bars"])
    for one in content["outliers"]:
        yield "outlier", one["id"], one["name"], None, None, one["requests"], one["cost_usd"]
    if view.rank is not None:
        yield from ((name, None, None, None, None, how_many, None) for name, how_many in content["rank"].items())
    yield "total", None, None, None, None, content["known"], content["total_usd"]
