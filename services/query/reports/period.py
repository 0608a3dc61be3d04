"""The period that a report is about, fixed once per request."""

import re
from datetime import datetime, timedelta

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


def period_between(start: str, end: str | None, now: datetime) -> Period:
    """Raises: InvalidRequest."""
    until = now if end is None else parse_timestamp(end, "end")
    period = Period(start=parse_timestamp(start, "start"), end=whole_milliseconds(until))
    if period.start > period.end:
        raise InvalidRequest(f"start {shown(start)} is after end {shown(end) if end else 'now'}")
    return period


def period_since(since: str, now: datetime) -> Period:
    """Raises: InvalidRequest."""
    match = _SINCE.fullmatch(since)
    if match is None:
        raise InvalidRequest(f"since takes a number below 10000 and m, h, d or w, such as 7d, not {shown(since)}")
    back = timedelta(**{_UNITS[match[2]]: int(match[1])})
    return Period(start=max(whole_milliseconds(now - back), EPOCH), end=whole_milliseconds(now))


def period_from(since: str, until: str | None, now: datetime) -> Period:
    """`since` is a length of time before now, or a timestamp. Raises: InvalidRequest."""
    start = period_since(since, now).start if _SINCE.fullmatch(since) else parse_timestamp(since, "since")
    end = whole_milliseconds(now) if until is None else parse_timestamp(until, "until")
    if start > end:
        raise InvalidRequest(f"since {shown(since)} is after until {shown(until) if until else 'now'}")
    return Period(start=start, end=end)


def parse_timestamp(text: str, name: str) -> datetime:
    """ISO 8601 text that clients give as `name`. Raises: InvalidRequest."""
    timestamp = parse_value(_CREATED_AT, Operator.GTE, text, name)
    assert isinstance(timestamp, datetime)
    return timestamp
