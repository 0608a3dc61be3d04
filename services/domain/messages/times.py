"""Timestamps as people read them in a message: in the zone of the alert, which stands beside them."""

from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = timedelta(days=1)


def zone_of(name: str) -> tzinfo:
    """The zone; UTC for a name that is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def second(at: datetime, zone: tzinfo) -> str:
    """As in 22 Nov 2026 06:49:58."""
    return f"{at.astimezone(zone):%-d %b %Y %H:%M:%S}"


def window(start: datetime, end: datetime, zone: tzinfo) -> str:
    """From start to end. Of whole days only the days are named, the last one included."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if not (first.hour or first.minute or last.hour or last.minute) and end > start:
        day, last_day = f"{first:%-d %b %Y}", f"{last - _DAY:%-d %b %Y}"
        days = day if day == last_day else f"{day} to {last_day}"
    else:
        days = f"{first:%-d %b %Y %H:%M} to {last:%-d %b %Y %H:%M}"
    return f"{days} ({zone})"
