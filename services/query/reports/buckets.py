"""The buckets of a period, without gaps, as their starts."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from schemas.errors import InvalidRequest
from services.query.reports.period import Period

MAX_BUCKETS: Final = 50_000  # in one response

# What Helicone calls each, and the bucket of a report that it is.
INCREMENTS: Final[Mapping[str, str]] = {
    "min": "minute",
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "year",
}


def buckets_of(period: Period, increment: str, zone: tzinfo) -> list[datetime]:
    """The start of each bucket that has a part in `period`, in UTC. `zone` has one offset, always.

    Raises: InvalidRequest when there are more than a response has.
    """
    found: list[datetime] = []
    for start in _starts(period, increment, zone):
        if len(found) == MAX_BUCKETS:
            raise InvalidRequest(f"dbIncrement {increment} gives more than {MAX_BUCKETS:,} buckets: take a longer one")
        found.append(start.astimezone(UTC))
    return found


def bucket_start(value: date, zone: tzinfo) -> datetime:
    """What the warehouse gives for a bucket, an instant or a local date, as its start in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime(value.year, value.month, value.day, tzinfo=zone).astimezone(UTC)


def _starts(period: Period, increment: str, zone: tzinfo) -> Iterator[datetime]:
    floor, following = _STEPS[increment]
    start = floor(period.start.astimezone(zone))
    while start < period.end > period.start:
        yield start
        start = following(start)


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _monday(local: datetime) -> datetime:
    return _midnight(local) - timedelta(days=local.weekday())


def _first(local: datetime) -> datetime:
    return _midnight(local).replace(day=1)


def _plus(**step: int) -> Callable[[datetime], datetime]:
    return lambda start: start + timedelta(**step)


def _next_month(start: datetime) -> datetime:
    return _first(start + timedelta(days=31))


_STEPS: Final[Mapping[str, tuple[Callable[[datetime], datetime], Callable[[datetime], datetime]]]] = {
    "min": (lambda local: local.replace(second=0, microsecond=0), _plus(minutes=1)),
    "hour": (lambda local: local.replace(minute=0, second=0, microsecond=0), _plus(hours=1)),
    "day": (_midnight, _plus(days=1)),
    "week": (_monday, _plus(days=7)),
    "month": (_first, _next_month),
    "year": (lambda local: _first(local).replace(month=1), lambda start: start.replace(year=start.year + 1)),
}
