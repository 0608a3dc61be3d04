"""Tables of value: CSV into entries as they are written in JSON.

The first line names the columns. A column `properties.NAME` holds a property, and an empty cell gives none. Lines that
begin with # before the table are passed over, and so are columns that a list has and an entry does not. An apostrophe
that keeps a spreadsheet program from running a cell is no part of it.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from schemas.errors import InvalidRequest
from services.domain.spreadsheets import rearmed

MAX_LINES: Final = 100_000  # of one table
PROPERTY: Final = "properties."
_FIELDS: Final[Mapping[str, str]] = {
    "id": "id",
    "amount": "amount",
    "currency": "currency",
    "user_id": "userId",
    "period": "period",
    "start": "start",
    "end": "end",
    "at": "at",
}
COLUMNS: Final = tuple(_FIELDS)
_IDENTITY: Final = ("userId", "properties", "period", "start", "end", "at")
_PASSED_OVER: Final = frozenset({"source", "given_at", "key_id"})


def parse_table(text: str) -> list[dict[str, Any]]:
    """Entries as `POST /v1/value` takes them in JSON, in order. Raises: InvalidRequest, which names the line."""
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        head, entries = _head(lines), {}
        for cells in lines:
            if any(cells):
                entries[lines.line_num] = _entry(head, cells, lines.line_num)
            if len(entries) > MAX_LINES:
                raise InvalidRequest(f"the table has more than {MAX_LINES:,} lines: send it in parts")
    except csv.Error as error:
        raise InvalidRequest(f"line {lines.line_num}: this is not CSV: {error}") from error
    _check_distinct(entries)
    return list(entries.values())


def _check_distinct(entries: Mapping[int, Mapping[str, Any]]) -> None:
    """Of two lines that are the same entry the second would correct the first, be they far apart."""
    lines: dict[str, int] = {}
    for line, entry in entries.items():
        key = entry.get("id") or repr([entry.get(name) for name in _IDENTITY])
        first = lines.setdefault(key, line)
        if first != line:
            same = "the same id" if "id" in entry else "the same user, properties and time, and no id"
            raise InvalidRequest(f"line {first} and line {line} have {same}: give each an id of its own")


def _head(lines: Iterator[list[str]]) -> Sequence[str]:
    head = next((cells for cells in lines if cells and not cells[0].startswith("#")), [])
    names = [name.strip() for name in head]
    for name in names:
        if name not in _FIELDS and name not in _PASSED_OVER and not _is_property(name):
            known = ", ".join((*_FIELDS, f"{PROPERTY}NAME"))
            raise InvalidRequest(f"unknown column {name[:100]!r}: known are {known}")
    twice = sorted(name for name in set(names) if names.count(name) > 1)
    if twice:
        raise InvalidRequest(f"the column {twice[0]} is there twice")
    if "amount" not in names:
        raise InvalidRequest("the first line names the columns, of which one is amount")
    return names


def _is_property(name: str) -> bool:
    return name.startswith(PROPERTY) and name != PROPERTY


def _entry(head: Sequence[str], cells: Sequence[str], line: int) -> dict[str, Any]:
    if len(cells) != len(head):
        raise InvalidRequest(f"line {line}: it has {len(cells)} cells, and the first line {len(head)}")
    given = {name: rearmed(cell.strip()) for name, cell in zip(head, cells, strict=True) if cell.strip()}
    entry: dict[str, Any] = {_FIELDS[name]: cell for name, cell in given.items() if name in _FIELDS}
    entry["amount"] = _amount(given.get("amount", ""), line)
    properties = {name.removeprefix(PROPERTY): cell for name, cell in given.items() if _is_property(name)}
    return entry | ({"properties": properties} if properties else {})


def _amount(cell: str, line: int) -> Decimal:
    try:
        amount = Decimal(cell)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise InvalidRequest(f"line {line}: amount takes a number such as 1200.50, not {cell[:100]!r}")
    return amount
