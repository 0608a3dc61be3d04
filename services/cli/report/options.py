"""What is typed after `farebox report` and its like (period, names, filters), into requests to the query service."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import reduce
from typing import Any, Final

import msgspec

from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE, Column, Kind, Operator
from services.domain.reports.calendar import DATES, MINUTES

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
_CONDITION: Final = re.compile(r"\s*([^=!<>~]+?)\s*(!=|!~|>=|<=|=|~|>|<)\s*(.*?)\s*", re.DOTALL)
_OPERATORS: Final = {
    "=": Operator.EQUALS,
    "!=": Operator.NOT_EQUALS,
    "~": Operator.CONTAINS,
    "!~": Operator.NOT_CONTAINS,
    ">": Operator.GT,
    ">=": Operator.GTE,
    "<": Operator.LT,
    "<=": Operator.LTE,
}
_EXAMPLES: Final = "Feature=search, user_id!=ann, model~gpt, latency>1000, or a filter as JSON"
_FLAGS: Final = {"true": True, "false": False}
_TIMES: Final = frozenset((*MINUTES, *DATES))
_PROPERTY: Final = "properties."
_SCORE: Final = "scores."

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def period_given(*, month: str, since: str, start: str, end: str) -> dict[str, str]:
    """The parameters of the period, '' for what is not given; by default the last seven days. Raises: InvalidRequest.

    The end is not in it: that of a month is the start of the next one.
    """
    if sum(map(bool, (month, since, start or end))) > 1:
        raise InvalidRequest("pass --month, or --since, or --start with or without --end")
    if end and not start:
        raise InvalidRequest("--end: pass --start too")
    if start:
        return {"start": start} | ({"end": end} if end else {})
    return _month(month) if month else {"since": since or "7d"}


def _month(text: str) -> dict[str, str]:
    match = _MONTH.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"--month: expected a year and a month, such as 2026-11, not {text!r}")
    year, month = int(match[1]), int(match[2])
    following = f"{year + month // 12:04d}-{month % 12 + 1:02d}-01"
    return {"start": f"{text}-01", "end": following}


def names_given(given: Iterable[str]) -> list[str]:
    """Of options that may be repeated, and hold several names with commas between them."""
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def groupings(names: Iterable[str]) -> list[dict[str, str]]:
    """A time bucket, a column, else a property."""
    return [_grouping(name) for name in names]


def _grouping(name: str) -> dict[str, str]:
    if name in _TIMES:
        return {"time": name}
    if name in REQUEST_RESPONSE.columns:
        return {"column": name}
    return {"property": name.removeprefix(_PROPERTY)}


def filter_given(given: Sequence[str]) -> Any:
    """The filter that all of `given` make together. Raises: InvalidRequest."""
    filters = [part for text in given for part in _filters(text)]
    return reduce(lambda left, right: {"left": left, "operator": "and", "right": right}, filters) if filters else "all"


def _filters(text: str) -> list[Any]:
    if not text.lstrip().startswith(("{", "[")):
        return [_condition(text)]
    try:
        json = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidRequest(f"--filter: {text!r} is not JSON: {error}") from error
    return json if isinstance(json, list) else [json]


def _condition(text: str) -> dict[str, Any]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"--filter: expected {_EXAMPLES}, not {text!r}")
    name, symbol, value = match.groups()
    if name.startswith(_SCORE):
        return {REQUEST_RESPONSE.name: {"scores": {name.removeprefix(_SCORE): {_OPERATORS[symbol]: value or None}}}}
    column = REQUEST_RESPONSE.columns.get(name)
    if column is None or column.kind in (Kind.TEXT_MAP, Kind.NUMBER_MAP):
        return {"properties": {name.removeprefix(_PROPERTY): {_OPERATORS[symbol]: value or None}}}
    return {REQUEST_RESPONSE.name: {name: {_OPERATORS[symbol]: _value(column, value)}}}


def _value(column: Column, text: str) -> str | Decimal | bool | None:
    """As JSON has it; nothing stands for "has no value"."""
    if not text:
        return None
    if column.kind in (Kind.NUMBER, Kind.MONEY):
        return number_given(f"--filter: {column.name}", text)
    if column.kind is Kind.FLAG:
        if text.lower() not in _FLAGS:
            raise InvalidRequest(f"--filter: {column.name} takes true or false, not {text!r}")
        return _FLAGS[text.lower()]
    return text


def number_given(name: str, text: str) -> Decimal:
    """Raises: InvalidRequest, which begins with `name`."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InvalidRequest(f"{name} takes a number, not {text!r}")
    return number
