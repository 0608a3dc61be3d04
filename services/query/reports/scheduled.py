"""The ReportRunner port: the figures of a scheduled report, as tables for a message.

The scheduler calls it, with a warehouse and a seal of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.api.reports import ReportRequest, ReportView, Spend, Summary
from schemas.api.requests import digits, instant
from schemas.api.scheduled_reports import ReportQuery
from schemas.notice import NoticeUnit, ReportColumn, ReportTable
from schemas.scheduled_report import ReportFigures, ReportOrder
from schemas.seal import Seal
from services.ports.warehouse import QueryableWarehouse
from services.query.reports.period import Period
from services.query.reports.question import names_of_parts, question_of
from services.query.reports.response import report_view
from services.query.reports.summary import summarize
from services.query.reports.value_given import with_value
from services.sql.score_measures import measure_named

MAX_ROWS: Final = 1000  # of a message
_UNITS: Final = {"USD": NoticeUnit.USD, "share": NoticeUnit.SHARE, "ms": NoticeUnit.MILLISECONDS}
_ABSENT: Final = "(none)"
_UNPRICED: Final = "unpriced_requests"

_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)


class ReportEngine:
    """Reports of any organization."""

    def __init__(self, warehouse: QueryableWarehouse, seal: Callable[[], Awaitable[Seal]]) -> None:
        """`seal` returns that of what is read next."""
        self._warehouse = warehouse
        self._seal = seal

    async def complete_until(self) -> datetime | None:
        return (await self._seal()).complete_until

    async def figures(self, organization_id: str, order: ReportOrder, start: datetime, end: datetime) -> ReportFigures:
        complete_until = await self.complete_until()
        summary = summarize(organization_id, Period(start=start, end=end), self._warehouse)
        if not order.query:
            found = await summary
            tables = _summary_tables(found)
        else:
            found, table = await asyncio.gather(summary, self._report(organization_id, order, start, end))
            tables = (table,)
        return ReportFigures(
            cost_usd=found.total.cost_usd,
            tables=tables,
            detail=_left_out(found),
            complete_until=complete_until,
        )

    async def _report(self, organization_id: str, order: ReportOrder, start: datetime, end: datetime) -> ReportTable:
        body = report_request(order, start, end)
        question = question_of(body, organization_id, end, tuple(body.measures))
        question, _ = await with_value(question, body, self._warehouse, end)
        _, view = await report_view(question, body, self._warehouse)
        return _table(order.name, body, view)


def report_request(order: ReportOrder, start: datetime, end: datetime) -> ReportRequest:
    """The body of POST /v1/report that an order with a query stands for. Raises: pydantic.ValidationError."""
    query = query_of(order)
    times = {"start": instant(start), "end": instant(end)}
    return ReportRequest.model_validate(
        {"limit": MAX_ROWS, **query, "timeFilter": times, "timeZone": order.schedule.zone}
    )


def query_json(query: ReportQuery | None) -> str:
    """As `ReportOrder.query` holds it: a number of its filter stays one, with every digit."""
    return "" if query is None else _encoder.encode(query.model_dump(by_alias=True, exclude_unset=True)).decode()


def query_of(order: ReportOrder) -> Any:
    """As it was sent, with fractions as Decimal; None for the summary."""
    return _decoder.decode(order.query) if order.query else None


def _table(title: str, body: ReportRequest, view: ReportView) -> ReportTable:
    dimensions = names_of_parts(body.by)
    beside = [_UNPRICED] if _UNPRICED in view.total and _UNPRICED not in body.measures else []
    measures = [*body.measures, *beside]
    ends = [(name, figures) for name, figures in (("(other)", view.rest), ("Total", view.total)) if figures is not None]
    lines = [([_text(value) for value in row.by], row.measures) for row in view.rows]
    lines += [([name, *[""] * (len(dimensions) - 1)], figures) for name, figures in ends]
    columns = [ReportColumn(name=name) for name in dimensions or [""]]
    return ReportTable(
        title=title,
        columns=(*columns, *(ReportColumn(name=name, unit=_unit(name)) for name in measures)),
        rows=tuple((*by, *(_number(figures.get(name)) for name in measures)) for by, figures in lines),
    )


def _unit(measure: str) -> NoticeUnit | None:
    found = measure_named(measure)
    unit = "" if found is None else found.unit
    return None if unit == "timestamp" else _UNITS.get(unit, NoticeUnit.COUNT)


def _text(value: object) -> str:
    return _ABSENT if value is None else str(value)


def _number(value: object) -> str | None:
    """All digits; None for what is unknown."""
    match value:
        case None:
            return None
        case datetime():
            return instant(value)
        case Decimal():
            return digits(value)
        case _:
            return str(value)


def _summary_tables(summary: Summary) -> tuple[ReportTable, ...]:
    """What `farebox report` prints."""
    costs = [
        (environment.name, feature, spend)
        for environment in summary.environments
        for feature, spend in (("", environment), *((one.name, one) for one in environment.features))
    ]
    users = [(user.user_id, user.tier or "", user) for user in summary.top_users]
    cache = summary.cache
    return (
        _spend_table("Costs", ("Environment", "Feature"), [*costs, ("Total", "", summary.total)]),
        _spend_table("Top users by cost", ("User", "Tier"), users),
        ReportTable(
            title="Cache",
            columns=(
                ReportColumn(name="Hit rate", unit=NoticeUnit.SHARE),
                ReportColumn(name="Hits", unit=NoticeUnit.COUNT),
                ReportColumn(name="Of requests", unit=NoticeUnit.COUNT),
                ReportColumn(name="Savings", unit=NoticeUnit.USD),
            ),
            rows=(tuple(map(_number, (cache.hit_rate, cache.hits, cache.requests, cache.savings_usd))),),
        ),
    )


def _spend_table(title: str, names: tuple[str, str], rows: Sequence[tuple[str, str, Spend]]) -> ReportTable:
    return ReportTable(
        title=title,
        columns=(
            *(ReportColumn(name=name) for name in names),
            ReportColumn(name="Cost", unit=NoticeUnit.USD),
            ReportColumn(name="Requests", unit=NoticeUnit.COUNT),
            ReportColumn(name="Without a price", unit=NoticeUnit.COUNT),
        ),
        rows=tuple(
            (first, second, *map(_number, (spend.cost_usd, spend.requests, spend.unpriced_requests)))
            for first, second, spend in rows
        ),
    )


def _left_out(summary: Summary) -> str:
    unpriced, attempts = summary.total.unpriced_requests, summary.total.attempts
    return f"{unpriced:,} of {attempts:,} requests could not be priced and are not in it." if unpriced else ""
