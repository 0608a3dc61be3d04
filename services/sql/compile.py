"""Filter, Listing and Report into Statement. SQL is written in this room only.

Whose rows a statement may see is added in `from_rows`. Text comes from this room and from `schemas/tables.py`; what
clients send is bound to placeholders. There is no escaping function, because there is nothing to escape.
"""

from collections.abc import Sequence
from typing import Final, assert_never

import msgspec

from schemas.statement import RolledStatement, Statement
from schemas.tables import PARAM_TYPES, PROPERTY_SPELLING, REQUEST_BODY, Kind
from services.sql.filters import SYMBOLS, compile_filter
from services.sql.nodes import (
    ByColumn,
    ByProperty,
    ByTime,
    Dimension,
    Everything,
    Having,
    Listing,
    Order,
    Report,
)
from services.sql.rollup.reading import rolled_rows
from services.sql.scope import MAX_SQL, Scope, compile_measure, from_rows, is_narrow, searches_bodies

MAX_COUNT_S: Final = 2  # enough for tens of millions of rows; a page does not wait longer for its count

# From a timestamp to the start of its bucket in a time zone: an instant, or for days and longer a date.
BUCKETS = {
    "minute": "toStartOfMinute({timestamp}, {zone})",
    "5_minutes": "toStartOfFiveMinutes({timestamp}, {zone})",
    "15_minutes": "toStartOfFifteenMinutes({timestamp}, {zone})",
    "hour": "toStartOfHour({timestamp}, {zone})",
    "day": "toDate({timestamp}, {zone})",
    "week": "toStartOfWeek({timestamp}, 1, {zone})",
    "month": "toStartOfMonth({timestamp}, {zone})",
    "quarter": "toStartOfQuarter({timestamp}, {zone})",
    "year": "toStartOfYear({timestamp}, {zone})",
}

_TIMESTAMP: Final = PARAM_TYPES[Kind.TIMESTAMP]
_CREATED_AT: Final = "request_created_at"
MAX_NAMES = 10_000  # of properties, in one list of all


def compile_listing(listing: Listing) -> Statement:
    """Rows of the table, as stored. Of many, wide columns are read for the rows of the response only."""
    scope = Scope(listing.organization_id, listing.shown)
    table = listing.table
    order = _order(listing.order_by, scope)
    key = ", ".join((*table.identity, "version"))
    where = compile_filter(listing.shown, scope)
    if listing.reach is not None:
        candidates = f"{from_rows(table, where, scope, final=False)} ORDER BY {order}"
        limit = scope.bind(listing.reach, "UInt64")
        identity = ", ".join(table.identity)
        where = f"({identity}) IN (SELECT {identity} {candidates} LIMIT {limit}) AND {where}"
        # The few that are left are sorted. In the table's order each granule of them would be read and merged alone.
        order = _by_time(listing.order_by, f"identity({_CREATED_AT})")
    bounds = f"LIMIT {scope.bind(listing.limit, 'UInt64')} OFFSET {scope.bind(listing.offset, 'UInt64')}"
    page = f"{from_rows(table, where, scope)} ORDER BY {order} {bounds}"
    shown = ", ".join(table.shown)
    if _is_short(listing):
        return scope.statement(f"SELECT {shown} {page}", is_cheap=_is_near(listing))
    # The same row may lie in several parts with the same version until they are merged: LIMIT 1 BY takes one.
    rows = from_rows(table, f"({key}) IN (SELECT {key} {page})", scope, final=False)
    # Sorted apart: in the table's order, granules would be read one after another.
    once = f"FROM (SELECT {shown} {rows} LIMIT 1 BY {', '.join(table.identity)})"
    return scope.statement(f"SELECT * {once} ORDER BY {order}", is_cheap=_is_near(listing))


def _is_short(listing: Listing) -> bool:
    """Whether little more than its rows is found, so that to look at narrow columns first would take longer.

    Never of bodies, whose size would be that of all versions of all rows beside them.
    """
    is_near = listing.reach is not None and not listing.offset
    return listing.table.name != REQUEST_BODY.name and (is_near or is_narrow(listing.where))


def _is_near(listing: Listing) -> bool:
    """Whether its rows are probably among the first that are looked at."""
    return listing.reach is not None and not searches_bodies(listing.where)


def compile_candidates(listing: Listing) -> Statement:
    """How many versions there are within the reach of `listing`: fewer than its reach means that it missed nothing."""
    scope = Scope(listing.organization_id, listing.shown)
    rows = from_rows(listing.table, compile_filter(listing.shown, scope), scope, final=False)
    limit = scope.bind(listing.reach, "UInt64")
    candidates = f"FROM (SELECT 1 {rows} LIMIT {limit})"
    return scope.statement(f"SELECT count() AS candidates {candidates}", is_cheap=_is_near(listing))


def compile_report(report: Report) -> Statement:
    """Groups `d0, d1, ...` with their measures `m0, m1, ...`. The row with `total` 1 comes first: it is over all.

    Aliases are positional, because ClickHouse lets an alias shadow a column of the same name, in WHERE too.
    """
    scope = Scope(report.organization_id, report.where)
    measures = [compile_measure(measure, scope) for measure in report.measures]
    rows = from_rows(report.table, compile_filter(report.where, scope), scope)
    statement = scope.statement(_report_sql(report, rows, measures, scope))
    return msgspec.structs.replace(statement, rolled=_rolled_report(report))


def _rolled_report(report: Report) -> RolledStatement | None:
    rolled = rolled_rows(report.table, report.where, report.by, report.measures)
    if rolled is None:
        return None
    scope = Scope(report.organization_id, report.where)
    measures = [measure.sql for measure in rolled.measures]
    return RolledStatement(
        estimates=(rolled.compile_estimate(report.organization_id),),
        outdated=(rolled.compile_outdated(report.organization_id),),
        rows=scope.statement(_report_sql(report, rolled.compile_rows(scope), measures, scope)),
    )


def _report_sql(report: Report, rows: str, figures: Sequence[str], scope: Scope) -> str:
    """Over `rows`, from FROM on, and the SQL of each measure over them."""
    measures = [f"{figure} AS m{position}" for position, figure in enumerate(figures)]
    if not report.by:
        return f"SELECT 1 AS total, {', '.join(measures)} {rows}"
    names = [f"d{position}" for position in range(len(report.by))]
    dimensions = [f"{compile_dimension(by, scope)} AS {name}" for by, name in zip(report.by, names, strict=True)]
    direction = "DESC" if report.descending else "ASC"
    order = names if report.order_by is None else [f"m{report.order_by}", *names]
    return (
        f"SELECT grouping(d0) AS total, {', '.join((*dimensions, *measures))} {rows}"
        f" GROUP BY GROUPING SETS (({', '.join(names)}), ())"
        f"{compile_having(report.having, 'm', scope)}"
        f" ORDER BY total DESC, {order[0]} {direction} NULLS LAST, {', '.join(names)}"
        f" LIMIT {scope.bind(report.limit + 1, 'UInt64')}"
    )


def compile_count(listing: Listing) -> Statement:
    """How many `total_rows` fulfil the filter of `listing`. It fails where counting takes over `MAX_COUNT_S`."""
    scope = Scope(listing.organization_id, listing.where)
    return scope.statement(f"SELECT ({_total_rows(listing, scope)}) AS total_rows", timeout_s=MAX_COUNT_S)


def _total_rows(listing: Listing, scope: Scope) -> str:
    """Rows later than the listing's end are few: to take them off reads no timestamps of the others."""
    where = compile_filter(listing.where, scope)
    total = f"SELECT count() {from_rows(listing.table, where, scope)}"
    if listing.latest is None:
        return total
    latest = scope.bind(listing.latest, _TIMESTAMP)
    if len(where) > MAX_SQL // 3:  # a statement has no room for two long filters
        return f"{total} AND request_created_at <= {latest}"
    later = from_rows(listing.table, f"request_created_at > {latest} AND {where}", scope)
    return f"({total}) - (SELECT count() {later})"


def compile_having(conditions: Sequence[Having], prefix: str, scope: Scope) -> str:
    """The clause that leaves groups out, and never the total, or ''. Figures are named `{prefix}{position}`."""
    return f" HAVING {having_condition(conditions, prefix, scope)}" if conditions else ""


def having_condition(conditions: Sequence[Having], prefix: str, scope: Scope) -> str:
    """Holds for the total, and for groups that fulfil all `conditions`."""
    return f"total = 1 OR ({' AND '.join(_having(condition, prefix, scope) for condition in conditions)})"


def _having(condition: Having, prefix: str, scope: Scope) -> str:
    figure = f"{prefix}{condition.measure}"
    if condition.value is None:
        sql = f"({figure} IS NULL)"
    else:
        bound = scope.bind(condition.value, condition.param_type)
        sql = f"ifNull({figure} {SYMBOLS[condition.operator]} {bound}, 0)"
    return f"(NOT {sql})" if condition.negated else sql


def compile_spellings(organization_id: str, keys: Sequence[str] | None) -> Statement:
    """`property_key` in lower case and the `spelling` to show, of each of `keys` that the organization has used.

    Where `keys` is None, of all that it has used, or the first of very many.

    That is the most used one with capitals, which some HTTP libraries drop; where there is none, the key itself.
    """
    scope = Scope(organization_id, Everything())
    named = "1" if keys is None else f"property_key IN {scope.bind(tuple(keys), 'Array(String)')}"
    rows = from_rows(PROPERTY_SPELLING, named, scope, final=False)
    used = "uniqCombinedMerge(12)(requests) AS used, min(first_use) AS first"
    spelled = f"FROM (SELECT property_key, spelling, {used} {rows} GROUP BY property_key, spelling)"
    rank = "(spelling = property_key, -toInt64(used), first, spelling)"
    limit = f" ORDER BY property_key LIMIT {MAX_NAMES}" if keys is None else ""
    sql = f"SELECT property_key, argMin(spelling, {rank}) AS spelling {spelled} GROUP BY property_key{limit}"
    return scope.statement(sql, is_cheap=True)


def _order(order: Order, scope: Scope) -> str:
    """Ties are settled by the key, in the same direction: pages fit together, and the table's order can be read."""
    direction = "DESC" if order.descending else "ASC"
    ties = _by_time(order, _CREATED_AT)
    if order.column is None:
        return "rand()"
    if order.column.sql == _CREATED_AT:
        return ties
    sql = order.column.sql if order.key is None else f"{order.column.sql}[{scope.bind(order.key, 'String')}]"
    return f"{sql} {direction} NULLS LAST, {ties}"


def _by_time(order: Order, timestamp: str) -> str:
    direction = "DESC" if order.descending else "ASC"
    return f"{timestamp} {direction}, request_id {direction}"


def compile_dimension(by: Dimension, scope: Scope) -> str:
    """From a row to its value in one dimension of a report."""
    match by:
        case ByColumn(column):
            return column.sql
        case ByProperty(key):
            return f"properties[{scope.bind(key, 'String')}]"
        case ByTime(bucket, time_zone):
            return BUCKETS[bucket].format(timestamp="request_created_at", zone=scope.bind(time_zone, "String"))
        case _:
            assert_never(by)
