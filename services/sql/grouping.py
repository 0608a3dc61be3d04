"""Pages of groups, how many there are, and how one figure is distributed over them.

The same rows, dimensions and measures as in a report, and so the same sums; a report has one list of groups with
their total, and these have pages, conditions on groups, and figures of figures.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from schemas.statement import Statement
from schemas.tables import Table
from services.sql.compile import compile_dimension
from services.sql.filters import compile_filter
from services.sql.measures import Measure
from services.sql.nodes import Dimension, Everything, Filter
from services.sql.scope import Scope, compile_measure, from_rows

BINS: Final = 10


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """Groups of requests, and the figures of each. `having` is about figures of groups, `where` about requests."""

    table: Table
    organization_id: str
    where: Filter
    by: tuple[Dimension, ...]
    measures: tuple[Measure, ...]
    having: Filter = Everything()


class GroupOrder(msgspec.Struct, frozen=True, kw_only=True):
    """By the measure at a position, or by the dimensions where that is None."""

    measure: int | None
    descending: bool = True


class PSize(StrEnum):
    """The share of groups that a distribution shows, from the lowest figure on."""

    P50 = "p50"
    P75 = "p75"
    P95 = "p95"
    P99 = "p99"
    P99_9 = "p99.9"


_SHARES: Final = {
    PSize.P50: ("0.5", "0.5"),
    PSize.P75: ("0.75", "0.25"),
    PSize.P95: ("0.95", "0.05"),
    PSize.P99: ("0.99", "0.01"),
    PSize.P99_9: ("0.999", "0.001"),
}


def compile_group_page(groups: Groups, order: GroupOrder, limit: int, offset: int) -> Statement:
    """Groups `d0, d1, ...` with their measures `m0, m1, ...`, in order; ties are settled by the dimensions."""
    scope = Scope(groups.organization_id, groups.where)
    direction = "DESC" if order.descending else "ASC"
    names = _names(groups)
    by = [f"{name} {direction}" for name in names] if order.measure is None else [f"m{order.measure} {direction}"]
    sql = (
        f"{_grouped(groups, scope)} ORDER BY {', '.join(f'{name} NULLS LAST' for name in by)}, {', '.join(names)}"
        f" LIMIT {scope.bind(limit, 'UInt64')} OFFSET {scope.bind(offset, 'UInt64')}"
    )
    return scope.statement(sql)


def compile_group_totals(groups: Groups) -> Statement:
    """`groups`, how many there are; and of each measure its `sum0, ...` over those `known0, ...` that have a value."""
    scope = Scope(groups.organization_id, groups.where)
    sums = [f"sum(m{at}) AS sum{at}, count(m{at}) AS known{at}" for at in range(len(groups.measures))]
    return scope.statement(f"SELECT {', '.join(('count() AS groups', *sums))} {_from(groups, scope)}")


def compile_bounds(groups: Groups, size: PSize) -> Statement:
    """Of the first measure over the groups that have a value: its `lowest`, and the `lower` and `upper` percentile."""
    scope = Scope(groups.organization_id, groups.where)
    upper, lower = _SHARES[size]
    bounds = (
        f"min(m0) AS lowest, quantileExact({lower})(m0) AS lower, quantileExact({upper})(m0) AS upper, "
        "count(m0) AS known, count() AS groups"
    )
    return scope.statement(f"SELECT {bounds} {_from(groups, scope)}")


def compile_bins(groups: Groups, edges: Sequence[Decimal], highest: Decimal) -> Statement:
    """How many `groups` have a first measure in each `bin`: from the edge of that position on, counted from 1, before
    the next one; and `highest` is in the last."""
    scope = Scope(groups.organization_id, groups.where)
    rows = _from(groups, scope)
    texts = scope.bind(tuple(f"{edge:f}" for edge in edges), "Array(String)")
    value = "toDecimal128(m0, 12)"
    bounds = f"{value} >= {_amount(edges[0], scope)} AND {value} <= {_amount(highest, scope)}"
    sql = (
        f"SELECT arrayCount(edge -> {value} >= edge, arrayMap(text -> toDecimal128(text, 12), {texts})) AS bin,"
        f" count() AS groups {rows} WHERE m0 IS NOT NULL AND {bounds} GROUP BY bin ORDER BY bin"
    )
    return scope.statement(sql)


def _amount(value: Decimal, scope: Scope) -> str:
    return scope.bind(value, "Decimal(38, 12)")


def _names(groups: Groups) -> list[str]:
    return [f"d{position}" for position in range(len(groups.by))]


def _from(groups: Groups, scope: Scope) -> str:
    return f"FROM ({_grouped(groups, scope)})"


def _grouped(groups: Groups, scope: Scope) -> str:
    names = _names(groups)
    dimensions = [f"{compile_dimension(by, scope)} AS {name}" for by, name in zip(groups.by, names, strict=True)]
    measures = [f"{compile_measure(measure, scope)} AS m{position}" for position, measure in enumerate(groups.measures)]
    rows = from_rows(groups.table, compile_filter(groups.where, scope), scope)
    having = compile_filter(groups.having, scope)
    return f"SELECT {', '.join((*dimensions, *measures))} {rows} GROUP BY {', '.join(names)} HAVING {having}"
