"""Timestamps as rows hold them: whole milliseconds, and versions that are Unix microseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def whole_milliseconds(timestamp: datetime) -> datetime:
    """`timestamp` cut to milliseconds, as it is part of a row's identity and stored so."""
    return timestamp - timedelta(microseconds=timestamp.microsecond % 1000)


def unix_us(timestamp: datetime) -> int:
    """Microseconds from 1970 to `timestamp`, which is aware; negative before."""
    return (timestamp - EPOCH) // _MICROSECOND


def from_unix_us(microseconds: int) -> datetime:
    """The timestamp in UTC, to the microsecond."""
    return EPOCH + timedelta(microseconds=microseconds)
