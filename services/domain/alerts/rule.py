"""What a client asks for into a rule that can be evaluated; whatever cannot be is refused by name."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from schemas.alert import (
    Aggregation,
    AlertMetric,
    AlertRule,
    AlertState,
    AlertWindow,
    Condition,
    Direction,
    GroupBy,
    Threshold,
)
from schemas.errors import InvalidRequest
from schemas.notice import NoticeUnit
from services.domain.alerts.metrics import METRICS, grows

DAY_S: Final = 86_400
LEAST_ROLLING_S: Final = 30  # as Helicone has it; evaluations are a minute apart
MOST_ROLLING_S: Final = 30 * DAY_S
MAX_THRESHOLDS: Final = 10
MAX_DIMENSIONS: Final = 3
LEAST_USD: Final = Decimal("0.01")
MOST: Final = Decimal(10) ** 15
_HUNDRED: Final = Decimal(100)
_USD_DIGITS: Final = 12  # those of a cost
_DIGITS: Final = 6

# What other names there are for a metric: Helicone's.
_NAMES: Final = {"response.status": AlertMetric.ERROR_RATE, "count": AlertMetric.REQUESTS}


class GivenThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """One step as clients give it: a value, or percents of the rule's threshold."""

    value: Decimal | None = None
    percent: Decimal | None = None
    level: AlertState | None = None


class GivenRule(msgspec.Struct, frozen=True, kw_only=True):
    """What clients give. Shares are in percent."""

    metric: str
    threshold: Decimal | None = None
    level: AlertState | None = None  # of `threshold` alone
    thresholds: Sequence[GivenThreshold] = ()
    aggregation: Aggregation | None = None
    percentile: Decimal | None = None
    condition: Condition = Condition.THRESHOLD
    direction: Direction = Direction.ABOVE
    window: AlertWindow
    filter: object = "all"
    by: tuple[GroupBy, ...] = ()
    minimum_requests: int = 0
    renotify_s: int | None = None
    cooldown_s: int = 300
    notify_no_data: bool = False


def rule_of(given: GivenRule) -> AlertRule:
    """Raises: InvalidRequest, which names the culprit."""
    metric = metric_named(given.metric)
    aggregation, percentile = _aggregation(metric, given)
    _check_window(given.window, given.condition)
    if len(given.by) > MAX_DIMENSIONS:
        raise InvalidRequest(f"by: an alert groups by at most {MAX_DIMENSIONS} things, not {len(given.by)}")
    if given.notify_no_data and given.by:
        raise InvalidRequest("notify_no_data: a group without requests is no group; leave out grouping, or this")
    rule = AlertRule(
        metric=metric,
        aggregation=aggregation,
        percentile=percentile,
        condition=given.condition,
        direction=given.direction,
        thresholds=tuple(_thresholds(metric, given)),
        window=given.window,
        filter=given.filter,
        by=given.by,
        minimum_requests=given.minimum_requests,
        renotify_s=given.renotify_s,
        cooldown_s=given.cooldown_s,
        notify_no_data=given.notify_no_data,
    )
    if rule.condition is Condition.FORECAST and not (
        grows(metric, aggregation) and aggregation is Aggregation.SUM and rule.direction is Direction.ABOVE
    ):
        raise InvalidRequest(f"condition: only a sum that grows can be forecast, which {metric} ({aggregation}) is not")
    return rule


def metric_named(name: str) -> AlertMetric:
    """By ours or Helicone's name. Raises: InvalidRequest."""
    if name in _NAMES:
        return _NAMES[name]
    if name not in frozenset(AlertMetric):
        known = ", ".join((*AlertMetric, *_NAMES))
        raise InvalidRequest(f"metric: unknown metric {name[:80]!r}; known are {known}")
    return AlertMetric(name)


def _aggregation(metric: AlertMetric, given: GivenRule) -> tuple[Aggregation, Decimal | None]:
    allowed = METRICS[metric].aggregations
    aggregation = given.aggregation or (allowed[0] if given.percentile is None else Aggregation.PERCENTILE)
    if aggregation not in allowed:
        raise InvalidRequest(f"aggregation: {metric} takes {', '.join(allowed)}, not {aggregation}")
    if given.condition is Condition.ANOMALY and (metric, aggregation) != (metric, allowed[0]):
        raise InvalidRequest(f"aggregation: anomalies of {metric} are looked for by {allowed[0]}, not {aggregation}")
    if aggregation is not Aggregation.PERCENTILE:
        if given.percentile is not None:
            raise InvalidRequest(f"percentile: it is for the aggregation percentile, not {aggregation}")
        return aggregation, None
    percentile = Decimal(50) if given.percentile is None else given.percentile
    if not 0 <= percentile <= _HUNDRED:
        raise InvalidRequest(f"percentile: it lies between 0 and 100, not at {percentile}")
    return aggregation, percentile


def _check_window(window: AlertWindow, condition: Condition) -> None:
    if (window.rolling_s is None) == (window.calendar is None):
        raise InvalidRequest("time_window: give either time_window or calendar")
    if window.rolling_s is not None and not LEAST_ROLLING_S <= window.rolling_s <= MOST_ROLLING_S:
        raise InvalidRequest(
            f"time_window: it lies between 30 seconds and 30 days ({LEAST_ROLLING_S * 1000} to "
            f"{MOST_ROLLING_S * 1000} milliseconds)"
        )
    if condition is Condition.FORECAST and window.calendar is None:
        raise InvalidRequest("condition: a forecast is about the end of a window: give calendar instead of time_window")
    if condition is Condition.ANOMALY and window.rolling_s is None:
        raise InvalidRequest("condition: an anomaly is looked for in the last hours or days: give time_window")


def _thresholds(metric: AlertMetric, given: GivenRule) -> Iterator[Threshold]:
    """In the order in which they are reached."""
    if given.condition is Condition.ANOMALY:
        if given.threshold is not None or given.thresholds:
            raise InvalidRequest("threshold: an anomaly is what is unusual, and has none")
        # One when it is unusual, and zero when it is not.
        yield Threshold(value=Decimal(1), level=given.level or AlertState.WARNING)
        return
    if not given.thresholds:
        if given.threshold is None:
            raise InvalidRequest("threshold: give a threshold")
        yield Threshold(
            value=_value(metric, given.threshold, "threshold", given), level=given.level or AlertState.CRITICAL
        )
        return
    if len(given.thresholds) > MAX_THRESHOLDS:
        raise InvalidRequest(f"thresholds: an alert has at most {MAX_THRESHOLDS}, not {len(given.thresholds)}")
    steps = [_step(metric, given, one, f"thresholds.{at}") for at, one in enumerate(given.thresholds)]
    if len({one.value for one in steps}) < len(steps):
        raise InvalidRequest("thresholds: two of them are the same")
    steps.sort(key=lambda one: one.value, reverse=given.direction is Direction.BELOW)
    # Where levels are left out, the furthest is critical and the others warn.
    last = len(steps) - 1
    for at, step in enumerate(steps):
        default = AlertState.CRITICAL if at == last else AlertState.WARNING
        yield step if step.level is not AlertState.OK else msgspec.structs.replace(step, level=default)


def _step(metric: AlertMetric, given: GivenRule, one: GivenThreshold, place: str) -> Threshold:
    if (one.value is None) == (one.percent is None):
        raise InvalidRequest(f"{place}: give either value or percent")
    if one.level in (AlertState.OK, AlertState.NO_DATA):
        raise InvalidRequest(f"{place}.level: a threshold is a WARNING or CRITICAL, not {one.level}")
    level = one.level or AlertState.OK
    if one.percent is None:
        assert one.value is not None
        return Threshold(value=_value(metric, one.value, f"{place}.value", given), level=level)
    if given.threshold is None:
        raise InvalidRequest(f"{place}.percent: percents are of the threshold: give threshold too")
    whole = _value(metric, given.threshold, "threshold", given)
    if not 0 < one.percent <= 1000:
        raise InvalidRequest(f"{place}.percent: it lies above 0 and at most at 1000, not at {one.percent}")
    label = f"{_plain(one.percent, _DIGITS)} % of {shown_value(whole, METRICS[metric].unit)}"
    if one.level is None and one.percent >= _HUNDRED:
        level = AlertState.CRITICAL
    value = whole * one.percent / _HUNDRED
    if abs(value) > MOST:
        raise InvalidRequest(f"{place}.percent: {label} is no amount")
    return Threshold(value=value, level=level, label=label)


def _value(metric: AlertMetric, value: Decimal, place: str, given: GivenRule) -> Decimal:
    unit = METRICS[metric].unit
    is_margin = metric in (AlertMetric.MARGIN, AlertMetric.MARGIN_RATIO)
    if not value.is_finite() or abs(value) > MOST:
        raise InvalidRequest(f"{place}: {value} is no amount")
    if not is_margin and (value < 0 or (value == 0 and given.direction is Direction.ABOVE)):
        raise InvalidRequest(f"{place}: it is above zero, not {value}")
    if unit is NoticeUnit.SHARE:
        if value > _HUNDRED:
            raise InvalidRequest(f"{place}: {metric} is a share in percent, so at most 100, not {value}")
        return value / _HUNDRED
    if unit is NoticeUnit.USD and not is_margin and value < LEAST_USD:
        raise InvalidRequest(f"{place}: of {metric} it is at least {LEAST_USD} US dollars, not {value}")
    return value


def shown_value(value: Decimal, unit: NoticeUnit) -> str:
    """As people write it: $500, 2.5 %, 800 ms, 1,000. Dollars with all digits, quotients with a few."""
    match unit:
        case NoticeUnit.USD:
            return f"{'-' if value < 0 else ''}${_plain(abs(value), _USD_DIGITS)}"
        case NoticeUnit.SHARE:
            return f"{_plain(value * _HUNDRED, _DIGITS)} %"
        case NoticeUnit.MILLISECONDS:
            return f"{_plain(value, _DIGITS)} ms"
        case NoticeUnit.COUNT:
            return _plain(value, _DIGITS)


def _plain(value: Decimal, digits: int) -> str:
    text = f"{round(value, digits):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
