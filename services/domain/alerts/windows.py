"""The window of an alert at a time: the last minutes or days, or the day, week or month of a time zone so far."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from schemas.alert import AlertWindow
from services.domain.periods import calendar_window

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` on, before `end`. A calendar window ends at `closes`; None of a rolling one."""

    start: datetime
    end: datetime
    closes: datetime | None = None


def zone_of_window(window: AlertWindow) -> tzinfo:
    """Its zone, whose name was checked when the rule was made."""
    return UTC if window.time_zone == "UTC" else ZoneInfo(window.time_zone)


def window_at(window: AlertWindow, at: datetime) -> Window:
    """What `at`, at which it ends, makes it: at midnight the whole day before, since nothing of the next is in it."""
    if window.rolling_s is not None:
        return Window(start=at - timedelta(seconds=window.rolling_s), end=at)
    start, closes = _bounds(window, at - timedelta(milliseconds=1))
    return Window(start=start, end=at, closes=closes)


def closed_before(window: AlertWindow, at: datetime, count: int) -> Iterator[Window]:
    """The last `count` calendar windows that were over before the one of `at`, the latest first."""
    return islice(_earlier(window, at), count)


def _earlier(window: AlertWindow, at: datetime) -> Iterator[Window]:
    start = window_at(window, at).start
    while True:
        earlier, closes = _bounds(window, start - timedelta(milliseconds=1))
        yield Window(start=earlier, end=closes, closes=closes)
        start = earlier


def _bounds(window: AlertWindow, at: datetime) -> tuple[datetime, datetime]:
    assert window.calendar is not None
    period = calendar_window(at, window.calendar.value, zone_of_window(window))
    return period.start, period.end


def whole_minute(at: datetime) -> datetime:
    """The minute that `at` is in."""
    return at.replace(second=0, microsecond=0)
