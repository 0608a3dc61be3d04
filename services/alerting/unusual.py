"""Groups whose figures are unusual now, as `POST /v1/report/anomalies` judges them by their own history."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from math import isnan
from typing import Any, Final

import msgspec

from schemas.alert import AlertMetric
from services.alerting.figures import Question
from services.domain.alerts.machine import Observation
from services.domain.alerts.notices import group_key
from services.domain.alerts.turn import ONLY_GROUP
from services.domain.alerts.windows import Window, zone_of_window
from services.domain.reports.anomalies.grain import Series, by_day, days_of, known_figures
from services.domain.reports.anomalies.judge import Run, Sensitivity, judge
from services.domain.reports.anomalies.seasons import Seasons, seasons_of
from services.domain.reports.calendar import DAY, midnight
from services.ports.warehouse import QueryableWarehouse
from services.sql.anomalies import Span, Watch, compile_census, compile_series, with_keys
from services.sql.measures import ADDED_UP, MEASURES, Measure

HISTORY_DAYS: Final = 35  # with which the window is compared
GROUPS: Final = 100  # the largest ones
_SIZES: Final = {"USD": Decimal(1), "requests": Decimal(20)}  # a group needs as much, and an excess; else in tokens
_TOKENS: Final = Decimal(10_000)

# The measures of reports that stand for a metric with its usual aggregation.
_MEASURES: Final = {
    AlertMetric.COST: "cost_usd",
    AlertMetric.LATENCY: "average_latency_ms",
    AlertMetric.TIME_TO_FIRST_TOKEN: "average_time_to_first_token_ms",
    AlertMetric.CACHE_HIT_RATE: "cache_hit_rate",
}


class UnusualRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of unusual hours or days of a group."""

    key: str
    run: Run
    span: Span


def unusual_measure(metric: AlertMetric) -> Measure | None:
    """What is judged; None of a metric whose figures have no usual range."""
    return MEASURES.get(_MEASURES.get(metric, metric.value)) if metric.value[:6] != "margin" else None


async def unusual_groups(question: Question, window: Window, warehouse: QueryableWarehouse) -> dict[str, Observation]:
    """Groups that are looked at: 1 for one with an unusual hour or day in the window, else 0."""
    found, sizes = await unusual_runs(question, window, warehouse)
    seen = {key: Observation(value=Decimal(0), requests=count) for key, count in sizes.items()}
    if not question.by:
        seen.setdefault(ONLY_GROUP, Observation(value=None, requests=0))
    for one in found:
        if one.span.end > window.start:
            seen[one.key] = _observation(one, sizes[one.key])
    return seen


async def unusual_runs(
    question: Question, window: Window, warehouse: QueryableWarehouse
) -> tuple[list[UnusualRun], Mapping[str, int]]:
    """All runs of the window and its history, and the requests of each group in it. Raises: StoreUnavailable."""
    measure = unusual_measure(question.rule.metric)
    assert measure is not None
    zone = zone_of_window(question.rule.window)
    first = window.start.astimezone(zone).date()
    span = Span(midnight(first - HISTORY_DAYS * DAY, zone), window.end)
    size = _SIZES.get(measure.unit, _TOKENS) if measure.name in ADDED_UP else Decimal(20)
    watch = Watch(
        organization_id=question.organization_id,
        where=question.where,
        period=Span(window.start, window.end),
        groupings=(question.by,),
        measures=(measure,),
        sizes=(size,),
        limit=GROUPS,
    )
    census = await warehouse.query(compile_census(watch)) if question.by else []
    found = await warehouse.query(compile_series(watch, span, question.rule.window.time_zone, census))
    hours = seasons_of(span.start, span.end, "hour", zone)
    days, day_of = days_of(hours, zone)
    sensitivity = Sensitivity(excess=float(size) if measure.name in ADDED_UP else 0.0)
    runs: list[UnusualRun] = []
    requests: dict[str, int] = {}
    for row in with_keys(found, census):
        key = group_key([value or None for value in row["key"]]) if question.by else ONLY_GROUP
        series = _series(measure, hours, row)
        requests[key] = _requests_in(window, row)
        seasons, grained = (hours, series) if series.is_dense else (days, by_day(series, day_of))
        judged = judge(
            known_figures(grained, seasons.per_day),
            seasons,
            sensitivity,
            grained.requests if grained.is_average else (),
        )
        runs += [
            UnusualRun(key=key, run=one, span=Span(seasons.starts[one.start], seasons.end_of(one.end - 1)))
            for one in judged.runs
        ]
    return runs, requests


def _observation(one: UnusualRun, requests: int) -> Observation:
    return Observation(
        value=Decimal(1),
        requests=requests,
        actual=Decimal(repr(round(one.run.actual, 6))),
        limit=Decimal(repr(round(one.run.high, 6))),
        detail=f"unusual since {one.span.start:%Y-%m-%d %H:%M} UTC: usual are {one.run.expected:,.2f}",
    )


def _requests_in(window: Window, row: Mapping[str, Any]) -> int:
    start = (window.start - timedelta(hours=1)).timestamp()
    return sum(count for hour, count in zip(row["hours"], row["requests"], strict=True) if hour > start)


def _series(measure: Measure, hours: Seasons, row: Mapping[str, Any]) -> Series:
    """Sums are zero where there are no requests, from the first one of the group on; averages are unknown there."""
    positions = {int(start.timestamp()): at for at, start in enumerate(hours.starts)}
    at_hours: Sequence[int] = [positions[hour] for hour in row["hours"]]
    requests = [0] * len(positions)
    is_average = measure.name not in ADDED_UP
    figures: list[float | None] = [None] * len(positions)
    if not is_average:
        figures[min(at_hours) :] = [0.0] * (len(positions) - min(at_hours))
    for at, count, figure in zip(at_hours, row["requests"], row["s0"], strict=True):
        requests[at] = count
        figures[at] = None if isnan(figure) else figure
    return Series(figures=figures, requests=requests, is_average=is_average)
