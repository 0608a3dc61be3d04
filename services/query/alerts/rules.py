"""The body of an alert into a rule that was tried on the engine's names, and back into Helicone's fields."""

from decimal import Decimal
from typing import Final

from schemas.alert import AlertRule, AlertWindow, CalendarUnit, Condition, GroupBy
from schemas.api.alerts import DAY_MS, AlertRequest
from schemas.api.reports import ByPropertyRequest
from schemas.errors import InvalidRequest
from services.alerting.figures import question_of
from services.alerting.unusual import unusual_measure
from services.domain.alerts.rule import GivenRule, GivenThreshold, rule_of
from services.domain.alerts.windows import zone_of_window
from services.query.time_zone import zone_of
from services.sql.nodes import And, Everything, Filter, Not, Or
from services.sql.parse import parse_filter

# What Helicone calls columns, and what people do.
_GROUPINGS: Final = {"user": "user_id", "key": "key_id", "api_key": "key_id"}
_LENGTHS_MS: Final = {
    CalendarUnit.HOUR: DAY_MS // 24,
    CalendarUnit.DAY: DAY_MS,
    CalendarUnit.WEEK: 7 * DAY_MS,
    CalendarUnit.MONTH: 30 * DAY_MS,
    CalendarUnit.QUARTER: 91 * DAY_MS,
}


def rule_from(body: AlertRequest, organization_id: str) -> AlertRule:
    """Raises: InvalidRequest, which names the culprit."""
    zone_of(body.time_zone, "time_zone")
    rule = rule_of(
        GivenRule(
            metric=body.metric,
            threshold=body.threshold,
            level=body.level,
            thresholds=[
                GivenThreshold(value=one.value, percent=one.percent, level=one.level) for one in body.thresholds
            ],
            aggregation=body.aggregation,
            percentile=body.percentile,
            condition=body.condition,
            direction=body.direction,
            window=_window(body),
            filter="all" if body.filter is None else body.filter,
            by=_by(body),
            minimum_requests=body.minimum_request_count or 0,
            renotify_s=body.renotify_s,
            cooldown_s=body.cooldown_s,
            notify_no_data=body.notify_no_data,
        )
    )
    question_of(organization_id, rule)
    if rule.condition is Condition.ANOMALY and unusual_measure(rule.metric) is None:
        raise InvalidRequest(f"condition: {rule.metric} has no usual range, so no anomalies are looked for in it")
    return rule


def watches_same(one: AlertRule, other: AlertRule) -> bool:
    """Whether their figures are of the same: what has fired stays so then, however the filter is written."""
    return _watched(one) == _watched(other)


def _watched(rule: AlertRule) -> tuple[object, ...]:
    return (
        *(rule.metric, rule.aggregation, rule.percentile, rule.condition, rule.direction),
        *(rule.window, rule.by, _terms(parse_filter(rule.filter, zone_of_window(rule.window)))),
    )


def _terms(where: Filter) -> frozenset[object]:
    """What must hold, all of it: the same of filters that differ in order and nesting alone."""
    match where:
        case Everything():
            return frozenset()
        case And(terms):
            return frozenset[object]().union(*map(_terms, terms))
        case Or(terms):
            return frozenset({(Or, frozenset(map(_terms, terms)))})
        case Not(term):
            return frozenset({(Not, _terms(term))})
        case _:
            return frozenset({where})


def time_window_ms(window: AlertWindow) -> int:
    """As Helicone shows it; of a calendar window about its length."""
    if window.calendar is not None:
        return _LENGTHS_MS[window.calendar]
    return (window.rolling_s or 0) * 1000


def _window(body: AlertRequest) -> AlertWindow:
    if body.calendar is not None:
        if body.time_window is not None:
            raise InvalidRequest("time_window: give either time_window or calendar")
        return AlertWindow(calendar=body.calendar, time_zone=body.time_zone)
    given = DAY_MS if body.time_window is None else body.time_window
    text = str(given)
    if isinstance(given, bool) or not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise InvalidRequest(f"time_window: it takes milliseconds, such as 86400000, not {text[:80]!r}")
    return AlertWindow(rolling_s=round(Decimal(text) / 1000), time_zone=body.time_zone)


def _by(body: AlertRequest) -> tuple[GroupBy, ...]:
    if body.grouping is None or body.grouping == "":
        return tuple(
            GroupBy(name=one.property, is_property=True)
            if isinstance(one, ByPropertyRequest)
            else GroupBy(name=_GROUPINGS.get(one.column, one.column))
            for one in body.by
        )
    if body.by:
        raise InvalidRequest("grouping: give either grouping or by")
    if body.grouping_is_property:
        return (GroupBy(name=body.grouping, is_property=True),)
    return (GroupBy(name=_GROUPINGS.get(body.grouping, body.grouping)),)
