"""An alert as the API shows it, with some things changed -> the body that replaces it."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from schemas.errors import InvalidRequest
from schemas.notice import NoticeUnit
from services.cli.alerts.rule import number, percents_of

_PERCENT: Final = re.compile(r"([0-9.]+) % of ")
_KEPT: Final = (
    *("name", "metric", "aggregation", "percentile", "condition", "direction", "time_zone", "filter", "by"),
    *("minimum_request_count", "channel_ids", "renotify_s", "cooldown_s", "notify_no_data"),
)


def changed_body(alert: Mapping[str, Any], given: Mapping[str, Any], threshold: str, percents: str) -> dict[str, Any]:
    """`given` has fields of the body. Raises: InvalidRequest."""
    window = {"calendar": alert["calendar"]} if alert["calendar"] else {"time_window": alert["time_window"]}
    steps = _steps(alert)
    if percents:
        steps = {"threshold": steps.get("threshold"), "thresholds": percents_of(percents)}
    if threshold and "threshold" not in steps:
        raise InvalidRequest("its thresholds are values of their own: pass --percents beside --threshold")
    if threshold:
        steps["threshold"] = number(threshold, "--threshold")
    return {**{name: alert[name] for name in _KEPT}, **window, **steps, **given}


def _steps(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Its thresholds as they were given: in percent of one, or as values; one alone without a list."""
    scale = 100 if alert["unit"] == NoticeUnit.SHARE else 1
    steps = [(Decimal(one["value"]) * scale, one["level"], _PERCENT.match(one["label"])) for one in alert["thresholds"]]
    if steps and all(percent for _, _, percent in steps):
        value, _, percent = steps[-1]
        thresholds = [{"percent": Decimal(percent[1]), "level": level} for _, level, percent in steps if percent]
        return {"threshold": value * 100 / Decimal(percent[1]) if percent else None, "thresholds": thresholds}
    if len(steps) == 1:
        value, level, _ = steps[0]
        return {"threshold": value, "level": level, "thresholds": []}
    return {"thresholds": [{"value": value, "level": level} for value, level, _ in steps]}
