"""What is asked of the report engine: the requests of a period, perhaps another one beside it, and their groups."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Final

import msgspec

from schemas.api.anomalies import AnomaliesRequest
from schemas.api.changes import ChangesRequest
from schemas.api.distribution import DistributionRequest
from schemas.api.reports import (
    ByColumnRequest,
    ByPropertyRequest,
    ByRequest,
    ByTimeRequest,
    CompareRequest,
    GroupingRequest,
    PeriodRequest,
    ReportRequest,
)
from schemas.api.savings import SavingsRequest
from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE
from services.domain.reports.calendar import bucket_of, bucket_starts, period_before, shifted_period
from services.query.reports.fill import Bucket
from services.query.reports.period import Period, period_of
from services.query.reports.value_by_group import ValueGiven, value_rows
from services.query.time_zone import zone_of
from services.sql.having import parse_having
from services.sql.measures import MEASURES, Measure
from services.sql.nodes import Alignment, And, ByTime, Comparison, Dimension, Filter, Ranked, Report
from services.sql.parse import parse_filter
from services.sql.score_measures import coverage_of, measure_named
from services.sql.sort import group_by_column, group_by_property
from services.sql.values import known_names, shown

MAX_ROWS: Final = 10_000  # of all groups of one response
_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)  # that the warehouse can hold


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What all the groupings of one request have in common."""

    organization_id: str
    where: Filter
    period: Period
    compared: Period | None
    zone: tzinfo
    time_zone: str  # its IANA name
    measures: tuple[str, ...]
    value: ValueGiven | None = None  # in its period, where that is asked for
    compared_value: ValueGiven | None = None


class Grouping(msgspec.Struct, frozen=True, kw_only=True):
    """One of its groupings, to be run. The statement finds one group more than the limit, where there are more."""

    query: Report | Comparison
    limit: int
    leaves_out: bool  # groups, whatever the limit
    buckets: tuple[Bucket, ...] = ()  # that are shown, be there requests in them or not


def question_of(
    body: ReportRequest | ChangesRequest | AnomaliesRequest | SavingsRequest | DistributionRequest,
    organization_id: str,
    now: datetime,
    measures: tuple[str, ...] = (),
) -> Question:
    """Raises: InvalidRequest."""
    zone, times = zone_of(body.time_zone), body.time_filter
    period = period_of(times.since, times.start, times.end, now, zone)
    compare = body.compare if isinstance(body, ReportRequest | ChangesRequest) else None
    return Question(
        organization_id=organization_id,
        where=parse_filter(body.filter, zone),
        period=period,
        compared=_compared_period(compare, period, zone, now),
        zone=zone,
        time_zone=body.time_zone,
        measures=measures,
    )


def _compared_period(compare: CompareRequest | None, period: Period, zone: tzinfo, now: datetime) -> Period | None:
    """The other period that is asked for. Raises: InvalidRequest."""
    if compare is None:
        return None
    if isinstance(compare, PeriodRequest):
        return period_of(None, compare.start, compare.end, now, zone)
    if compare == "previous":
        start, end = period_before(period.start, period.end, zone)
    else:
        start, end = shifted_period(period.start, period.end, compare, zone)
    return Period(start=max(start, _EARLIEST), end=max(end, _EARLIEST))


def grouping_of(question: Question, body: GroupingRequest, place: str = "") -> Grouping:
    """`place` is where `body` lies in its request, as "breakdowns.0.", for errors. Raises: InvalidRequest."""
    by = dimensions_of(body.by, question.time_zone)
    measures = _measures((*question.measures, *body.having))
    if body.having and not by:
        raise InvalidRequest(f"{place}having is about groups: give {place}by too")
    order_by, descending = _ordering(body, by, measures, place)
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=question.organization_id,
        where=And((question.period.filter(), question.where)),
        measures=measures,
        by=by,
        having=tuple(parse_having(body.having, measures, f"{place}having")),
        order_by=order_by,
        descending=descending,
        limit=body.limit + 1,
        value=value_rows(question.value, question.period, question.where, by, question.zone),
    )
    return Grouping(
        query=_compared(question, report, body, place),
        limit=body.limit,
        leaves_out=bool(body.having),
        buckets=_buckets(question, body, by, place) if body.fill else (),
    )


def comparison_by(question: Question, by: Sequence[ByRequest], measures: Sequence[Measure], limit: int) -> Comparison:
    """Of a question that compares: all groups of both periods, in no order. Raises: InvalidRequest."""
    assert question.compared is not None
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=question.organization_id,
        where=And((question.period.filter(), question.where)),
        measures=tuple(measures),
        by=dimensions_of(by, question.time_zone),
        limit=limit,
    )
    return _comparison(question, report, question.compared)


def check_rows(bodies: Mapping[str, GroupingRequest]) -> None:
    """`bodies` by their places. Raises: InvalidRequest when their limits are too much for one response."""
    limits = {place: body.limit for place, body in bodies.items() if body.by}
    if sum(limits.values()) > MAX_ROWS:
        most = max(limits, key=lambda place: limits[place])
        raise InvalidRequest(
            f"{most}limit is {limits[most]}, and all limits of this request together are {sum(limits.values())}: "
            f"one response has at most {MAX_ROWS} rows"
        )


def names_of_parts(by: Sequence[ByRequest]) -> list[str]:
    """What dimensions are called."""
    return [_named(part) for part in by]


def dimensions_of(by: Sequence[ByRequest], time_zone: str) -> tuple[Dimension, ...]:
    """Raises: InvalidRequest."""
    return tuple(_dimension(part, time_zone) for part in by)


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
    measures = [_measure(name) for name in names]
    beside = (other for measure in measures for other in coverage_of(measure))
    return tuple({measure.name: measure for measure in (*measures, *beside)}.values())


def _measure(name: str) -> Measure:
    measure = measure_named(name)
    if measure is None:
        raise InvalidRequest(f"unknown measure {shown(name)}: {known_names(name, MEASURES)}")
    return measure


def _ordering(
    body: GroupingRequest, by: Sequence[Dimension], measures: Sequence[Measure], place: str
) -> tuple[int | None, bool]:
    """The position of the measure to order by, or None for the dimensions; and whether downwards."""
    if body.order_by is None:
        in_time = any(isinstance(part, ByTime) for part in by)
        return (None, False) if in_time else (0, True)
    is_descending = body.order_by.direction == "desc"
    if body.order_by.measure is None:
        return None, is_descending
    names = [measure.name for measure in measures]
    if body.order_by.measure not in names:
        raise InvalidRequest(f"{place}orderBy takes one of the measures, not {shown(body.order_by.measure)}")
    return names.index(body.order_by.measure), is_descending


def _compared(question: Question, report: Report, body: GroupingRequest, place: str) -> Report | Comparison:
    ranked = Ranked.VALUE if body.order_by is None else Ranked(body.order_by.figure)
    if question.compared is None:
        if ranked is not Ranked.VALUE:
            raise InvalidRequest(f"{place}orderBy.figure {ranked} needs a period to compare with: give compare too")
        return report
    if ranked is not Ranked.VALUE and report.order_by is None:
        raise InvalidRequest(f"{place}orderBy.figure {ranked} is one of a measure: give orderBy.measure too")
    is_difference = ranked in (Ranked.CHANGE, Ranked.RELATIVE)
    if is_difference and report.order_by is not None and report.measures[report.order_by].unit == "timestamp":
        name = report.measures[report.order_by].name
        raise InvalidRequest(f"{place}orderBy: {name} is no number, and has no change to order by")
    return _comparison(question, report, question.compared, ranked)


def _comparison(question: Question, report: Report, compared: Period, ranked: Ranked = Ranked.VALUE) -> Comparison:
    return Comparison(
        report=report,
        compared=And((compared.filter(), question.where)),
        alignments={
            position: Alignment(
                first=bucket_of(question.period.start, part.bucket, question.zone),
                compared_first=bucket_of(compared.start, part.bucket, question.zone),
            )
            for position, part in enumerate(report.by)
            if isinstance(part, ByTime)
        },
        compared_value=value_rows(question.compared_value, compared, question.where, report.by, question.zone),
        ranked=ranked,
    )


def _buckets(question: Question, body: GroupingRequest, by: Sequence[Dimension], place: str) -> tuple[Bucket, ...]:
    if len(by) != 1 or not isinstance(by[0], ByTime):
        raise InvalidRequest(f"{place}fill is for one time in {place}by, and nothing beside it")
    if body.having or body.order_by:
        raise InvalidRequest(f"{place}fill shows every bucket in order of time: leave out having and orderBy")
    every = bucket_starts(question.period.start, question.period.end, by[0].bucket, question.zone)
    buckets = tuple(islice(every, body.limit + 1))
    if len(buckets) > body.limit:
        raise InvalidRequest(
            f"{place}fill: there are more buckets of {by[0].bucket} between start and end than {place}limit, which is "
            f"{body.limit}: take a longer bucket, a shorter period or a higher limit (to {MAX_ROWS})"
        )
    return buckets
