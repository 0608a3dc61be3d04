"""The second form of a filter, which alerts, saved filters and dashboards have, as the first.

Expr  = {"type": "all"}
      | {"type": "condition", "field": Field, "operator": Op, "value": text | number | boolean}
      | {"type": "and" | "or", "expressions": [Expr, ...]}
Field = {"table"?, "column", "subtype"?, "valueMode"?, "key"?}
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

from schemas.errors import InvalidFilter
from services.sql.values import shown

MAX_LEVELS: Final = 32
_MAX_CHOICES: Final = 256  # of `in`

_OPERATORS: Final[Mapping[str, str]] = {
    "eq": "equals",
    "is": "equals",
    "neq": "not-equals",
    **{name: name for name in ("gt", "gte", "lt", "lte", "like", "ilike", "contains", "not-contains")},
}
_FIELD: Final = frozenset({"table", "column", "subtype", "valueMode", "key"})
_SUBTYPES: Final = frozenset({"property", "score", "sessions", "user"})


def is_expression(json: object) -> bool:
    """Whether `json` is of this form: no leaf of the first form names a table `type`."""
    return isinstance(json, dict) and "type" in json


def filter_of_expression(json: object, level: int = 0) -> Any:
    """The filter JSON of the first form that means the same. Raises: InvalidFilter."""
    if level > MAX_LEVELS:
        raise InvalidFilter(f"the filter is nested more than {MAX_LEVELS} levels deep")
    if not isinstance(json, dict):
        raise InvalidFilter(f'an expression is an object with a "type", not {shown(json)}')
    match json.get("type"):
        case "all":
            _only(json, {"type"}, "an expression of type all")
            return "all"
        case "condition":
            return _condition(json)
        case "and" | "or" as operator:
            return _joined(operator, json, level)
        case other:
            raise InvalidFilter(f"unknown expression type {shown(other)}: known are all, and, condition, or")


def _joined(operator: str, json: Mapping[str, object], level: int) -> Any:
    _only(json, {"type", "expressions"}, f"an expression of type {operator}")
    expressions = json.get("expressions")
    if not isinstance(expressions, list):
        raise InvalidFilter(f"an expression of type {operator} has a list of expressions, not {shown(expressions)}")
    return _any_or_all(operator, [filter_of_expression(term, level + 1) for term in expressions])


def _any_or_all(operator: str, terms: list[Any]) -> Any:
    if not terms:
        return "all"
    return reduce(lambda left, right: {"left": left, "operator": operator, "right": right}, terms)


def _condition(json: Mapping[str, Any]) -> Any:
    _only(json, {"type", "field", "operator", "value"}, "a condition")
    field, operator = json.get("field"), json.get("operator")
    if not isinstance(field, dict):
        raise InvalidFilter(f"a condition has a field, an object, not {shown(field)}")
    _only(field, _FIELD, "a field")
    if "value" not in json:
        raise InvalidFilter("a condition has a value")
    if operator == "in":
        choices = json["value"] if isinstance(json["value"], list) else [json["value"]]
        if not choices or len(choices) > _MAX_CHOICES:
            raise InvalidFilter(f"in takes 1 to {_MAX_CHOICES} values, not {len(choices)}")
        return _any_or_all("or", [_leaf(field, "equals", choice) for choice in choices])
    if not isinstance(operator, str) or operator not in _OPERATORS:
        known = ", ".join(sorted((*_OPERATORS, "in")))
        raise InvalidFilter(f"unknown operator {shown(operator)} of a condition: known are {known}")
    return _leaf(field, _OPERATORS[operator], json["value"])


def _leaf(field: Mapping[str, Any], operator: str, value: object) -> Any:
    table, column = field.get("table", "request_response_rmt"), field.get("column")
    if not isinstance(table, str):
        raise InvalidFilter(f"the table of a field is a text, not {shown(table)}")
    return {table: _columns(field, column, {operator: value})}


def _columns(field: Mapping[str, Any], column: object, condition: Mapping[str, object]) -> Any:
    subtype, key, mode = field.get("subtype"), field.get("key"), field.get("valueMode", "value")
    if subtype is not None and subtype not in _SUBTYPES:
        raise InvalidFilter(f"unknown subtype {shown(subtype)} of a field: known are {', '.join(sorted(_SUBTYPES))}")
    if mode not in ("value", "key"):
        raise InvalidFilter(f"unknown valueMode {shown(mode)} of a field: known are key, value")
    if mode == "key" and subtype == "property":
        return {"property_key": condition}
    name = key if subtype in ("property", "score") and key else column
    if not isinstance(name, str):
        raise InvalidFilter(f"a field names its column, not {shown(name)}")
    if subtype == "score":
        return {"scores": {name: condition}}
    if subtype == "property" or ("-" in name and name != "helicone-score-feedback"):
        return {"properties": {name: condition}}
    return {name: condition}


def _only(json: Mapping[str, object], known: set[str] | frozenset[str], what: str) -> None:
    unknown = sorted(json.keys() - known)
    if unknown:
        raise InvalidFilter(f"{what} has {', '.join(sorted(known))}, and nothing else: see {shown(unknown[0])}")
