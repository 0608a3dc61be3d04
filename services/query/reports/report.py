"""Reports of measures by group, and the summary that `farebox report` prints."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from fastapi import Query, Response

from schemas.api.reports import ByColumnRequest, ByPropertyRequest, ByTimeRequest, ReportRequest, ReportRow, ReportView
from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv, report_csv
from services.query.http.responses import data_response
from services.query.reports.groups import Group, run_report
from services.query.reports.period import period_between, period_since
from services.query.reports.summary import summarize
from services.query.reports.totals import rest_figures
from services.sql.measures import COVERAGE, MEASURES, Measure
from services.sql.nodes import And, ByTime, Dimension, Report
from services.sql.parse import parse_filter
from services.sql.sort import group_by_column, group_by_property
from services.sql.values import shown

Since = Annotated[str | None, Query(description="A number of minutes, hours, days or weeks: 90m, 24h, 7d, 4w")]
Start = Annotated[str | None, Query(description="ISO 8601; instead of `since`")]
End = Annotated[str | None, Query(description="ISO 8601; with `start`, by default now")]


async def report(body: ReportRequest, organization_id: Reader, service: ServiceDep, as_csv: WantsCsv) -> Response:
    """Measures by groups, with their total; with `Accept: text/csv` as CSV. Amounts of money bring their coverage."""
    zone = _zone(body.time_zone)
    period = period_between(body.time_filter.start, body.time_filter.end, service.clock.now())
    by = tuple(_dimension(part, body.time_zone) for part in body.by)
    measures = _measures(body.measures)
    order_by, descending = _ordering(body, by, measures)
    query = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And((period.filter(), parse_filter(body.filter))),
        measures=measures,
        by=by,
        order_by=order_by,
        descending=descending,
        limit=body.limit + 1,
    )
    total, groups = await run_report(query, service.warehouse)
    shown, truncated = groups[: body.limit], len(groups) > body.limit
    view = ReportView(
        start=period.start,
        end=period.end,
        rows=[_row(group, zone) for group in shown],
        rest=rest_figures(total, shown) if truncated else None,
        total=dict(total.figures),
        truncated=truncated,
    )
    return report_csv(view, [_named(part) for part in body.by]) if as_csv else data_response(view)


async def report_summary(
    organization_id: Reader, service: ServiceDep, since: Since = None, start: Start = None, end: End = None
) -> Response:
    """What traffic cost, by default in 7 days: by environment and feature, by user, and what was not priced."""
    now = service.clock.now()
    if start is None and end is None:
        period = period_since("7d" if since is None else since, now)
    elif start is None or since is not None:
        raise InvalidRequest("give since alone, or start with or without end")
    else:
        period = period_between(start, end, now)
    return data_response(await summarize(organization_id, period, service.warehouse))


def _zone(name: str) -> ZoneInfo:
    # The database of zones also holds files that name no place.
    if name not in available_timezones() or name == "localtime":
        raise InvalidRequest(f"unknown timeZone {shown(name)}: it takes an IANA name such as Europe/Berlin")
    return ZoneInfo(name)


def _dimension(part: ByColumnRequest | ByPropertyRequest | ByTimeRequest, time_zone: str) -> Dimension:
    match part:
        case ByColumnRequest(column=name):
            return group_by_column(name)
        case ByPropertyRequest(property=name):
            return group_by_property(name)
        case ByTimeRequest(time=bucket):
            return ByTime(bucket, time_zone)


def _named(part: ByColumnRequest | ByPropertyRequest | ByTimeRequest) -> str:
    match part:
        case ByColumnRequest(column=name):
            return name
        case ByPropertyRequest(property=name):
            return f"properties.{name}"
        case ByTimeRequest(time=bucket):
            return bucket


def _measures(names: Sequence[str]) -> tuple[Measure, ...]:
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise InvalidRequest(f"unknown measure {shown(unknown[0])}: known are {', '.join(sorted(MEASURES))}")
    beside = (other for name in names for other in COVERAGE.get(name, ()))
    return tuple(MEASURES[name] for name in dict.fromkeys((*names, *beside)))


def _ordering(body: ReportRequest, by: Sequence[Dimension], measures: Sequence[Measure]) -> tuple[int | None, bool]:
    """The position of the measure to order by, or None for the dimensions; and whether downwards."""
    if body.order_by is None:
        in_time = any(isinstance(part, ByTime) for part in by)
        return (None, False) if in_time else (0, True)
    names = [measure.name for measure in measures]
    if body.order_by.measure not in names:
        raise InvalidRequest(f"orderBy takes one of the measures, not {shown(body.order_by.measure)}")
    return names.index(body.order_by.measure), body.order_by.direction == "desc"


def _row(group: Group, zone: ZoneInfo) -> ReportRow:
    return ReportRow(by=[_in_zone(value, zone) for value in group.by], measures=dict(group.figures))


def _in_zone(value: object, zone: ZoneInfo) -> object:
    """A bucket as the timestamp at which it starts there."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=zone).isoformat()
    return value
