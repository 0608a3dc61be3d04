"""The time zone of a request: timestamps without an offset are read in it, and days begin in it."""

from datetime import UTC, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from schemas.api.requests import UTC_NAME
from schemas.errors import InvalidRequest
from services.sql.values import shown


def zone_of(name: str, where: str = "timeZone") -> tzinfo:
    """The zone of an IANA name, which clients give as `where`. Raises: InvalidRequest."""
    if name == UTC_NAME:
        return UTC
    zone = _zone(name)
    if zone is None:
        raise InvalidRequest(f"unknown {where} {shown(name)}: it takes an IANA name such as Europe/Berlin")
    return zone


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    # The database of zones also holds files that name no place. To list its names takes tens of milliseconds.
    return ZoneInfo(name) if name in available_timezones() and name != "localtime" else None
