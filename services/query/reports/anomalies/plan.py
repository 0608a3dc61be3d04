"""What anomalies are asked for: which groups and measures, over which time, and what is too small."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

import msgspec

from schemas.api.anomalies import AnomaliesRequest, MinimumRequest
from schemas.api.reports import ByColumnRequest, ByPropertyRequest, ByRequest, ByTimeRequest
from schemas.errors import InvalidRequest
from schemas.tables import Kind
from services.domain.reports.anomalies.judge import Sensitivity
from services.domain.reports.anomalies.seasons import Seasons, seasons_of
from services.domain.reports.calendar import DAY, midnight
from services.query.reports.question import Question, dimensions_of, names_of_parts
from services.sql.anomalies import Grouping, Span, Watch
from services.sql.measures import ADDED_UP, MEASURES, Measure, Source
from services.sql.nodes import ByColumn, Dimension
from services.sql.values import known_names, shown

HISTORY_DAYS: Final = 35  # before the period, with which it is compared
MAX_DAYS: Final = 92  # of a period
MAX_FIGURES: Final = 4_000_000  # that are looked at in one request

USUAL: Final[tuple[tuple[ByRequest, ...], ...]] = (
    (),
    (ByColumnRequest(column="user_id"),),
    (ByColumnRequest(column="model"),),
    (ByColumnRequest(column="provider"),),
    (ByColumnRequest(column="key_id"),),
    (ByColumnRequest(column="session_name"),),
    (ByPropertyRequest(property="Feature"),),
    (ByPropertyRequest(property="Environment"),),
)
_DRIVERS: Final[tuple[ByRequest, ...]] = (
    ByColumnRequest(column="user_id"),
    ByColumnRequest(column="model"),
    ByPropertyRequest(property="Feature"),
    ByColumnRequest(column="key_id"),
    ByColumnRequest(column="session_name"),
)


class Named(msgspec.Struct, frozen=True):
    """A grouping and what its dimensions are called."""

    by: Grouping
    names: Sequence[str]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    question: Question
    watch: Watch
    groupings: tuple[Named, ...]
    drivers: tuple[tuple[str, Dimension], ...]
    span: Span  # of what is read: the period, and what it is compared with
    hours: Seasons
    bucket: str
    direction: Literal["rise", "fall", "both"]
    minimum: MinimumRequest

    @property
    def census(self) -> Watch:
        """By which the largest groups are taken: what fell is not large in the period any more."""
        if self.direction == "rise":
            return self.watch
        return msgspec.structs.replace(self.watch, period=Span(self.span.start, self.watch.period.end))

    def sensitivities(self, measure: Measure) -> list[Sensitivity]:
        """Of rises, of falls, or of both."""
        rises = self._sensitivity(measure)
        falls = msgspec.structs.replace(rises, falls=True)
        return {"rise": [rises], "fall": [falls], "both": [rises, falls]}[self.direction]

    def _sensitivity(self, measure: Measure) -> Sensitivity:
        excess = float(size_of(measure, self.minimum)) if measure.name in ADDED_UP else 0.0
        return Sensitivity(
            score=self.minimum.score,
            ratio=self.minimum.ratio,
            excess=excess,
            history_days=self.minimum.history_days,
        )


def plan_of(question: Question, body: AnomaliesRequest, now: datetime) -> Plan:
    """What lies behind `now` is no silence, and is not looked at. Raises: InvalidRequest."""
    period = question.period
    if period.end - period.start > timedelta(days=MAX_DAYS):
        raise InvalidRequest(f"timeFilter: anomalies are looked for in at most {MAX_DAYS} days")
    first = period.start.astimezone(question.zone).date()
    start = midnight(first - HISTORY_DAYS * DAY, question.zone)
    span = Span(start, max(min(period.end, now), start + DAY))
    measures = tuple(_measure(name) for name in dict.fromkeys(body.measures))
    groupings = tuple(_named(by, question.time_zone) for by in ([body.by] if body.by is not None else USUAL))
    watch = Watch(
        organization_id=question.organization_id,
        where=question.where,
        period=Span(period.start, period.end),
        groupings=tuple(named.by for named in groupings),
        measures=measures,
        sizes=tuple(size_of(measure, body.minimum) for measure in measures),
        limit=body.groups,
    )
    drivers = _named(_DRIVERS, question.time_zone)
    hours = seasons_of(span.start, span.end, "hour", question.zone)
    figures = len(groupings) * body.groups * len(measures) * len(hours.starts)
    if figures > MAX_FIGURES:
        raise InvalidRequest(
            f"groups: {body.groups} of each grouping, by {len(measures)} measures over this time, are {figures:,} "
            f"figures, more than {MAX_FIGURES:,}: ask for fewer groups or measures, or a shorter time"
        )
    return Plan(
        question=question,
        watch=watch,
        groupings=groupings,
        drivers=tuple(zip(drivers.names, drivers.by, strict=True)),
        span=span,
        hours=hours,
        bucket=body.bucket,
        direction=body.direction,
        minimum=body.minimum,
    )


def size_of(measure: Measure, minimum: MinimumRequest) -> Decimal:
    """What a group needs, and an excess: of a measure that does not add up, in requests."""
    if measure.unit == "USD" and measure.name in ADDED_UP:
        return minimum.usd
    return Decimal(minimum.requests if measure.unit == "requests" or measure.name not in ADDED_UP else minimum.tokens)


def _measure(name: str) -> Measure:
    if name not in MEASURES:
        raise InvalidRequest(f"unknown measure {shown(name)}: {known_names(name, MEASURES)}")
    if MEASURES[name].unit == "timestamp":
        raise InvalidRequest(f"measures: {name} is no number, and has no anomalies")
    if MEASURES[name].source is not Source.REQUESTS:
        raise InvalidRequest(f"measures: {name} is no figure of single hours, and has no anomalies")
    return MEASURES[name]


def _named(by: Sequence[ByRequest], time_zone: str) -> Named:
    if any(isinstance(part, ByTimeRequest) for part in by):
        raise InvalidRequest("by: anomalies are looked for over time; give columns and properties only")
    dimensions = dimensions_of(by, time_zone)
    for part in dimensions:
        if isinstance(part, ByColumn) and part.column.kind not in (Kind.TEXT, Kind.FLAG):
            raise InvalidRequest(f"by: anomalies are looked for by texts and flags, which {part.column.name} is not")
    return Named(dimensions, names_of_parts(by))
