"""The period that a report is about, fixed once per request."""

import re
from datetime import datetime, timedelta, tzinfo

import msgspec

from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE, Operator
from schemas.timestamps import EPOCH, whole_milliseconds
from services.sql.nodes import And, Filter, comparison
from services.sql.values import parse_value, shown

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SINCE = re.compile(r"([0-9]{1,4})([mhdw])", re.ASCII)
_CREATED_AT = REQUEST_RESPONSE.columns["request_created_at"]


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` on, before `end`; in whole milliseconds."""

    start: datetime
    end: datetime

    def filter(self) -> Filter:
        return And(
            (
                comparison("request_created_at", Operator.GTE, self.start),
                comparison("request_created_at", Operator.LT, self.end),
            )
        )


def period_of(since: str | None, start: str | None, end: str | None, now: datetime, zone: tzinfo) -> Period:
    """Of a length of time before now, or between timestamps; those without an offset are of `zone`.

    Raises: InvalidRequest.
    """
    if since is not None and start is None and end is None:
        return period_since(since, now)
    if since is not None or start is None:
        raise InvalidRequest("give since alone, or start with or without end")
    return _between(start, end, now, zone, ("start", "end"))


def period_since(since: str, now: datetime) -> Period:
    """Raises: InvalidRequest."""
    match = _SINCE.fullmatch(since)
    if match is None:
        raise InvalidRequest(f"since takes a number below 10000 and m, h, d or w, such as 7d, not {shown(since)}")
    back = timedelta(**{_UNITS[match[2]]: int(match[1])})
    end = _whole_second(now)
    return Period(start=max(end - back, EPOCH), end=end)


def _whole_second(now: datetime) -> datetime:
    """The next one: the same question of many clients is the same query then, and no request is left out."""
    whole = now.replace(microsecond=0)
    return whole if whole == now else whole + timedelta(seconds=1)


def period_from(since: str, until: str | None, now: datetime, zone: tzinfo) -> Period:
    """`since` is a length of time before now, or a timestamp. Raises: InvalidRequest."""
    if _SINCE.fullmatch(since):
        since = period_since(since, now).start.isoformat()
    return _between(since, until, now, zone, ("since", "until"))


def _between(start: str, end: str | None, now: datetime, zone: tzinfo, names: tuple[str, str]) -> Period:
    until = _whole_second(now) if end is None else parse_timestamp(end, names[1], zone)
    period = Period(start=parse_timestamp(start, names[0], zone), end=whole_milliseconds(until))
    if period.start > period.end:
        raise InvalidRequest(f"{names[0]} {shown(start)} is after {names[1]} {shown(end) if end else 'now'}")
    return period


def parse_timestamp(text: str, name: str, zone: tzinfo) -> datetime:
    """ISO 8601 text that clients give as `name`; without an offset it is of `zone`. Raises: InvalidRequest."""
    timestamp = parse_value(_CREATED_AT, Operator.GTE, text, name, zone)
    assert isinstance(timestamp, datetime)
    return timestamp
