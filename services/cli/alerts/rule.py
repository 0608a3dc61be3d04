"""The options of a rule into the body that the query service takes."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

import typer

from schemas.alert import Aggregation, CalendarUnit, Condition, Direction
from schemas.errors import InvalidRequest
from services.cli.report.options import filter_given

_LENGTH: Final = re.compile(r"([0-9]{1,6})([mhdw])", re.ASCII)
_UNITS_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_COLUMNS: Final = {
    "user": "user_id",
    "key": "key_id",
    "session": "session_name",
    "model": "model",
    "provider": "provider",
}

Metric = Annotated[str, typer.Option(help="cost, requests, total_tokens, errors, error_rate, latency ...")]
ThresholdOption = Annotated[str, typer.Option("--threshold", help="US dollars, ms, a count, or percent of a rate.")]
Percents = Annotated[str, typer.Option(metavar="50,80,100", help="Steps, in percent of the threshold.")]
WindowOption = Annotated[str, typer.Option("--window", help="Rolling: 10m, 24h, 7d, 4w. Default: 24h.")]
Calendar = Annotated[CalendarUnit | None, typer.Option(help="Instead of --window: what has passed of it.")]
By = Annotated[
    list[str] | None,
    typer.Option(help="One state for each user, model, key, session, provider, or a property such as Feature."),
]
Minimum = Annotated[int, typer.Option(min=0, help="Requests in the window, below which nothing fires.")]
Percentile = Annotated[str, typer.Option(help="Of latency and the like, such as 95.")]
AggregationOption = Annotated[
    Aggregation | None, typer.Option("--aggregation", help="Default: sum, and of latencies avg.")
]
ConditionOption = Annotated[Condition, typer.Option("--condition", help="What is compared with the threshold.")]
DirectionOption = Annotated[Direction, typer.Option("--direction", help="On which side of it the alert fires.")]


def rule_body(
    name: str,
    metric: str,
    threshold: str,
    percents: str,
    window: str,
    calendar: CalendarUnit | None,
    zone: str,
    filters: Sequence[str] | None,
    by: Sequence[str] | None,
    minimum: int,
    percentile: str,
    aggregation: Aggregation | None,
    condition: Condition,
    direction: Direction,
) -> dict[str, Any]:
    """Raises: InvalidRequest."""
    body: dict[str, Any] = {
        "name": name or "a back-test",
        "metric": metric,
        "condition": condition.value,
        "direction": direction.value,
        "time_zone": zone,
        "filter": filter_given(filters or ()),
        "by": [{"column": _COLUMNS[one]} if one in _COLUMNS else {"property": one} for one in by or ()],
        "minimum_request_count": minimum,
        "thresholds": percents_of(percents),
    }
    body |= {"calendar": calendar.value} if calendar is not None else {"time_window": _milliseconds(window, "--window")}
    body |= {"aggregation": aggregation.value} if aggregation is not None else {}
    body |= {"threshold": number(threshold, "--threshold")} if threshold else {}
    return body | ({"percentile": number(percentile, "--percentile")} if percentile else {})


def percents_of(text: str) -> list[dict[str, Any]]:
    """Raises: InvalidRequest."""
    return [{"percent": number(one, "--percents")} for one in text.split(",") if one.strip()]


def notification_options(cooldown: str, renotify: str, *, no_data: bool | None) -> dict[str, Any]:
    """When people are notified, as far as it is given. Raises: InvalidRequest."""
    body: dict[str, Any] = {} if no_data is None else {"notify_no_data": no_data}
    body |= {"cooldown_s": _milliseconds(cooldown, "--cooldown") // 1000} if cooldown else {}
    return body | ({"renotify_s": _milliseconds(renotify, "--renotify") // 1000} if renotify else {})


def _milliseconds(length: str, option: str) -> int:
    match = _LENGTH.fullmatch(length)
    if match is None:
        raise InvalidRequest(f"{option} takes a number and m, h, d or w, such as 24h, not {length[:40]!r}")
    return int(match[1]) * _UNITS_MS[match[2]]


def number(text: str, option: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise InvalidRequest(f"{option} takes a number, not {text[:40]!r}") from None
