"""An alert as the API shows it, with some things changed -> the body that replaces it."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from schemas.alert import Condition
from schemas.errors import InvalidRequest
from schemas.notice import NoticeUnit
from services.cli.alerts.rule import number, percents_of

_PERCENTS: Final = re.compile(r"[0-9.]+ % of (-?[0-9.]+)")  # as the server names steps: 80 % of -$1,000
_MARKS: Final = re.compile("[$,]")
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
    if alert["condition"] == Condition.ANOMALY:
        return {"threshold": None, "level": alert["level"]}
    scale = 100 if alert["unit"] == NoticeUnit.SHARE else 1
    steps = [(Decimal(one["value"]) * scale, one["level"]) for one in alert["thresholds"]]
    whole = _whole([one["label"] for one in alert["thresholds"]])
    if whole:
        thresholds = [{"percent": value * 100 / whole, "level": level} for value, level in steps]
        return {"threshold": whole, "thresholds": thresholds}
    if len(steps) == 1:
        value, level = steps[0]
        return {"threshold": value, "level": level, "thresholds": []}
    return {"thresholds": [{"value": value, "level": level} for value, level in steps]}


def _whole(labels: Sequence[str]) -> Decimal | None:
    """What all are percents of. How many percents is not read: labels round that to six digits."""
    matches = [_PERCENTS.match(_MARKS.sub("", one)) for one in labels]
    wholes = {match and Decimal(match[1]) for match in matches}
    return wholes.pop() if len(wholes) == 1 else None
