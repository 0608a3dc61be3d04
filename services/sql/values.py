"""JSON values into the Python values of a column. Nothing is converted that could mean something else."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from decimal import Context, Decimal
from difflib import get_close_matches
from uuid import UUID

from schemas.errors import InvalidFilter
from schemas.statement import Scalar
from schemas.tables import Column, Kind, Operator
from schemas.timestamps import MILLISECOND, instant_of, whole_milliseconds

MAX_VALUE = 8192  # characters of one text
MAX_PATTERN = 1000  # characters of a `like`: a pattern is compiled

_MAX_MEANT = 100  # characters that are compared with known names
_INT64 = 2**63
_WHOLE_DOLLARS = Decimal(10) ** 26
_PICODOLLAR = Decimal("1e-12")
_EXACT = Context(prec=38)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2299, 12, 31, tzinfo=UTC)

_PATTERNS = frozenset({Operator.LIKE, Operator.ILIKE})
_SEARCHES = _PATTERNS | {Operator.CONTAINS}
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_WITHOUT_VALUE = frozenset({Kind.TEXT, Kind.TEXT_MAP, Kind.BODY})  # an empty text is none
_MAY_BE_NULL = _WITHOUT_VALUE | {Kind.NUMBER_MAP}  # null then says that there is no such name


def shown(value: object) -> str:
    """`value` for an error's text, never long."""
    text = repr(value) if isinstance(value, str | int | float | Decimal | bool | None) else f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def known_names(unknown: str, known: Iterable[str]) -> str:
    """For the error of an unknown name: the known ones in order, and before them the one that was probably meant."""
    names = sorted(map(str, known))  # an enum's name is its value
    meant = get_close_matches(unknown[:_MAX_MEANT], names, n=1)
    listed = ", ".join(names)
    return f"did you mean {meant[0]!r}? Known are {listed}" if meant else f"known are {listed}"


def parse_value(column: Column, operator: Operator, given: object, where: str, zone: tzinfo = UTC) -> Scalar:
    """`given` as `column` holds it; None where it says "has no value". `operator` is not a negation.

    A timestamp without an offset is one of `zone`.

    Raises: InvalidFilter naming `where`.
    """
    if given is None:
        if operator is Operator.EQUALS and (column.nullable or column.kind in _MAY_BE_NULL):
            return None
        raise InvalidFilter(f"{where} cannot be null")
    match column.kind:
        case Kind.NUMBER:
            return _whole(given, where)
        case Kind.MONEY:
            return _dollars(given, where)
        case Kind.TIMESTAMP:
            return _timestamp(operator, given, where, zone)
        case Kind.FLAG:
            return _flag(given, where)
        case Kind.NUMBER_MAP:
            return _number_or_text(operator, given, where)
        case _:
            return _of_text(column, operator, given, where)


def _of_text(column: Column, operator: Operator, given: object, where: str) -> str | None:
    if column.kind is Kind.UUID and operator is Operator.EQUALS:
        return _uuid(given, where)
    text = _text(operator, given, where)
    return _special(operator, text) if column.kind in _WITHOUT_VALUE else text


def _special(operator: Operator, text: str) -> str | None:
    """Helicone's two words for what no text can express."""
    if operator is not Operator.EQUALS:
        return text
    return {"null": None, "__empty__": ""}.get(text, text)


def _text(operator: Operator, given: object, where: str) -> str:
    if not isinstance(given, str):
        raise InvalidFilter(f"{where} takes a text, not {shown(given)}")
    if len(given) > MAX_VALUE:
        raise InvalidFilter(f"{where} takes at most {MAX_VALUE} characters, not {len(given)}")
    if operator in _PATTERNS:
        _check_pattern(given, where)
    return given


def _check_pattern(pattern: str, where: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise InvalidFilter(f"{where} takes a pattern of at most {MAX_PATTERN} characters, not {len(pattern)}")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise InvalidFilter(f"{where} takes a pattern, which cannot end in the middle of an escape: {shown(pattern)}")


def _number(given: object, where: str) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        raise InvalidFilter(f"{where} takes a number, not {shown(given)}")
    number = Decimal(repr(given)) if isinstance(given, float) else Decimal(given)
    if not number.is_finite():
        raise InvalidFilter(f"{where} takes a finite number, not {shown(given)}")
    return number


def _whole(given: object, where: str) -> int:
    number = _number(given, where)
    if not -_INT64 <= number < _INT64:
        raise InvalidFilter(f"{where} takes a 64-bit number, not {shown(given)}")
    if number != number.to_integral_value():
        raise InvalidFilter(f"{where} takes a whole number, not {shown(given)}")
    return int(number)


def _number_or_text(operator: Operator, given: object, where: str) -> int | str | None:
    """A whole number, which Helicone's clients write as text; a text to search for in that of the number."""
    if operator in _SEARCHES:
        return _text(operator, given, where)
    if operator is Operator.EQUALS and given == "null":
        return None
    if isinstance(given, str) and _WHOLE.fullmatch(given):
        return _whole(int(given), where)
    return _whole(given, where)


def _dollars(given: object, where: str) -> Decimal:
    number = _number(given, where)
    if not -_WHOLE_DOLLARS < number < _WHOLE_DOLLARS:
        raise InvalidFilter(f"{where} takes an amount below 1e26 US dollars, not {shown(given)}")
    amount = number.quantize(_PICODOLLAR, context=_EXACT)
    if amount != number:
        raise InvalidFilter(f"{where} takes US dollars with at most 12 decimals, not {shown(given)}")
    return amount


def _timestamp(operator: Operator, given: object, where: str, zone: tzinfo) -> datetime:
    """An instant in whole milliseconds: rows have no finer ones, so a finer bound moves to the next one."""
    try:
        timestamp = datetime.fromisoformat(given) if isinstance(given, str) else None
        timestamp = timestamp and (
            instant_of(timestamp, zone) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
        )
    except (ValueError, OverflowError):
        timestamp = None
    if timestamp is None or not _EARLIEST <= timestamp <= _LATEST:
        raise InvalidFilter(
            f"{where} takes a timestamp of the years 1900 to 2299 as ISO 8601 text, such as 2026-01-31T12:00:00Z, "
            f"not {shown(given)}"
        )
    whole = whole_milliseconds(timestamp)
    if whole == timestamp:
        return whole
    if operator is Operator.EQUALS:
        raise InvalidFilter(f"{where} takes whole milliseconds, not {shown(given)}")
    return whole + MILLISECOND if operator in (Operator.GTE, Operator.LT) else whole


def _flag(given: object, where: str) -> bool:
    if not isinstance(given, bool):
        raise InvalidFilter(f"{where} takes true or false, not {shown(given)}")
    return given


def _uuid(given: object, where: str) -> str:
    text = _text(Operator.EQUALS, given, where)
    try:
        parsed = str(UUID(text)) if len(text) == 36 else ""
    except ValueError:
        parsed = ""
    if parsed != text.lower():
        raise InvalidFilter(f"{where} takes a UUID, not {shown(given)}")
    return parsed
