"""Periods and buckets as people count them: days, weeks and months begin at midnight of a time zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

DAY: Final = timedelta(days=1)
MINUTES: Final = {"minute": 1, "5_minutes": 5, "15_minutes": 15, "hour": 60}  # of the buckets within a day
DATES: Final = ("day", "week", "month", "quarter", "year")

SHIFTS: Final = ("week_before", "month_before", "year_before")


def period_before(start: datetime, end: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The period of equal length that ends where this one starts, in aware UTC.

    Whole months (quarters, years) are counted in months, whole days and weeks in days, and all else in hours as they
    pass: so November is compared with October, and a week in which clocks are set with the whole week before.
    """
    first, after = _midnight_date(start, zone), _midnight_date(end, zone)
    if first is None or after is None or first == after:
        return start - (end - start), start
    if first.day == after.day == 1:
        months = (after.year - first.year) * 12 + after.month - first.month
        return midnight(_months_later(first, -months), zone), start
    return midnight(first - (after - first), zone), start


def shifted_period(start: datetime, end: datetime, shift: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """The same dates and times of day one of `SHIFTS` earlier, in aware UTC; the last day of a shorter month.

    An end at midnight is that of the day before it, so a 30th of March is compared with the last day of February, and
    not with nothing.
    """
    earlier, after = _shifted(start, shift, zone), _midnight_date(end, zone)
    if after is not None and shift != "week_before" and (moved := _moved(after, shift)).day < after.day:
        return earlier, midnight(moved + DAY, zone)
    until = _shifted(end, shift, zone)
    return earlier, until if until > earlier or start == end else earlier + (end - start)


def bucket_of(timestamp: datetime, bucket: str, zone: tzinfo) -> datetime | date:
    """The start of the bucket that `timestamp` is in: aware UTC, or for days and longer a date."""
    day = timestamp.astimezone(zone).date()
    if bucket in DATES:
        return _first_date(day, bucket)
    step = timedelta(minutes=MINUTES[bucket])
    start = midnight(day, zone)
    return start + (timestamp - start) // step * step


def bucket_starts(start: datetime, end: datetime, bucket: str, zone: tzinfo) -> Iterator[datetime | date]:
    """The start of each bucket that has a part in the period, in order, as `bucket_of` gives it."""
    current = bucket_of(start, bucket, zone)
    while instant_of(current, zone) < end:
        yield current
        current = next_bucket(current, bucket, zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """When `day` begins in `zone`, in aware UTC. Where clocks are set at midnight, that is not always 0:00."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def instant_of(bucket_start: datetime | date, zone: tzinfo) -> datetime:
    """In aware UTC."""
    return bucket_start if isinstance(bucket_start, datetime) else midnight(bucket_start, zone)


def next_bucket(current: datetime | date, bucket: str, zone: tzinfo) -> datetime | date:
    """The start of the bucket behind the one that starts at `current`, as `bucket_of` gives it."""
    if not isinstance(current, datetime):
        return _next_date(current, bucket)
    following = current + timedelta(minutes=MINUTES[bucket])
    # Buckets within a day are counted from its midnight, wherever that lies.
    return min(following, midnight(current.astimezone(zone).date() + DAY, zone))


def _first_date(day: date, bucket: str) -> date:
    match bucket:
        case "week":
            return day - DAY * day.weekday()
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
        case _:
            return day


def _next_date(day: date, bucket: str) -> date:
    match bucket:
        case "week":
            return day + 7 * DAY
        case "month":
            return _months_later(day, 1)
        case "quarter":
            return _months_later(day, 3)
        case "year":
            return _months_later(day, 12)
        case _:
            return day + DAY


def _midnight_date(timestamp: datetime, zone: tzinfo) -> date | None:
    """The day that begins at `timestamp`; None when none does."""
    day = timestamp.astimezone(zone).date()
    return day if midnight(day, zone) == timestamp else None


def _months_later(day: date, months: int) -> date:
    """The same day of another month, or its last day."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(years, month + 1, 1)
    following = date(years + (month == 11), 1 if month == 11 else month + 2, 1)
    return first + DAY * (min(day.day, (following - first).days) - 1)


def _shifted(timestamp: datetime, shift: str, zone: tzinfo) -> datetime:
    if (day := _midnight_date(timestamp, zone)) is not None:  # which may be 1:00, where clocks are set at midnight
        return midnight(_moved(day, shift), zone)
    local = timestamp.astimezone(zone)
    return datetime.combine(_moved(local.date(), shift), local.timetz()).astimezone(UTC)


def _moved(day: date, shift: str) -> date:
    match shift:
        case "week_before":
            return day - 7 * DAY
        case "month_before":
            return _months_later(day, -1)
        case _:
            return _months_later(day, -12)
