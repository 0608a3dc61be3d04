"""Windows that repeat: calendar periods of a time zone. For whatever counts within them."""

from datetime import datetime, tzinfo

import msgspec

from services.domain.reports.calendar import bucket_of, instant_of, next_bucket


class Window(msgspec.Struct, frozen=True):
    """From `start` on and before `end`, both aware UTC."""

    start: datetime
    end: datetime


def calendar_window(at: datetime, period: str, zone: tzinfo) -> Window:
    """The hour, day, week, month, quarter or year of `zone` that `at` is in. Weeks begin on Monday."""
    start = bucket_of(at, period, zone)
    return Window(instant_of(start, zone), instant_of(next_bucket(start, period, zone), zone))
