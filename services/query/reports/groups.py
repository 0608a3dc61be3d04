"""Runs reports, and parses what comes back: positions into names, and what is empty into None."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from schemas.api.reports import Presence
from schemas.errors import QueryLimitExceeded
from services.ports.warehouse import QueryableWarehouse
from services.rolled_queries import may_spare
from services.sql.comparison import compile_comparison, is_zero_without_rows
from services.sql.compile import compile_report
from services.sql.groupings import Groupings, compile_groupings, estimates, joined_groupings
from services.sql.measures import Measure
from services.sql.merged import compile_merged, is_merged
from services.sql.nodes import Comparison, Report, ValueRows

_PRESENCE: Final = {
    (1, 1): Presence.BOTH,
    (1, 0): Presence.NEW,
    (0, 1): Presence.GONE,
    (0, 0): Presence.NEITHER,
}


class Group(msgspec.Struct, frozen=True):
    by: tuple[Any, ...]
    figures: Mapping[str, Any]
    previous: Mapping[str, Any] = {}  # in the other period of a comparison
    presence: Presence = Presence.BOTH


async def run_groupings(
    queries: Sequence[Report | Comparison], warehouse: QueryableWarehouse
) -> list[tuple[Group, list[Group]]]:
    """Of each of `queries` what `run_report` or `run_comparison` returns; with few statements for all of them.

    Raises: StoreUnavailable.
    """
    joined = joined_groupings(queries, is_rolled=await _is_rolled(queries, warehouse))
    alone = sorted({*range(len(queries))}.difference(*joined))
    found = await asyncio.gather(
        *(_run_joined(groupings, warehouse) for groupings in joined.values()),
        *(_run_alone(queries[place], warehouse) for place in alone),
    )
    places = [*joined, *((place,) for place in alone)]
    by_place = {place: one for of, ones in zip(places, found, strict=True) for place, one in zip(of, ones, strict=True)}
    return [by_place[place] for place in range(len(queries))]


async def _is_rolled(queries: Sequence[Report | Comparison], warehouse: QueryableWarehouse) -> bool:
    """Whether the roll-up has some of `queries` and is worth reading for them."""
    looks = estimates(queries)
    try:
        return bool(looks) and await may_spare(looks, warehouse)
    except QueryLimitExceeded:  # there are more rows than one query may read
        return True


async def _run_joined(groupings: Groupings, warehouse: QueryableWarehouse) -> list[tuple[Group, list[Group]]]:
    try:
        rows = await warehouse.query(compile_groupings(groupings))
    except QueryLimitExceeded:  # each may be within the limits by itself
        return [one for query in groupings.queries for one in await _run_alone(query, warehouse)]
    return [_parsed(groupings.rows_of(query, rows), query) for query in groupings.queries]


async def _run_alone(query: Report | Comparison, warehouse: QueryableWarehouse) -> list[tuple[Group, list[Group]]]:
    run = run_report(query, warehouse) if isinstance(query, Report) else run_comparison(query, warehouse)
    return [await run]


async def run_report(report: Report, warehouse: QueryableWarehouse) -> tuple[Group, list[Group]]:
    """The total over all groups, and the groups in order. Raises: StoreUnavailable."""
    rows = await warehouse.query(compile_merged(report) if is_merged(report) else compile_report(report))
    return _parsed(rows, report)


async def run_comparison(comparison: Comparison, warehouse: QueryableWarehouse) -> tuple[Group, list[Group]]:
    """The total over all groups of either period, and the groups in order. Raises: StoreUnavailable."""
    return _parsed(await warehouse.query(compile_comparison(comparison)), comparison)


def _parsed(rows: Sequence[Mapping[str, Any]], query: Report | Comparison) -> tuple[Group, list[Group]]:
    """Of rows that begin with the total."""
    total, *groups = [_group(row, query) if isinstance(query, Report) else _compared_group(row, query) for row in rows]
    return total, groups


def _group(row: Mapping[str, Any], report: Report) -> Group:
    return Group(by_of(row, report), _figures(row, report))


def _compared_group(row: Mapping[str, Any], comparison: Comparison) -> Group:
    report, is_here, was_there = comparison.report, int(row["is_here"]), int(row["was_there"])
    here = row["here_figures"] if is_here else _of_no_rows(report, report.value)
    there = row["there_figures"] if was_there else _of_no_rows(report, comparison.compared_value)
    names = [measure.name for measure in report.measures]
    figures, previous = (dict(zip(names, of, strict=True)) for of in (here, there))
    return Group(by_of(row, report), figures, previous, _PRESENCE[is_here, was_there])


def _of_no_rows(report: Report, value: ValueRows | None) -> list[Any]:
    """The figures of a group in a period in which it has no requests."""
    return [_zero_of(measure) if is_zero_without_rows(measure, value) else None for measure in report.measures]


def _zero_of(measure: Measure) -> Decimal | int:
    return Decimal(0) if measure.unit == "USD" else 0


def _figures(row: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    return {measure.name: row[f"m{position}"] for position, measure in enumerate(report.measures)}


def by_of(row: Mapping[str, Any], report: Report) -> tuple[Any, ...]:
    """The group that a row is about; () for the total."""
    return tuple(value_of(row[f"d{position}"]) for position in range(len(report.by)) if not row["total"])


def value_of(value: object) -> object:
    """Of a dimension, as the warehouse returns it: None for what a request has not."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        # Of another zone it would equal no timestamp of an hour that comes twice.
        return value.astimezone(UTC)
    return None if value == "" else value
