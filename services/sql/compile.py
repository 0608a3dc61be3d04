"""Filter, Listing and Report into Statement. SQL is written in this room only.

Whose rows a statement may see is added in `from_rows`. Text comes from this room and from `schemas/tables.py`; what
clients send is bound to placeholders. There is no escaping function, because there is nothing to escape.
"""

from collections.abc import Sequence
from typing import assert_never

from schemas.statement import Statement
from schemas.tables import PROPERTY_SPELLING, REQUEST_BODY, REQUEST_RESPONSE, Column, Kind, Operator
from services.sql.nodes import (
    And,
    ByColumn,
    ByProperty,
    ByTime,
    Compare,
    Dimension,
    Everything,
    Filter,
    HasKey,
    Key,
    Listing,
    Not,
    Or,
    Order,
    Report,
)
from services.sql.scope import Scope, from_rows, searches_bodies

# From a timestamp to the start of its bucket in a time zone: an instant, or for days and longer a date.
BUCKETS = {
    "minute": "toStartOfMinute(request_created_at, {zone})",
    "hour": "toStartOfHour(request_created_at, {zone})",
    "day": "toDate(request_created_at, {zone})",
    "week": "toStartOfWeek(request_created_at, 1, {zone})",
    "month": "toStartOfMonth(request_created_at, {zone})",
}

_SYMBOLS = {
    Operator.EQUALS: "=",
    Operator.GT: ">",
    Operator.GTE: ">=",
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.LIKE: "LIKE",
    Operator.ILIKE: "ILIKE",
}


def compile_listing(listing: Listing) -> Statement:
    """Rows of the table, as stored. Wide columns are read for the rows of the response only, found by narrow ones."""
    scope = Scope(listing.organization_id, listing.where)
    table = listing.table
    order = _order(listing.order_by, scope)
    key = ", ".join((*table.identity, "version"))
    where = compile_filter(listing.where, scope)
    if listing.reach is not None:
        candidates = f"{from_rows(table, where, scope, final=False)} ORDER BY {order}"
        limit = scope.bind(listing.reach, "UInt64")
        identity = ", ".join(table.identity)
        where = f"({identity}) IN (SELECT {identity} {candidates} LIMIT {limit}) AND {where}"
    page = (
        f"SELECT {key} {from_rows(table, where, scope)} ORDER BY {order}"
        f" LIMIT {scope.bind(listing.limit, 'UInt64')} OFFSET {scope.bind(listing.offset, 'UInt64')}"
    )
    # The same row may lie in several parts with the same version until they are merged: LIMIT 1 BY takes one.
    rows = from_rows(table, f"({key}) IN ({page})", scope, final=False)
    sql = f"SELECT {', '.join(table.shown)} {rows} ORDER BY {order} LIMIT 1 BY {', '.join(table.identity)}"
    return scope.statement(sql, is_cheap=_is_near(listing))


def _is_near(listing: Listing) -> bool:
    """Whether its rows are probably among the first that are looked at."""
    return listing.reach is not None and not searches_bodies(listing.where)


def compile_candidates(listing: Listing) -> Statement:
    """How many versions there are within the reach of `listing`: fewer than its reach means that it missed nothing."""
    scope = Scope(listing.organization_id, listing.where)
    rows = from_rows(listing.table, compile_filter(listing.where, scope), scope, final=False)
    limit = scope.bind(listing.reach, "UInt64")
    candidates = f"FROM (SELECT 1 {rows} LIMIT {limit})"
    return scope.statement(f"SELECT count() AS candidates {candidates}", is_cheap=_is_near(listing))


def compile_report(report: Report) -> Statement:
    """Groups `d0, d1, ...` with their measures `m0, m1, ...`. The row with `total` 1 comes first: it is over all.

    Aliases are positional, because ClickHouse lets an alias shadow a column of the same name, in WHERE too.
    """
    scope = Scope(report.organization_id, report.where)
    measures = [f"{measure.sql} AS m{position}" for position, measure in enumerate(report.measures)]
    rows = from_rows(report.table, compile_filter(report.where, scope), scope)
    if not report.by:
        return scope.statement(f"SELECT 1 AS total, {', '.join(measures)} {rows}")
    names = [f"d{position}" for position in range(len(report.by))]
    dimensions = [f"{_dimension(by, scope)} AS {name}" for by, name in zip(report.by, names, strict=True)]
    direction = "DESC" if report.descending else "ASC"
    order = names if report.order_by is None else [f"m{report.order_by}", *names]
    sql = (
        f"SELECT grouping(d0) AS total, {', '.join((*dimensions, *measures))} {rows}"
        f" GROUP BY GROUPING SETS (({', '.join(names)}), ())"
        f" ORDER BY total DESC, {order[0]} {direction} NULLS LAST, {', '.join(names)}"
        f" LIMIT {scope.bind(report.limit + 1, 'UInt64')}"
    )
    return scope.statement(sql)


def compile_spellings(organization_id: str, keys: Sequence[str]) -> Statement:
    """`property_key` in lower case and the `spelling` to show, of each of `keys` that the organization has used.

    That is the most used one with capitals, which some HTTP libraries drop; where there is none, the key itself.
    """
    scope = Scope(organization_id, Everything())
    named = f"property_key IN {scope.bind(tuple(keys), 'Array(String)')}"
    rows = from_rows(PROPERTY_SPELLING, named, scope, final=False)
    used = "uniqCombinedMerge(12)(requests) AS used, min(first_use) AS first"
    spelled = f"FROM (SELECT property_key, spelling, {used} {rows} GROUP BY property_key, spelling)"
    rank = "(spelling = property_key, -toInt64(used), first, spelling)"
    sql = f"SELECT property_key, argMin(spelling, {rank}) AS spelling {spelled} GROUP BY property_key"
    return scope.statement(sql, is_cheap=True)


def compile_filter(node: Filter, scope: Scope) -> str:
    """A condition that is 1 or 0 for every row and never NULL, so that `and`, `or` and `not` hold as written."""
    match node:
        case Everything() | And(()):
            return "1"
        case Or(()):
            return "0"
        case And(terms):
            return _joined(" AND ", terms, scope)
        case Or(terms):
            return _joined(" OR ", terms, scope)
        case Not(term):
            return f"(NOT {compile_filter(term, scope)})"
        case Compare():
            return _compare(node, scope)
        case HasKey(keys):
            return _among(keys, scope)
        case _:
            assert_never(node)


def _joined(word: str, terms: Sequence[Filter], scope: Scope) -> str:
    return f"({word.join(compile_filter(term, scope) for term in terms)})"


def _among(keys: Sequence[Key], scope: Scope) -> str:
    timestamps = scope.bind(tuple(key.request_created_at for key in keys), "Array(DateTime64(3, 'UTC'))")
    ids = scope.bind(tuple(key.request_id for key in keys), "Array(UUID)")
    return f"((request_created_at, request_id) IN (arrayZip({timestamps}, {ids})))"


def _compare(node: Compare, scope: Scope) -> str:
    column = node.column
    if column.kind is Kind.BODY:
        return _in_bodies(node, scope)
    if column.kind is Kind.TEXT_MAP:
        return _in_map(node, scope)
    if column.sql == "request_id" and node.operator in (Operator.EQUALS, Operator.ONE_OF):
        return _by_id(node, scope)
    if node.value is None:
        return f"({_no_value(column)})"
    condition = _operation(column.sql, node, scope)
    return f"ifNull({condition}, 0)" if column.nullable else f"({condition})"


def _no_value(column: Column) -> str:
    return f"{column.sql} IS NULL" if column.nullable else f"{column.sql} = ''"


def _operation(sql: str, node: Compare, scope: Scope) -> str:
    """The bare condition. `contains` is a search, not a pattern: only `like` and `ilike` read wildcards."""
    if node.column.kind is Kind.UUID and node.operator is not Operator.EQUALS:
        sql, bound = f"toString({sql})", scope.bind(node.value, "String")
    else:
        bound = scope.bind(node.value, node.column.param_type)
    if node.operator is Operator.CONTAINS:
        return f"positionCaseInsensitiveUTF8({sql}, {bound}) > 0"
    return f"{sql} {_SYMBOLS[node.operator]} {bound}"


def _in_map(node: Compare, scope: Scope) -> str:
    """A condition on one key. A key that is absent reads as '', so only a value that is not '' implies presence."""
    sql = node.column.sql
    key = scope.bind(node.key or "", "String")
    if node.value is None:
        return f"(NOT mapContains({sql}, {key}))"
    operation = _operation(f"{sql}[{key}]", node, scope)
    if sql == "properties" and node.operator is Operator.EQUALS and node.value:
        # Granules without the pair are skipped by its index; its column is not read.
        pair = f"has(property_pairs, cityHash64({key}, {scope.bind(node.value, 'String')}))"
        return f"(indexHint({pair}) AND {operation})"
    return f"(mapContains({sql}, {key}) AND {operation})"


def _by_id(node: Compare, scope: Scope) -> str:
    """Rows by request id, through their keys: the id's index finds these without FINAL; FINAL reads only them."""
    if isinstance(node.value, tuple):
        condition = f"request_id IN {scope.bind(node.value, 'Array(UUID)')}"
    else:
        condition = f"request_id = {scope.bind(node.value, 'UUID')}"
    key = ", ".join(REQUEST_RESPONSE.identity)
    return f"(({key}) IN (SELECT {key} {from_rows(REQUEST_RESPONSE, condition, scope, final=False)}))"


def _in_bodies(node: Compare, scope: Scope) -> str:
    """Rows whose body fulfils a condition. Texts are searched without FINAL; FINAL sees keys and versions only."""
    sql = node.column.sql
    condition = f"{sql} != ''" if node.value is None else _operation(sql, node, scope)
    period = compile_filter(scope.period, scope)
    key = ", ".join(REQUEST_BODY.identity)
    found = f"SELECT {key}, version {from_rows(REQUEST_BODY, f'{period} AND {condition}', scope, final=False)}"
    latest = from_rows(REQUEST_BODY, f"{period} AND ({key}, version) IN ({found})", scope)
    return f"(({key}) {'NOT IN' if node.value is None else 'IN'} (SELECT {key} {latest}))"


def _order(order: Order, scope: Scope) -> str:
    """Ties are settled by the key, in the same direction: pages fit together, and the table's order can be read."""
    direction = "DESC" if order.descending else "ASC"
    ties = f"request_created_at {direction}, request_id {direction}"
    if order.column is None:
        return "rand()"
    if order.column.sql == "request_created_at":
        return ties
    sql = order.column.sql if order.key is None else f"{order.column.sql}[{scope.bind(order.key, 'String')}]"
    return f"{sql} {direction} NULLS LAST, {ties}"


def _dimension(by: Dimension, scope: Scope) -> str:
    match by:
        case ByColumn(column):
            return column.sql
        case ByProperty(key):
            return f"properties[{scope.bind(key, 'String')}]"
        case ByTime(bucket, time_zone):
            return BUCKETS[bucket].format(zone=scope.bind(time_zone, "String"))
        case _:
            assert_never(by)
