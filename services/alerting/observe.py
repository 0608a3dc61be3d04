"""What is seen of an alert's groups in a window: values, forecasts, or what is unusual."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from itertools import takewhile
from typing import Final

from schemas.alert import AlertRule, Condition, Direction
from services.alerting.figures import Question, Row, divided, exact, run
from services.alerting.unusual import unusual_groups
from services.domain.alerts.forecast import PACES, Forecast, forecast_of
from services.domain.alerts.machine import Observation
from services.domain.alerts.metrics import METRICS
from services.domain.alerts.notices import group_key
from services.domain.alerts.rule import shown_value
from services.domain.alerts.turn import MAX_GROUPS, ONLY_GROUP
from services.domain.alerts.windows import Window, zone_of_window
from services.domain.reports.calendar import bucket_starts, instant_of
from services.ports.warehouse import QueryableWarehouse
from services.sql.nodes import ByTime

_FORECAST_ROWS: Final = 200_000  # of groups and their hours or days


async def observe(question: Question, window: Window, warehouse: QueryableWarehouse) -> dict[str, Observation]:
    """By group; of an alert without groups always one. At most `MAX_GROUPS`, the furthest ones.

    Raises: StoreUnavailable, QueryLimitExceeded.
    """
    match question.rule.condition:
        case Condition.THRESHOLD:
            return await _values(question, window, warehouse)
        case Condition.FORECAST:
            return await _forecasts(question, window, warehouse)
        case Condition.ANOMALY:
            return await unusual_groups(question, window, warehouse)


def observation_of(question: Question, row: Row) -> Observation:
    """Of the figures of a whole window."""
    measures = question.measures
    divisor = None if measures.divisor is None else exact(row.figures[measures.divisor.name])
    value = divided(exact(row.figures[measures.figure.name]), divisor, has_divisor=measures.divisor is not None)
    requests = int(row.figures["requests"])
    return Observation(value=value, requests=requests, detail=_unknown(question.rule, value, requests))


def _unknown(rule: AlertRule, value: Decimal | None, requests: int) -> str:
    if value is None and requests:
        return f"{rule.metric} is known of none of the {requests:,} requests in this window"
    return ""


async def _values(question: Question, window: Window, warehouse: QueryableWarehouse) -> dict[str, Observation]:
    measures = question.measures.measures
    total, groups = await run(
        question,
        window.start,
        window.end,
        warehouse,
        by=question.by,
        measures=measures,
        limit=MAX_GROUPS,
        order_by=measures.index(question.measures.figure),
        descending=question.rule.direction is Direction.ABOVE,
    )
    if not question.by:
        return {ONLY_GROUP: observation_of(question, total)}
    return {group_key(row.by): observation_of(question, row) for row in groups[:MAX_GROUPS]}


async def _forecasts(question: Question, window: Window, warehouse: QueryableWarehouse) -> dict[str, Observation]:
    calendar = question.rule.window.calendar
    assert calendar is not None
    bucket = PACES[calendar]
    _, rows = await run(
        question,
        window.start,
        window.end,
        warehouse,
        by=(*question.by, ByTime(bucket, question.rule.window.time_zone)),
        measures=question.measures.measures,
        limit=_FORECAST_ROWS,
        order_by=None,
        descending=False,
    )
    zone = zone_of_window(question.rule.window)
    found: dict[str, dict[datetime, Row]] = {}
    for row in rows[:_FORECAST_ROWS]:
        key = group_key(row.by[:-1]) if question.by else ONLY_GROUP
        found.setdefault(key, {})[instant_of(row.by[-1], zone)] = row
    if not question.by:
        found.setdefault(ONLY_GROUP, {})
    return {key: forecast_observation(question, window, by_start) for key, by_start in found.items()}


def forecast_observation(question: Question, window: Window, by_start: Mapping[datetime, Row]) -> Observation:
    """Of one group's hours or days so far. There is no value while there are too few of them."""
    name = question.measures.figure.name
    known = [exact(row.figures[name]) for row in by_start.values()]
    requests = sum(int(row.figures["requests"]) for row in by_start.values())
    if requests and all(figure is None for figure in known):
        return Observation(value=None, requests=requests, detail=_unknown(question.rule, None, requests))
    actual = sum((figure for figure in known if figure is not None), Decimal(0))
    forecast = _forecast(question, window, {start: exact(row.figures[name]) for start, row in by_start.items()})
    if forecast is None:
        return Observation(value=None, requests=requests, actual=actual, detail="too little of the window has passed")
    reached = takewhile(lambda one: forecast.at_end >= one.value, question.rule.thresholds)
    furthest = max((one.value for one in reached), default=None)
    at = None if furthest is None else forecast.reaches(furthest)
    unit = METRICS[question.rule.metric].unit
    end = f"at this pace {shown_value(round(forecast.at_end, 2), unit)} when the window ends"
    return Observation(value=forecast.at_end, requests=requests, actual=actual, forecast_at=at, detail=end)


def _forecast(question: Question, window: Window, sums: Mapping[datetime, Decimal | None]) -> Forecast | None:
    calendar, closes = question.rule.window.calendar, window.closes
    assert calendar is not None
    assert closes is not None
    zone = zone_of_window(question.rule.window)
    starts = [instant_of(start, zone) for start in bucket_starts(window.start, closes, PACES[calendar], zone)]
    over = [start for start, end in zip(starts, (*starts[1:], closes), strict=True) if end <= window.end]
    current = starts[len(over)] if len(over) < len(starts) else None
    return forecast_of(
        [sums.get(start) or Decimal(0) for start in over],
        None if current is None else sums.get(current) or Decimal(0),
        [*starts[len(over) + 1 :], closes],
    )
