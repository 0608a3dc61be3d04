"""Entries as clients give them into entries as they are kept."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Context, Decimal
from typing import Final

from schemas.api.value import ValueItem
from schemas.errors import InvalidRequest
from schemas.tables import PROPERTY_COLUMNS
from schemas.timestamps import MILLISECOND
from schemas.value import ValueEntry
from services.domain.reports.calendar import midnight
from services.domain.value.identity import natural_id
from services.query.reports.period import parse_timestamp
from services.sql.values import MAX_VALUE, shown

Times = tuple[datetime, datetime]

_CURRENCY: Final = "USD"
_MOST_USD: Final = Decimal(10) ** 12  # below it all that is computed fits
_PICODOLLAR: Final = Decimal("1e-12")
_EXACT: Final = Context(prec=38)
_MAX_NAME: Final = 200
_PERIOD: Final = re.compile(
    r"(?P<year>[0-9]{4})(?:-Q(?P<quarter>[1-4])|-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?", re.ASCII
)
_FIRST_YEAR, _LAST_YEAR = 1900, 2298


def entries_of(
    items: Sequence[ValueItem], *, organization_id: str, source: str, key_id: str, zone: tzinfo
) -> list[ValueEntry]:
    """In order, without versions yet. Raises: InvalidRequest, also when two of them are the same one."""
    entries: list[ValueEntry] = []
    places: dict[str, int] = {}
    for place, item in enumerate(items, 1):
        entry = _entry(item, f"entry {place}", organization_id, source, key_id, zone)
        first = places.setdefault(entry.value_id, place)
        if first != place:
            same = f"the id {shown(item.id)}" if item.id else "the same user, properties and time, and no id"
            raise InvalidRequest(f"entry {first} and entry {place} have {same}: give each an id of its own")
        entries.append(entry)
    return entries


def _entry(item: ValueItem, place: str, organization_id: str, source: str, key_id: str, zone: tzinfo) -> ValueEntry:
    starts_at, ends_at = _times(item, place, zone)
    properties = dict(_properties(item.properties, place))
    user_id = _text(item.user_id, f"{place}: userId")
    return ValueEntry(
        organization_id=organization_id,
        value_id=item.id or natural_id(user_id, properties, starts_at, ends_at),
        version=0,
        is_deleted=False,
        starts_at=starts_at,
        ends_at=ends_at,
        user_id=user_id,
        properties=properties,
        value_usd=_amount(item, place),
        source=source,
        key_id=key_id,
    )


def _amount(item: ValueItem, place: str) -> Decimal:
    if item.currency.upper() != _CURRENCY:
        raise InvalidRequest(
            f"{place}: currency is US dollars only (USD), not {shown(item.currency)}: convert it first"
        )
    given = Decimal(item.amount)
    if not (given.is_finite() and abs(given) < _MOST_USD):
        raise InvalidRequest(f"{place}: amount is below 1e12 US dollars, not {shown(item.amount)}")
    amount = given.quantize(_PICODOLLAR, context=_EXACT)
    if amount != given:
        raise InvalidRequest(f"{place}: amount has at most 12 decimals, not {shown(item.amount)}")
    return amount


def _properties(given: Mapping[str, str], place: str) -> Iterator[tuple[str, str]]:
    known: set[str] = set()
    for name, value in given.items():
        key = name.lower()
        if not 0 < len(name) <= _MAX_NAME:
            raise InvalidRequest(f"{place}: the name of a property has 1 to {_MAX_NAME} characters, not {shown(name)}")
        if key in PROPERTY_COLUMNS:
            raise InvalidRequest(f"{place}: {name} is no property: value is given for users and properties")
        if key in known:
            raise InvalidRequest(f"{place}: the property {shown(name)} is there twice, ignoring case")
        if not value:
            raise InvalidRequest(f"{place}: the property {shown(name)} is empty: leave it out")
        known.add(key)
        yield key, _text(value, f"{place}: the property {shown(name)}")


def _text(text: str, what: str) -> str:
    if len(text) > MAX_VALUE:
        raise InvalidRequest(f"{what} has at most {MAX_VALUE} characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{what} is no text: it has half of a character") from error
    return text


def _times(item: ValueItem, place: str, zone: tzinfo) -> Times:
    given = [name for name in ("period", "start", "end", "at") if getattr(item, name) is not None]
    parse = _FORMS.get(tuple(given))
    if parse is None:
        raise InvalidRequest(f"{place}: give period, or start and end, or at")
    starts_at, ends_at = parse(item, place, zone)
    if starts_at >= ends_at:
        raise InvalidRequest(f"{place}: start {shown(item.start)} is not before end {shown(item.end)}")
    return starts_at, ends_at


def _between(item: ValueItem, place: str, zone: tzinfo) -> Times:
    start, end = item.start or "", item.end or ""
    return parse_timestamp(start, f"{place}: start", zone), parse_timestamp(end, f"{place}: end", zone)


def _at(item: ValueItem, place: str, zone: tzinfo) -> Times:
    at = parse_timestamp(item.at or "", f"{place}: at", zone)
    return at, at + MILLISECOND


def _period(item: ValueItem, place: str, zone: tzinfo) -> Times:
    try:
        first, after = _dates(item.period or "")
    except ValueError as error:
        forms = "2026, 2026-Q4, 2026-11 or 2026-11-21"
        raise InvalidRequest(f"{place}: period takes {forms}, not {shown(item.period)}") from error
    return midnight(first, zone), midnight(after, zone)


def _dates(text: str) -> tuple[date, date]:
    """The first day, and the one after the last. Raises: ValueError when there is no such day."""
    match = _PERIOD.fullmatch(text)
    if match is None or not _FIRST_YEAR <= int(match["year"]) <= _LAST_YEAR:
        raise ValueError(text)
    year = int(match["year"])
    if match["day"]:
        first = date(year, int(match["month"]), int(match["day"]))
        return first, date.fromordinal(first.toordinal() + 1)
    if match["quarter"]:
        return _months(year, 3 * int(match["quarter"]) - 2, 3)
    return _months(year, int(match["month"]), 1) if match["month"] else _months(year, 1, 12)


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    last = month - 1 + count
    return date(year, month, 1), date(year + last // 12, last % 12 + 1, 1)


_FORMS: Final[Mapping[tuple[str, ...], Callable[[ValueItem, str, tzinfo], Times]]] = {
    ("period",): _period,
    ("start", "end"): _between,
    ("at",): _at,
}
