"""The columns of an export: those that filters name, in their own types; bodies where they are named."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE, Column, Kind, Table
from services.ports.warehouse import Row
from services.sql.parse import property_target
from services.sql.sort import groupable_columns
from services.sql.values import MAX_VALUE, known_names, shown

PROPERTIES: Final = "properties"
BODIES: Final = ("request_body", "response_body")
_PROPERTY: Final = "properties."
_FIRST: Final = ("request_id", "request_created_at")
_LEFT_OUT: Final = frozenset({"organization_id", "cost"})  # the same in all rows, and another name of cost_usd

Value: TypeAlias = object  # text, number, Decimal, flag, aware timestamp, map of texts, raw JSON, or None


class ExportColumn(msgspec.Struct, frozen=True, kw_only=True):
    name: str  # in the file
    column: Column
    key: str | None = None  # of a map, in lower case

    @property
    def kind(self) -> Kind:
        """Of its values: what stands under one name of a map is text."""
        return self.column.kind if self.key is None else Kind.TEXT


def export_columns(names: Sequence[str] | None) -> tuple[ExportColumn, ...]:
    """By default all that differ from row to row, but bodies. Raises: InvalidRequest."""
    known = {**groupable_columns(), PROPERTIES: REQUEST_RESPONSE.columns[PROPERTIES]}
    if names is None:
        names = [*_FIRST, *(name for name in known if name not in _LEFT_OUT and name not in _FIRST)]
    known |= {name: REQUEST_RESPONSE.columns[name] for name in BODIES}
    twice = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if twice is not None:
        raise InvalidRequest(f"columns: {shown(twice)} is in it twice")
    return tuple(_export_column(name, known) for name in names)


def _export_column(name: str, known: Mapping[str, Column]) -> ExportColumn:
    if name.startswith(_PROPERTY) and len(name) <= MAX_VALUE:
        column, key = property_target(name.removeprefix(_PROPERTY))
        return ExportColumn(name=name, column=column, key=key)
    if name not in known:
        raise InvalidRequest(f"columns: unknown column {shown(name)}: {known_names(name, known)}, {_PROPERTY}NAME")
    return ExportColumn(name=name, column=known[name])


def table_of(columns: Sequence[ExportColumn]) -> Table:
    """What is read of a row: its key, and the columns `c0, c1, ...`, since an alias would shadow a column.

    Bodies lie in another table: to show them, what a row has is whether the response is a stream.
    """
    of_row = [(place, column) for place, column in enumerate(columns) if column.name not in BODIES]
    expressions = [f"{column.column.sql} AS c{place}" for place, column in of_row]
    own = ("request_created_at", "request_id", "property_spellings")
    of_bodies = ("is_stream",) if len(of_row) < len(columns) else ()
    return msgspec.structs.replace(REQUEST_RESPONSE, shown=(*own, *of_bodies, *expressions))


def values_of(row: Row, columns: Sequence[ExportColumn], spellings: Mapping[str, str]) -> list[Value]:
    """In the order of `columns`; None for what has no value. Names of properties as `spellings` has them."""
    return [_value(row, f"c{place}", column, spellings) for place, column in enumerate(columns)]


def _value(row: Row, name: str, column: ExportColumn, spellings: Mapping[str, str]) -> Value:
    value = row[name]
    if value is None or (column.column.name == _ATTEMPT_OF and not value.int):
        return None
    if column.key is not None:
        return value.get(column.key)
    convert = _CONVERTED.get(column.kind)
    if convert is not None:
        return convert(value)
    return _spelled(value, row, spellings) if column.kind is Kind.TEXT_MAP else value


def _spelled(properties: Mapping[str, str], row: Row, spellings: Mapping[str, str]) -> Mapping[str, str]:
    """As the organization spells them; a name too new to be known there, as spelled in the request."""
    own = {spelling.lower(): spelling for spelling in row["property_spellings"]}
    return {spellings.get(key, own.get(key, key)): value for key, value in properties.items()}


_ATTEMPT_OF: Final = "attempt_of"  # the nil UUID of a client's own request is null in the list, so here too
# An expression of ours may have another type than a stored column of that kind.
_CONVERTED: Final[Mapping[Kind, Callable[[Any], Value]]] = {Kind.FLAG: bool, Kind.UUID: str, Kind.NUMBER: int}
