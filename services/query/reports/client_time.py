"""Timestamps and time zones as Helicone's clients send them, and as they are shown."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final

from schemas.api.groups import MillisecondsRange, SecondsRange, TimeRange
from schemas.api.requests import instant
from schemas.errors import InvalidRequest
from schemas.timestamps import EPOCH
from services.query.reports.period import Period, parse_timestamp

# Seconds of this size are of the year 5138, and milliseconds of 1973: who sends them means the latter.
_SURELY_MILLISECONDS: Final = 10**11


class ClientZone:
    """A fixed offset from UTC."""

    def __init__(self, difference_minutes: int) -> None:
        """`difference_minutes` is that of JavaScript's getTimezoneOffset: positive west of Greenwich."""
        self.zone = timezone(-timedelta(minutes=difference_minutes)) if difference_minutes else UTC
        sign, minutes = ("-", difference_minutes) if difference_minutes > 0 else ("+", -difference_minutes)
        self.name = f"Fixed/UTC{sign}{minutes // 60:02}:{minutes % 60:02}:00" if minutes else "UTC"

    def local(self, timestamp: datetime) -> str:
        """`timestamp` as clocks there show it, with its offset: the same instant for whoever reads the offset."""
        if self.zone is UTC:
            return instant(timestamp)
        return timestamp.astimezone(self.zone).isoformat(timespec="milliseconds")


def period_of_range(given: TimeRange | SecondsRange | MillisecondsRange, zone: tzinfo = UTC) -> Period:
    """Timestamps without an offset are of `zone`. Raises: InvalidRequest."""
    match given:
        case TimeRange():
            period = Period(
                start=parse_timestamp(given.start, "timeFilter.start", zone),
                end=parse_timestamp(given.end, "timeFilter.end", zone),
            )
        case SecondsRange():
            period = Period(
                start=_of_seconds(given.start_time_unix_seconds), end=_of_seconds(given.end_time_unix_seconds)
            )
        case MillisecondsRange():
            period = Period(start=_of_ms(given.start_time_unix_ms), end=_of_ms(given.end_time_unix_ms))
    if period.start > period.end:
        raise InvalidRequest("timeFilter starts after its end")
    return period


def _of_seconds(time: int | Decimal) -> datetime:
    return _of_ms(time if time >= _SURELY_MILLISECONDS else time * 1000)


def _of_ms(time: int | Decimal) -> datetime:
    return EPOCH + timedelta(milliseconds=int(time))
