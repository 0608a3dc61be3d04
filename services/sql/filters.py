"""A filter into the condition of a statement. What clients send is bound to placeholders; nothing is escaped."""

from collections.abc import Sequence
from typing import Final, assert_never

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
}


def compile_filter(node: Filter, scope: Scope) -> str:
    """A condition that is 1 or 0 for every row and never NULL, so that `and`, `or` and `not` hold as written."""
    match node:
        case Everything():
            return "1"
        case And(terms):
            return _joined(" AND ", terms, scope, empty="1")
        case Or(terms):
            return _joined(" OR ", terms, scope, empty="0")
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
        bound = scope.bind(node.value, node.column.param_type)
    if node.operator is Operator.CONTAINS:
        return f"positionCaseInsensitiveUTF8({sql}, {bound}) > 0"
    return f"{sql} {SYMBOLS[node.operator]} {bound}"


def _is_searched_as_text(node: Compare) -> bool:
    """Whether the column holds something else, of which the text is searched."""
    if node.column.kind is Kind.NUMBER_MAP:
        return isinstance(node.value, str)
    return node.column.kind is Kind.UUID and node.operator is not Operator.EQUALS


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
