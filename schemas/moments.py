"""Moments as rows hold them: whole milliseconds, and versions that are Unix microseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def whole_milliseconds(moment: datetime) -> datetime:
    """`moment` cut to milliseconds, as it is part of a row's identity and stored so."""
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def unix_us(moment: datetime) -> int:
    """Microseconds from 1970 to `moment`, which is aware; negative before."""
    return (moment - EPOCH) // _MICROSECOND


def from_unix_us(microseconds: int) -> datetime:
    """The moment in UTC, to the microsecond."""
    return EPOCH + timedelta(microseconds=microseconds)
