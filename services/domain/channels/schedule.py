"""When a report is due by its schedule, and which days it is about."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.scheduled_report import Every, Schedule
from schemas.timestamps import instant_of

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_MONTHS: Final = 12


def next_occurrence(schedule: Schedule, after: datetime) -> datetime:
    """The first one after `after`, in UTC."""
    return next(at for at in _near(schedule, after) if at > after)


def last_occurrence(schedule: Schedule, at: datetime) -> datetime:
    """The last one that is not after `at`, in UTC."""
    return [near for near in _near(schedule, at) if near <= at][-1]


def period_before(schedule: Schedule, occurrence: datetime) -> tuple[datetime, datetime]:
    """The days since the occurrence before this one, up to and without the day of this one: as timestamps in UTC.

    So a report of Mondays is about the week from Monday to Sunday.
    """
    zone = ZoneInfo(schedule.zone)
    end = occurrence.astimezone(zone).date()
    start = [day for day in _days(schedule, end) if day < end][-1]
    return _instant(start, time(), zone), _instant(end, time(), zone)


def _near(schedule: Schedule, at: datetime) -> Iterator[datetime]:
    """Occurrences around `at`, in order, some before it and some after it."""
    zone = ZoneInfo(schedule.zone)
    clock = time(schedule.hour, schedule.minute)
    return (_instant(day, clock, zone) for day in _days(schedule, at.astimezone(zone).date()))


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return instant_of(datetime.combine(day, clock), zone)


def _days(schedule: Schedule, near: date) -> list[date]:
    match schedule.every:
        case Every.DAY:
            return [near + number * _DAY for number in range(-2, 3)]
        case Every.WEEK:
            this = near + (schedule.weekday - near.isoweekday()) * _DAY
            return [this + number * _WEEK for number in range(-2, 3)]
        case Every.MONTH:
            first = near.year * _MONTHS + near.month - 1
            return [_in_month(schedule.day, first + number) for number in range(-2, 3)]


def _in_month(day: int, month: int) -> date:
    """`month` counted from January of the year 0."""
    year, number = divmod(month, _MONTHS)
    return date(year, number + 1, min(day, monthrange(year, number + 1)[1]))
