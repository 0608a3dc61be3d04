"""A filter into the condition of a statement. What clients send is bound to placeholders; nothing is escaped."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, assert_never

import msgspec

from schemas.tables import OTHER_MODEL_NAMES, REQUEST_BODY, REQUEST_RESPONSE, Column, Kind, Operator
from services.sql.nodes import And, Behind, Compare, Everything, Filter, HasKey, Key, Not, Or, UsesModel
from services.sql.scope import Scope, from_rows

SYMBOLS: Final = {
    Operator.EQUALS: "=",
    Operator.GT: ">",
    Operator.GTE: ">=",
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.LIKE: "LIKE",
    Operator.ILIKE: "ILIKE",
    Operator.ONE_OF: "IN",
}

_LISTED: Final = frozenset({Kind.TEXT, Kind.UUID, Kind.TEXT_MAP})
_MAX_LISTED: Final = 100  # characters of a value: hundreds of them, escaped, still fit into one field of a form


def compile_filter(node: Filter, scope: Scope) -> str:
    """A condition that is 1 or 0 for every row and never NULL, so that `and`, `or` and `not` hold as written."""
    match node:
        case Everything():
            return "1"
        case And(terms):
            return _joined(" AND ", _merged(terms, _excluded), scope, empty="1")
        case Or(terms):
            return _joined(" OR ", _merged(terms, _equated), scope, empty="0")
        case Not(term):
            return f"(NOT {compile_filter(term, scope)})"
        case Compare():
            return _compare(node, scope)
        case HasKey() | UsesModel() | Behind():
            return _named(node, scope)
        case _:
            assert_never(node)


def _joined(word: str, terms: Sequence[Filter], scope: Scope, *, empty: str) -> str:
    if not terms:
        return empty
    return f"({word.join(compile_filter(term, scope) for term in terms)})"


def _merged(terms: Iterable[Filter], target: Callable[[Filter], tuple[Column, str | None] | None]) -> list[Filter]:
    """`terms`, of which those with one target are one: a list of values that it equals one of, or none of.

    The engine takes seconds to plan hundreds of conditions, and each on an id is a query of its own.
    """
    groups: dict[object, list[Filter]] = {}
    for term in terms:
        groups.setdefault(target(term) or term, []).append(term)
    return [_one_of(group) for group in groups.values()]


def _equated(term: Filter) -> tuple[Column, str | None] | None:
    """What equals a text that can stand in a list. An absent key reads as '', so that is compared by itself."""
    match term:
        case Compare(column=column, operator=Operator.EQUALS, value=str(value), key=key):
            can_be_listed = column.kind in _LISTED and len(value) <= _MAX_LISTED and (value or key is None)
            return (column, key) if can_be_listed else None
        case _:
            return None


def _excluded(term: Filter) -> tuple[Column, str | None] | None:
    return _equated(term.term) if isinstance(term, Not) else None


def _one_of(group: Sequence[Filter]) -> Filter:
    first = group[0]
    if isinstance(first, Not):
        return Not(_one_of([term.term for term in group if isinstance(term, Not)]))
    values = tuple({term.value: None for term in group if isinstance(term, Compare) and isinstance(term.value, str)})
    if not isinstance(first, Compare) or len(values) < 2:
        return first
    return msgspec.structs.replace(first, operator=Operator.ONE_OF, value=values)


def _named(node: HasKey | UsesModel | Behind, scope: Scope) -> str:
    match node:
        case HasKey(keys):
            return _among(keys, scope)
        case Behind(key, descending):
            return _behind(key, scope, descending=descending)
        case UsesModel(pattern):
            is_like = f"name -> name ILIKE {scope.bind(pattern, 'String')}"
            return f"(other_models != '' AND arrayExists({is_like}, {OTHER_MODEL_NAMES}))"


def _among(keys: Sequence[Key], scope: Scope) -> str:
    timestamps = scope.bind(tuple(key.request_created_at for key in keys), "Array(DateTime64(3, 'UTC'))")
    ids = scope.bind(tuple(key.request_id for key in keys), "Array(UUID)")
    return f"((request_created_at, request_id) IN (arrayZip({timestamps}, {ids})))"


def _behind(key: Key, scope: Scope, *, descending: bool) -> str:
    """The timestamp by itself too, which is what partitions and granules are skipped by."""
    symbol = "<" if descending else ">"
    timestamp, id_ = scope.bind(key.request_created_at, "DateTime64(3, 'UTC')"), scope.bind(key.request_id, "UUID")
    at_timestamp = f"request_created_at {symbol}= {timestamp}"
    return f"({at_timestamp} AND (request_created_at, request_id) {symbol} ({timestamp}, {id_}))"


def _compare(node: Compare, scope: Scope) -> str:
    column = node.column
    if column.kind is Kind.BODY:
        return _in_bodies(node, scope)
    if column.kind in (Kind.TEXT_MAP, Kind.NUMBER_MAP):
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
    if _is_searched_as_text(node):
        sql, bound = f"toString({sql})", scope.bind(node.value, "String")
    else:
        bound = _bound(node, scope)
    if node.operator is Operator.CONTAINS:
        return f"positionCaseInsensitiveUTF8({sql}, {bound}) > 0"
    return f"{sql} {SYMBOLS[node.operator]} {bound}"


def _bound(node: Compare, scope: Scope) -> str:
    param_type = node.column.param_type
    return scope.bind(node.value, f"Array({param_type})" if node.operator is Operator.ONE_OF else param_type)


def _is_searched_as_text(node: Compare) -> bool:
    """Whether the column holds something else, of which the text is searched."""
    if node.column.kind is Kind.NUMBER_MAP:
        return isinstance(node.value, str)
    return node.column.kind is Kind.UUID and node.operator not in (Operator.EQUALS, Operator.ONE_OF)


def _in_map(node: Compare, scope: Scope) -> str:
    """A condition on one key. A key that is absent reads as '', so only a value that is not '' implies presence."""
    sql = node.column.sql
    key = scope.bind(node.key or "", "String")
    if node.value is None:
        return f"(NOT mapContains({sql}, {key}))"
    operation = _operation(f"{sql}[{key}]", node, scope)
    if sql == "properties" and node.operator is Operator.EQUALS and node.value:
        # Granules without the pair are skipped by its index; its column is not read.
        pair = f"has(property_pairs, cityHash64({key}, {_bound(node, scope)}))"
        return f"(indexHint({pair}) AND {operation})"
    if node.operator is Operator.ONE_OF:
        pairs = f"arrayMap(listed -> cityHash64({key}, listed), {_bound(node, scope)})"
        return f"(indexHint(hasAny(property_pairs, {pairs})) AND {operation})"
    return f"(mapContains({sql}, {key}) AND {operation})"


def _by_id(node: Compare, scope: Scope) -> str:
    """Rows by request id, through their keys: the id's index finds these without FINAL; FINAL reads only them."""
    condition = _operation("request_id", node, scope)
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
