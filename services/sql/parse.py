"""Filter JSON into a Filter tree. Closed by default: what is not known is refused by name, and nothing is skipped."""

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo

from schemas.errors import InvalidFilter
from schemas.tables import OPERATORS, PROPERTY_COLUMNS, REQUEST_RESPONSE, TABLES, Column, Kind, Operator, Table
from services.sql.expressions import filter_of_expression, is_expression
from services.sql.nodes import And, Compare, Everything, Filter, Not, Or
from services.sql.values import MAX_VALUE, known_names, parse_value, shown

MAX_DEPTH = 32  # of `and` within `or` within `and`; a chain of one operator is one level
MAX_TERMS = 256
MAX_BODY_TERMS = 32  # conditions on bodies: each reads all texts of the period
MAX_NODES = 1024
MAX_TEXT = 65_536  # characters in all names and values

_JOINS: Mapping[str, type[And] | type[Or]] = {"and": And, "or": Or}
_COMPLEMENTS = {Operator.NOT_EQUALS: Operator.EQUALS, Operator.NOT_CONTAINS: Operator.CONTAINS}


def parse_filter(json: object, zone: tzinfo = UTC, *, tables: Mapping[str, Table] = TABLES) -> Filter:
    """The tree that `json`, of either form, stands for; it may name `tables`.

    Timestamps without an offset are of `zone`.

    Raises: InvalidFilter, which names the culprit and what is known.
    """
    return _FilterParser(zone, tables).node(filter_of_expression(json) if is_expression(json) else json, 0)


def property_target(name: str) -> tuple[Column, str | None]:
    """The column, and within `properties` the key, that a property's name stands for, whatever its case."""
    key = name.lower()
    column = PROPERTY_COLUMNS.get(key)
    return (column, None) if column else (REQUEST_RESPONSE.columns["properties"], key)


def has_property(name: str) -> Filter:
    column, key = property_target(name)
    return Not(Compare(column=column, operator=Operator.EQUALS, value=None, key=key))


class _FilterParser:
    """Parses one filter, and counts what it holds."""

    def __init__(self, zone: tzinfo, tables: Mapping[str, Table]) -> None:
        self._zone = zone
        self._tables = tables
        self._nodes = 0
        self._terms = 0
        self._body_terms = 0
        self._text = 0

    def node(self, json: object, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"the filter is nested more than {MAX_DEPTH} levels deep")
        if json == "all" or json == {}:
            return Everything()
        node = _object(json, 'a filter, which is "all", {}, a branch or a leaf,')
        if not node.keys().isdisjoint(("left", "operator", "right")):
            return self._branch(node, depth)
        return _all(self._leaf(node))

    def _branch(self, node: Mapping[str, object], depth: int) -> Filter:
        unknown = sorted(node.keys() ^ {"left", "operator", "right"})
        if unknown:
            fault = f"has no {unknown[0]}" if unknown[0] not in node else f"cannot have {shown(unknown[0])}"
            raise InvalidFilter(f"a branch has left, operator and right: this one {fault}")
        name = node["operator"]
        if not isinstance(name, str) or name not in _JOINS:
            raise InvalidFilter(f"unknown branch operator {shown(name)}: known are and, or")
        return _JOINS[name](tuple(self.node(term, depth + 1) for term in self._chain(node, name)))

    def _chain(self, node: object, operator: str) -> Iterator[object]:
        """The terms of nested branches of one operator, in order, without going deeper for each."""
        waiting = [node]
        while waiting:
            self._nodes += 1
            if self._nodes > MAX_NODES:
                raise InvalidFilter(f"the filter has more than {MAX_NODES} nodes")
            json = waiting.pop()
            if (
                isinstance(json, dict)
                and json.get("operator") == operator
                and json.keys() == {"left", "operator", "right"}
            ):
                waiting += (json["right"], json["left"])
            else:
                yield json

    def _leaf(self, node: Mapping[str, object]) -> Iterator[Filter]:
        for name, conditions in node.items():
            if name == "properties":
                yield from self._map(REQUEST_RESPONSE.columns[name], conditions, name)
                continue
            table = self._tables.get(name)
            if table is None:
                raise InvalidFilter(f"unknown table {shown(name)}: {known_names(name, (*self._tables, 'properties'))}")
            for column_name, condition in _some(conditions, name).items():
                column = table.columns.get(column_name)
                if column is None:
                    raise InvalidFilter(
                        f"unknown column {shown(column_name)} of {name}: {known_names(column_name, table.columns)}"
                    )
                yield from self._column(column, condition, f"{name}.{column_name}")

    def _column(self, column: Column, json: object, path: str) -> Iterator[Filter]:
        if column.kind in (Kind.TEXT_MAP, Kind.NUMBER_MAP):
            yield from self._map(column, json, path)
        else:
            yield from self._conditions(column, None, json, path)

    def _map(self, column: Column, json: object, path: str) -> Iterator[Filter]:
        for name, conditions in _some(json, path).items():
            self._text += len(name)
            if len(name) > MAX_VALUE:
                raise InvalidFilter(f"{path} has names of at most {MAX_VALUE} characters, not {shown(name)}")
            target: tuple[Column, str | None] = (column, name)
            if column.sql == "properties":
                target = property_target(name)
            yield from self._conditions(*target, conditions, f"{path}.{shown(name)}")

    def _conditions(self, column: Column, key: str | None, json: object, path: str) -> Iterator[Filter]:
        for name, given in _some(json, path).items():
            operator = _operator(column, name, path)
            self._count(column, given)
            yield self._condition(column, key, operator, given, f"{path} {name}")

    def _condition(self, column: Column, key: str | None, operator: Operator, given: object, where: str) -> Filter:
        positive = _COMPLEMENTS.get(operator, operator)
        value = parse_value(column, positive, given, where, self._zone)
        term: Filter
        if column.kind is Kind.MAP_KEY:
            term = has_property(str(value))
        else:
            term = Compare(column=column, operator=positive, value=value, key=key)
        return term if positive is operator else Not(term)

    def _count(self, column: Column, given: object) -> None:
        self._terms += 1
        self._body_terms += column.kind is Kind.BODY
        self._text += len(given) if isinstance(given, str) else 0
        if self._terms > MAX_TERMS:
            raise InvalidFilter(f"the filter has more than {MAX_TERMS} conditions")
        if self._body_terms > MAX_BODY_TERMS:
            raise InvalidFilter(
                f"the filter has more than {MAX_BODY_TERMS} conditions on request_body or response_body"
            )
        if self._text > MAX_TEXT:
            raise InvalidFilter(f"the filter's names and values have more than {MAX_TEXT} characters")


def _operator(column: Column, name: str, path: str) -> Operator:
    known = OPERATORS[column.kind]
    if name not in known:
        kind = column.kind.replace("_", " ")
        raise InvalidFilter(f"unknown operator {shown(name)} of {path}, a {kind} column: {known_names(name, known)}")
    return Operator(name)


def _all(terms: Iterator[Filter]) -> Filter:
    found = tuple(terms)
    return found[0] if len(found) == 1 else And(found)


def _object(json: object, what: str) -> Mapping[str, object]:
    if not isinstance(json, dict):
        raise InvalidFilter(f"{what} cannot be {'null' if json is None else shown(json)}")
    return json


def _some(json: object, path: str) -> Mapping[str, object]:
    """An object that is not empty: an empty one is a mistake and not a condition that always holds."""
    given = _object(json, f"the conditions of {path}, an object,")
    if not given:
        raise InvalidFilter(f"{path} is given without a condition")
    return given
