"""What was earned: entries as they stand, as they stood, and spread over time.

An entry is spread over its period evenly. What of it has been earned by a time t is its amount in picodollars, times
the milliseconds from its start to t, divided by its length, cut to whole picodollars; the part of a bucket is the
difference between its end and its start. So parts of periods that follow each other add up, to the whole at last.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from schemas.statement import Statement
from schemas.tables import VALUE
from schemas.timestamps import EPOCH, MILLISECOND
from services.sql.filters import compile_filter
from services.sql.nodes import (
    And,
    Behind,
    ByColumn,
    ByProperty,
    ByTime,
    Compare,
    Dimension,
    Everything,
    Filter,
    HasKey,
    Not,
    Or,
    UsesModel,
    ValueRows,
)
from services.sql.scope import Scope, from_rows

_USER: Final = "user_id"
_PERIOD: Final = "toUnixTimestamp64Milli(starts_at) AS first_ms, toUnixTimestamp64Milli(ends_at) AS last_ms"
_PICODOLLARS: Final = "toInt128(value_usd * toDecimal128(1000000000000, 0)) AS picodollars"
_SHOWN: Final = ", ".join(VALUE.shown)
_EDGES: Final = "arrayMap(second -> second * 1000, {cuts})"


class Named(msgspec.Struct, frozen=True):
    """By what value is filtered or grouped: users and properties, and columns that no value is given for."""

    given: frozenset[str] = frozenset()  # 'user_id', and 'properties.' with a name in lower case
    not_given: frozenset[str] = frozenset()  # names of columns

    def is_among(self, names: frozenset[str]) -> bool:
        """Whether value was given by all of them, where it was given by `names`."""
        return not self.not_given and self.given <= names


def names_in_filter(where: Filter) -> Named:
    match where:
        case And(terms) | Or(terms):
            return _all_of([names_in_filter(term) for term in terms])
        case Not(term):
            return names_in_filter(term)
        case Compare(column=column, key=key):
            return _named(column.sql, column.name, key)
        case HasKey() | Behind():
            return Named(not_given=frozenset({"request_id"}))
        case UsesModel():
            return Named(not_given=frozenset({"model"}))
        case Everything():
            return Named()


def names_in_groups(by: Sequence[Dimension]) -> Named:
    return _all_of([_of_dimension(part) for part in by])


def _of_dimension(part: Dimension) -> Named:
    match part:
        case ByColumn(column):
            return _named(column.sql, column.name, None)
        case ByProperty(key):
            return _named("properties", "properties", key)
        case ByTime():
            return Named()


def _named(sql: str, name: str, key: str | None) -> Named:
    if sql == _USER:
        return Named(given=frozenset({_USER}))
    if sql == "properties" and key is not None:
        return Named(given=frozenset({f"properties.{key.lower()}"}))
    return Named(not_given=frozenset({name}))


def _all_of(parts: Sequence[Named]) -> Named:
    return Named(
        frozenset(name for part in parts for name in part.given),
        frozenset(name for part in parts for name in part.not_given),
    )


def from_parts(value: ValueRows, scope: Scope) -> str:
    """Parts of entries, with the columns of requests that they have, `value_id` and `part_picodollars`.

    Each lies within one of the buckets that `cuts` begin, and begins at its `request_created_at`.
    """
    cuts = scope.bind(tuple((cut - EPOCH) // MILLISECOND // 1000 for cut in value.cuts), "Array(Int64)")
    first, last = (scope.bind((bound - EPOCH) // MILLISECOND, "Int64") for bound in (value.start, value.end))
    edges = f"arrayConcat([{first}], {_EDGES.format(cuts=cuts)}, [{last}])"
    buckets = f"arrayZip(arrayPopBack({edges}), arrayPopFront({edges}))"
    within = f"arrayFilter(bucket -> bucket.1 < last_ms AND bucket.2 > first_ms, {buckets})"
    parts = f"arrayMap(bucket -> (greatest(bucket.1, first_ms), least(bucket.2, last_ms)), {within})"
    earned = (
        "intDiv(picodollars * (part.2 - first_ms), length_ms) - intDiv(picodollars * (part.1 - first_ms), length_ms)"
    )
    condition = f"{_overlaps(value.start, value.end, scope)} AND {compile_filter(value.where, scope)}"
    entries = (
        f"SELECT value_id, user_id, properties, {_PICODOLLARS}, {_PERIOD}, last_ms - first_ms AS length_ms"
        f" {_from_current(condition, scope)}"
    )
    columns = (
        "fromUnixTimestamp64Milli(part.1, 'UTC') AS request_created_at, user_id, properties, value_id,"
        f" {earned} AS part_picodollars"
    )
    rows = f"FROM ({entries}) ARRAY JOIN {parts} AS part"
    return f"FROM (SELECT {columns} {rows})"


def compile_given(organization_id: str, start: datetime, end: datetime, names: Sequence[str]) -> Statement:
    """How many `entries` have a part from `start` on, before `end`; and how many of them, `n0, ...`, have `names`."""
    scope = Scope(organization_id, Everything())
    counts = ["count() AS entries"]
    counts += [f"countIf({_has(name, scope)}) AS n{position}" for position, name in enumerate(names)]
    return scope.statement(f"SELECT {', '.join(counts)} {_from_current(_overlaps(start, end, scope), scope)}")


def _has(name: str, scope: Scope) -> str:
    if name == _USER:
        return "user_id != ''"
    return f"mapContains(properties, {scope.bind(name.removeprefix('properties.'), 'String')})"


def compile_entries(
    organization_id: str, where: Filter, period: tuple[datetime, datetime] | None, limit: int, offset: int
) -> Statement:
    """A page of the entries that stand, those of the latest periods first."""
    scope = Scope(organization_id, Everything())
    page = f"LIMIT {scope.bind(limit, 'UInt64')} OFFSET {scope.bind(offset, 'UInt64')}"
    entries = _from_current(_condition(where, period, scope), scope)
    return scope.statement(f"SELECT {_SHOWN} {entries} ORDER BY starts_at DESC, ends_at DESC, value_id {page}")


def compile_entry_totals(organization_id: str, where: Filter, period: tuple[datetime, datetime] | None) -> Statement:
    """How many `entries` there are on all pages, and what they come to over their whole periods, `total_usd`."""
    scope = Scope(organization_id, Everything())
    entries = _from_current(_condition(where, period, scope), scope)
    return scope.statement(f"SELECT count() AS entries, sum(value_usd) AS total_usd {entries}")


def compile_latest(organization_id: str, ids: Sequence[str]) -> Statement:
    """The newest version of each of `ids` that there is one of, be it a deletion."""
    scope = Scope(organization_id, Everything())
    rows = from_rows(VALUE, f"value_id IN {scope.bind(tuple(ids), 'Array(String)')}", scope, final=False)
    return scope.statement(f"SELECT {_SHOWN} {rows} {_NEWEST}", is_cheap=True)


def compile_versions(organization_id: str, value_id: str, limit: int) -> Statement:
    """The versions of one entry, the newest first."""
    scope = Scope(organization_id, Everything())
    rows = from_rows(VALUE, f"value_id = {scope.bind(value_id, 'String')}", scope)
    return scope.statement(
        f"SELECT {_SHOWN} {rows} ORDER BY version DESC LIMIT {scope.bind(limit, 'UInt64')}", is_cheap=True
    )


_NEWEST: Final = "ORDER BY value_id, version DESC LIMIT 1 BY value_id"


def _from_current(condition: str, scope: Scope) -> str:
    """Entries as they stand. Whatever they are found by is that of their newest version."""
    rows = f"SELECT {_SHOWN}, property_pairs {from_rows(VALUE, '1', scope, final=False)} {_NEWEST}"
    return f"FROM ({rows}) WHERE NOT is_deleted AND {condition}"


def _condition(where: Filter, period: tuple[datetime, datetime] | None, scope: Scope) -> str:
    condition = compile_filter(where, scope)
    return condition if period is None else f"{_overlaps(*period, scope)} AND {condition}"


def _overlaps(start: datetime, end: datetime, scope: Scope) -> str:
    first, last = (scope.bind(bound, "DateTime64(3, 'UTC')") for bound in (start, end))
    return f"ends_at > {first} AND starts_at < {last}"
