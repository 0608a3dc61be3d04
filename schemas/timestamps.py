"""Timestamps as rows hold them: whole milliseconds, and versions that are Unix microseconds."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def whole_milliseconds(timestamp: datetime) -> datetime:
    """`timestamp` cut to milliseconds, as it is part of a row's identity and stored so."""
    return timestamp - timedelta(microseconds=timestamp.microsecond % 1000)


def instant_of(local: datetime, zone: tzinfo) -> datetime:
    """When clocks in `zone` show `local`, which has no offset: in UTC.

    Where clocks are set back and show it twice, the first time. Where they are set forward and skip it, it is read by
    the clock from before: 02:30 of an hour that is skipped is 03:30, and a midnight that is skipped the start of its
    day.
    """
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def unix_us(timestamp: datetime) -> int:
    """Microseconds from 1970 to `timestamp`, which is aware; negative before."""
    return (timestamp - EPOCH) // _MICROSECOND


def from_unix_us(microseconds: int) -> datetime:
    """The timestamp in UTC, to the microsecond."""
    return EPOCH + timedelta(microseconds=microseconds)
