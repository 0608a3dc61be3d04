"""What is summed in advance, and by what: facts of a request that add up, and the grains by which they are grouped."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, assert_never

import msgspec

from schemas.usage import USAGE_CLASSES
from services.sql.measures import MEASURES, Measure

MAX_GROUPS: Final = 50_000  # of a bucket; one with more is read from its rows


class Unit(StrEnum):
    """How long a bucket is. Buckets are those of UTC."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"  # from Monday on

    @property
    def length(self) -> timedelta:
        return timedelta(**{f"{self}s": 1})

    def start_of(self, timestamp: str) -> str:
        """SQL of the bucket that a timestamp is in."""
        match self:
            case Unit.HOUR:
                return f"toStartOfHour({timestamp})"
            case Unit.DAY:
                return f"toStartOfDay({timestamp}, 'UTC')"
            case Unit.WEEK:
                return f"toDateTime(toStartOfWeek({timestamp}, 1, 'UTC'), 'UTC')"
            case _:
                assert_never(self)

    def is_in(self, timestamp: str, buckets: str) -> str:
        """SQL of whether a timestamp is in one of `buckets`, an array in unix seconds, by which granules are skipped.

        The engine skips by a set of hours or days; by an expression that is no set, or by weeks, it does not.
        """
        if self is Unit.WEEK:
            days = f"arrayFlatten(arrayMap(s -> arrayMap(d -> s + d * 86400, range(7)), {buckets}))"
            return Unit.DAY.is_in(timestamp, days)
        return f"{self.start_of(timestamp)} IN (SELECT toDateTime(arrayJoin({buckets}), 'UTC'))"


class Grain(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    unit: Unit
    columns: tuple[str, ...]  # that its groups are of, as rows of requests call them


# The one with the fewest groups first: a report takes the first that has all it needs. Most users of a day send few
# requests, so that groups of a day would be hardly fewer than its requests.
GRAINS: Final = (
    Grain(name="model", unit=Unit.HOUR, columns=("provider", "model", "key_id")),
    Grain(name="user", unit=Unit.WEEK, columns=("user_id",)),
    Grain(name="feature", unit=Unit.DAY, columns=("provider", "model", "properties")),
)


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """`of_row` is its value of one request. `counted` is how measures have its sum over rows, if not as `sum(name)`."""

    name: str
    of_row: str
    counted: str = ""
    folded_by: str = "sum"


def _counted(name: str, condition: str) -> Fact:
    return Fact(name=name, of_row=condition, counted=f"countIf({condition})")


FACTS: Final[Mapping[str, Fact]] = {
    fact.name: fact
    for fact in (
        Fact(name="attempts", of_row="1", counted="count()"),
        Fact(name="requests", of_row="is_call", counted="countIf(is_call)"),
        _counted("unpriced", "cost_usd IS NULL"),
        _counted("priced", "cost_usd IS NOT NULL"),
        Fact(name="cost_usd", of_row="cost_usd"),
        Fact(name="all_tokens", of_row="all_tokens"),
        Fact(
            name="priced_tokens",
            of_row="if(cost_usd IS NOT NULL, all_tokens, 0)",
            counted="sumIf(all_tokens, cost_usd IS NOT NULL)",
        ),
        _counted("unpriced_without_tokens", "cost_usd IS NULL AND all_tokens = 0"),
        _counted("unreported", "usage_source = 'none'"),
        _counted("errors", "is_call AND outcome IN ('provider_error', 'upstream_error', 'timed_out', 'refused')"),
        _counted("hits", "outcome = 'cached'"),
        _counted("unpriced_hits", "outcome = 'cached' AND cache_saved_usd IS NULL"),
        _counted("cache_requests", "is_call AND (cache_enabled OR outcome = 'cached')"),
        Fact(name="cache_saved_usd", of_row="cache_saved_usd"),
        Fact(name="latency_ms", of_row="if(is_call, latency_ms, 0)"),
        Fact(
            name="first_request_at",
            of_row="request_created_at",
            counted="min(request_created_at)",
            folded_by="min",
        ),
        Fact(
            name="last_request_at",
            of_row="request_created_at",
            counted="max(request_created_at)",
            folded_by="max",
        ),
        *(Fact(name=name, of_row=name) for name in USAGE_CLASSES),
    )
}

_COUNTED: Final = {fact.counted: f"{fact.folded_by}({fact.name})" for fact in FACTS.values() if fact.counted} | {
    "count(cost_usd)": "sum(priced)",
    "avgIf(latency_ms, is_call)": "sum(latency_ms) / sum(requests)",
}
# Groups show as well as requests how many of these there are, where they are grouped by the columns that are named.
_DISTINCT: Final = {
    MEASURES["active_users"].sql: frozenset({"user_id"}),
    MEASURES["models"].sql: frozenset({"provider", "model"}),
}
_FOLDED: Final = re.compile(r"\b(sum|min|max)\(([a-z0-9_]+(?: \+ [a-z0-9_]+)*)\)")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_AROUND: Final = frozenset({"if", "AND", "NULL"})


class FoldedMeasure(msgspec.Struct, frozen=True):
    sql: str  # over the facts of groups, or of single requests
    facts: frozenset[str]
    columns: frozenset[str] = frozenset()  # that groups must have


def folded(measure: Measure) -> FoldedMeasure | None:
    """`measure` over sums of facts; None where it has to see the requests.

    It may consist of folded facts and nothing else, so that a measure which nobody thought of here sees the requests.
    """
    if measure.sql in _DISTINCT:
        return FoldedMeasure(measure.sql, frozenset(), _DISTINCT[measure.sql])
    sql = measure.sql
    for counted in sorted(_COUNTED, key=len, reverse=True):
        sql = sql.replace(counted, _COUNTED[counted])
    names: set[str] = set()
    for function, sum_ in _FOLDED.findall(sql):
        parts = sum_.split(" + ")
        if any(part not in FACTS or FACTS[part].folded_by != function for part in parts):
            return None
        names.update(parts)
    if not set(_WORD.findall(_FOLDED.sub("", sql))) <= _AROUND:
        return None
    return FoldedMeasure(sql, frozenset(names))
