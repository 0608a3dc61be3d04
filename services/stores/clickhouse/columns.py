"""Records as columns: what the insert sends, in the order of the tables' columns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from operator import attrgetter
from typing import Any

import msgspec

from schemas.amendment import StoredAmendment
from schemas.record import RequestBodies, RequestRecord
from schemas.reprice import Correction
from schemas.timestamps import EPOCH, MILLISECOND
from schemas.value import ValueEntry

RECORD_COLUMNS = tuple(field.name for field in msgspec.structs.fields(RequestRecord))
BODY_COLUMNS = tuple(field.name for field in msgspec.structs.fields(RequestBodies))
CORRECTION_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Correction))
AMENDMENT_COLUMNS = tuple(field.name for field in msgspec.structs.fields(StoredAmendment))
VALUE_COLUMNS = tuple(field.name for field in msgspec.structs.fields(ValueEntry))

# The driver multiplies and truncates money, and the engine takes any 64 bits: so what does not fit the column exactly
# is refused here.
_MONEY = Context(prec=18, traps=[Inexact, InvalidOperation])
_VALUE = Context(prec=38, traps=[Inexact, InvalidOperation])
_UNIT_USD = Decimal("1e-12")


def record_columns(records: Sequence[RequestRecord]) -> list[Sequence[Any]]:
    """One sequence per name of RECORD_COLUMNS. Raises: ArithmeticError when money does not fit Decimal(18, 12)."""
    return _columns(records, RECORD_COLUMNS)


def body_columns(bodies: Sequence[RequestBodies]) -> list[Sequence[Any]]:
    """One sequence per name of BODY_COLUMNS."""
    return _columns(bodies, BODY_COLUMNS)


def correction_columns(corrections: Sequence[Correction]) -> list[Sequence[Any]]:
    """One sequence per name of CORRECTION_COLUMNS. Raises: ArithmeticError as `record_columns`."""
    return _columns(corrections, CORRECTION_COLUMNS)


def amendment_columns(amendments: Sequence[StoredAmendment]) -> list[Sequence[Any]]:
    """One sequence per name of AMENDMENT_COLUMNS."""
    return _columns(amendments, AMENDMENT_COLUMNS)


def value_columns(entries: Sequence[ValueEntry]) -> list[Sequence[Any]]:
    """One sequence per name of VALUE_COLUMNS. Raises: ArithmeticError when money does not fit Decimal(38, 12)."""
    return _columns(entries, VALUE_COLUMNS)


def _columns(rows: Sequence[msgspec.Struct], names: Sequence[str]) -> list[Sequence[Any]]:
    return [_WRITTEN.get(name, list)(map(attrgetter(name), rows)) for name in names]


def _ticks(timestamps: Iterable[datetime]) -> list[int]:
    """Milliseconds since 1970. Integers, since the driver would read a naive datetime as local time."""
    return [(timestamp - EPOCH) // MILLISECOND for timestamp in timestamps]


def _money(amounts: Iterable[Decimal | None]) -> list[Decimal | None]:
    return [amount if amount is None else _MONEY.quantize(amount, _UNIT_USD) for amount in amounts]


def _values(amounts: Iterable[Decimal]) -> list[Decimal]:
    return [_VALUE.quantize(amount, _UNIT_USD) for amount in amounts]


def _references(ids: Iterable[str | None]) -> list[str]:
    """The driver judges a column by its first value: with None there it would drop all the others."""
    return [id_ or "" for id_ in ids]


_WRITTEN: Mapping[str, Callable[[Iterable[Any]], Sequence[Any]]] = {
    "request_created_at": _ticks,
    "response_created_at": _ticks,
    "starts_at": _ticks,
    "ends_at": _ticks,
    "value_usd": _values,
    "cost_usd": _money,
    "provider_cost_usd": _money,
    "calculated_cost_usd": _money,
    "original_cost_usd": _money,
    "prior_cost_usd": _money,
    "prior_original_cost_usd": _money,
    "cache_saved_usd": _money,
    "budget_reserved_usd": _money,
    "cache_reference_id": _references,
    "attempt_of": _references,
}
