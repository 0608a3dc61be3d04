"""Measures that Helicone's endpoints have of users, sessions and periods, beside those of `measures.py`."""

from collections.abc import Mapping
from typing import Final

from schemas.amendment import SESSION_TAG
from schemas.tables import REQUEST_RESPONSE, Column, Kind
from schemas.usage import COUNTS
from services.sql.measures import MEASURES, REQUESTS, Measure
from services.sql.nodes import ByColumn

_REPORTED: Final = "usage_source != 'none'"
_PROMPT_AND_COMPLETION: Final = " + ".join((*COUNTS["prompt_tokens"], *COUNTS["completion_tokens"]))
_DURATION_S: Final = "dateDiff('second', min(request_created_at), max(request_created_at))"
# The status that the proxy gives, and the one that Helicone's documents name.
_RATE_LIMITED: Final = "countIf(properties['helicone-rate-limit-status'] IN ('rate_limited', 'bucket_rate_limited'))"
_STARTED: Final = "is_call AND time_to_first_token_ms > 0"

MAX_USERS: Final = 1000  # whose names one session shows


def _of_reported(parts: str) -> str:
    """The sum over the requests with reported usage, by their number; no value where there are none."""
    return f"if(countIf({_REPORTED}) = 0, NULL, sumIf({parts}, {_REPORTED}) / countIf({_REPORTED}))"


def _measure(name: str, sql: str, unit: str, meaning: str) -> Measure:
    return Measure(name=name, sql=sql, unit=unit, meaning=meaning)


ACTIVE_DAYS: Final = MEASURES["active_days"]
REQUESTS_PER_DAY: Final = _measure(
    "requests_per_day", f"if(count() = 0, NULL, {REQUESTS} / {ACTIVE_DAYS.sql})", "requests", "of a day with a request"
)
RATE_LIMITED: Final = _measure("rate_limited", _RATE_LIMITED, "requests", "refused by a rate limit")
TOKENS_PER_REQUEST: Final = _measure(
    "tokens_per_request", _of_reported(_PROMPT_AND_COMPLETION), "tokens", "prompt and completion"
)
PROMPT_TOKENS_PER_REQUEST: Final = _measure(
    "prompt_tokens_per_request", _of_reported(" + ".join(COUNTS["prompt_tokens"])), "tokens", "prompt"
)
COMPLETION_TOKENS_PER_REQUEST: Final = _measure(
    "completion_tokens_per_request", _of_reported(" + ".join(COUNTS["completion_tokens"])), "tokens", "completion"
)
TIME_TO_FIRST_TOKEN: Final = _measure(
    "time_to_first_token",
    f"if(countIf({_STARTED}) = 0, NULL, avgIf(time_to_first_token_ms, {_STARTED}))",
    "ms",
    "of streams, from the request to the first token",
)
USER_IDS: Final = _measure(
    "user_ids", f"arraySort(groupUniqArrayIf({MAX_USERS})(user_id, user_id != ''))", "users", "the named ones"
)
DURATION: Final = _measure("duration", _DURATION_S, "s", "from the first request to the last")
LATENCY_SUM: Final = _measure("latency_sum", "sumIf(latency_ms, is_call)", "ms", "of all requests together")


def quantiles_of(name: str) -> tuple[Measure, ...]:
    """p75, p90, p95 and p99 of a column of requests: `latency`, or a count of tokens where usage was reported."""
    sql, condition = ("latency_ms", "is_call") if name == "latency" else (" + ".join(COUNTS[name]), _REPORTED)
    return tuple(
        _measure(
            f"p{percent}",
            f"if(countIf({condition}) = 0, NULL, quantileExactIf(0.{percent})({sql}, {condition}))",
            "ms" if name == "latency" else "tokens",
            f"{percent}% have no more",
        )
        for percent in (75, 90, 95, 99)
    )


# A cache hit names the request whose response it got.
BY_CACHE_REFERENCE: Final = ByColumn(REQUEST_RESPONSE.columns["cache_reference_id"])


def _of_group(kind: Kind, measure: Measure) -> Column:
    """A figure of a group as something that a filter may name. What is compared with money takes fractions."""
    param_type = {Kind.MONEY: "Decimal(38, 12)", Kind.TIMESTAMP: "DateTime64(3, 'UTC')"}.get(kind, "Int64")
    return Column(name=measure.name, sql=measure.sql, kind=kind, param_type=param_type, nullable=True)


def _fraction(measure: Measure) -> Column:
    exact = Measure(name=measure.name, sql=f"toDecimal128({measure.sql}, 12)", unit=measure.unit, meaning="")
    return _of_group(Kind.MONEY, exact)


# Of Helicone's tables `users_view` and `sessions_request_response_rmt`, whose rows are groups of requests.
USER_FIGURES: Final[Mapping[str, Column]] = {
    "user_active_for": _of_group(Kind.NUMBER, ACTIVE_DAYS),
    "user_first_active": _of_group(Kind.TIMESTAMP, MEASURES["first_request_at"]),
    "user_last_active": _of_group(Kind.TIMESTAMP, MEASURES["last_request_at"]),
    "user_total_requests": _of_group(Kind.NUMBER, MEASURES["requests"]),
    "user_average_requests_per_day_active": _fraction(REQUESTS_PER_DAY),
    "user_average_tokens_per_request": _fraction(TOKENS_PER_REQUEST),
    "user_total_completion_tokens": _of_group(Kind.NUMBER, MEASURES["completion_tokens"]),
    "user_total_prompt_tokens": _of_group(Kind.NUMBER, MEASURES["prompt_tokens"]),
    "user_cost": _of_group(Kind.MONEY, MEASURES["cost_usd"]),
}
_TAGGED: Final = f"mapContains(properties, '{SESSION_TAG.lower()}')"
_TAG: Final = f"argMaxIf(properties['{SESSION_TAG.lower()}'], request_created_at, {_TAGGED})"
SESSION_FIGURES: Final[Mapping[str, Column]] = {
    "session_tag": Column(name="session_tag", sql=_TAG, kind=Kind.TEXT, param_type="String"),
    "session_total_cost": _of_group(Kind.MONEY, MEASURES["cost_usd"]),
    "session_total_tokens": _of_group(Kind.NUMBER, MEASURES["total_tokens"]),
    "session_prompt_tokens": _of_group(Kind.NUMBER, MEASURES["prompt_tokens"]),
    "session_completion_tokens": _of_group(Kind.NUMBER, MEASURES["completion_tokens"]),
    "session_total_requests": _of_group(Kind.NUMBER, MEASURES["requests"]),
    "session_created_at": _of_group(Kind.TIMESTAMP, MEASURES["first_request_at"]),
    "session_latest_request_created_at": _of_group(Kind.TIMESTAMP, MEASURES["last_request_at"]),
}
FIGURES: Final = frozenset((*USER_FIGURES.values(), *SESSION_FIGURES.values()))
