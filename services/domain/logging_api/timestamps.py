"""The timestamps in a logged call, in every form that its clients write them, as whole milliseconds."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from schemas.errors import InvalidRequest
from schemas.timestamps import EPOCH, MILLISECOND

_EARLIEST_MS: Final = 946_684_800_000  # the year 2000: before it, seconds were taken for milliseconds
_MILLISECONDS_FROM: Final = 1e11  # the year 5138 in seconds, 1973 in milliseconds
_AHEAD: Final = timedelta(days=1)  # that a client's clock may be
_BACKWARDS_MS: Final = 60_000  # that a client's clock may jump during a call
_LONGEST_MS: Final = 30 * 86_400_000
_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,9})?")


class SplitTime(msgspec.Struct, frozen=True):
    """Unix time as Helicone's clients split it."""

    seconds: float
    milliseconds: float = 0


# A number, also as a string, is unix seconds or milliseconds; another string is ISO 8601, in UTC without an offset.
RawTime = SplitTime | str | float


def started_at(start: RawTime, now: datetime) -> datetime:
    """The timestamp in UTC, whole milliseconds. Raises: InvalidRequest when it is implausible."""
    unix_ms = _unix_ms(start, "timing.startTime")
    latest_ms = (now + _AHEAD - EPOCH) / MILLISECOND
    if not _EARLIEST_MS <= unix_ms <= latest_ms:
        raise InvalidRequest("timing.startTime lies before the year 2000 or more than a day ahead")
    return EPOCH + timedelta(milliseconds=round(unix_ms))


def elapsed_ms(start: RawTime, end: RawTime) -> int:
    """Milliseconds from `start`, which is plausible, to `end`. Raises: InvalidRequest when no call takes that long."""
    duration_ms = _unix_ms(end, "timing.endTime") - round(_unix_ms(start, "timing.startTime"))
    if not -_BACKWARDS_MS <= duration_ms <= _LONGEST_MS:
        raise InvalidRequest("timing.endTime lies before timing.startTime or more than 30 days after it")
    return max(0, round(duration_ms))


def first_byte_ms(value: float | None) -> int | None:
    """Raises: InvalidRequest when it is no plausible duration."""
    if value is None:
        return None
    if not 0 <= value <= _LONGEST_MS:
        raise InvalidRequest("timing.timeToFirstToken must be milliseconds, from 0 to those of 30 days")
    return round(value)


def _unix_ms(value: RawTime, name: str) -> float:
    match value:
        case SplitTime():
            return value.seconds * 1000 + value.milliseconds
        case str() if not _NUMBER.fullmatch(value):
            return _iso_ms(value, name)
        case _:
            number = float(value)
            return number if number >= _MILLISECONDS_FROM else number * 1000


def _iso_ms(text: str, name: str) -> int:
    try:
        timestamp = datetime.fromisoformat(text)
        return ((timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)) - EPOCH) // MILLISECOND
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{name} must be ISO 8601, unix seconds or unix milliseconds") from None
