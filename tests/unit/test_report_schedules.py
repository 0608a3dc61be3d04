"""When a scheduled report is due, and which days it is about: in any zone, in months of any length."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.scheduled_report import Every, Schedule
from services.domain.channels.schedule import last_occurrence, next_occurrence, period_before


def schedule(every: str, **given: Any) -> Schedule:
    known: dict[str, Any] = {"every": Every(every), "hour": 8, "minute": 0, "zone": "Europe/Berlin"}
    return Schedule(**known | given)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "at", "last", "following"),
    [
        (schedule("day"), "2026-11-22T07:00", "2026-11-22T07:00", "2026-11-23T07:00"),
        (schedule("day"), "2026-11-22T06:59", "2026-11-21T07:00", "2026-11-22T07:00"),
        # 2026-11-22 is a Sunday.
        (schedule("week"), "2026-11-22T12:00", "2026-11-16T07:00", "2026-11-23T07:00"),
        (schedule("week", weekday=7), "2026-11-22T12:00", "2026-11-22T07:00", "2026-11-29T07:00"),
        (schedule("month", day=31), "2027-02-28T12:00", "2027-02-28T07:00", "2027-03-31T06:00"),
        (schedule("month"), "2026-12-31T23:59", "2026-12-01T07:00", "2027-01-01T07:00"),
        # Clocks go forward from 02:00 to 03:00 on 29 March 2026, and back from 03:00 to 02:00 on 25 October.
        (schedule("day", hour=2, minute=30), "2026-03-29T01:29", "2026-03-28T01:30", "2026-03-29T01:30"),
        (schedule("day", hour=2, minute=30), "2026-10-25T00:30", "2026-10-25T00:30", "2026-10-26T01:30"),
        (schedule("day", zone="Pacific/Kiritimati"), "2026-11-22T17:59", "2026-11-21T18:00", "2026-11-22T18:00"),
        (schedule("week", zone="Etc/GMT+12"), "2026-11-23T19:59", "2026-11-16T20:00", "2026-11-23T20:00"),
    ],
)
def test_an_occurrence_is_by_the_clocks_of_its_zone(given: Schedule, at: str, last: str, following: str) -> None:
    assert last_occurrence(given, utc(at)) == utc(last)
    assert next_occurrence(given, utc(at)) == utc(following)


@pytest.mark.parametrize(
    ("given", "occurrence", "start", "end"),
    [
        (schedule("day"), "2026-11-22T07:00", "2026-11-20T23:00", "2026-11-21T23:00"),
        (schedule("day"), "2026-03-30T06:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # a day of 23 hours
        (schedule("week"), "2026-11-23T07:00", "2026-11-15T23:00", "2026-11-22T23:00"),
        (schedule("month"), "2026-11-01T07:00", "2026-09-30T22:00", "2026-10-31T23:00"),
        (schedule("month", day=31), "2027-02-28T07:00", "2027-01-30T23:00", "2027-02-27T23:00"),
        # Sent by hand on a Wednesday: the days since Monday.
        (schedule("week"), "2026-11-25T15:00", "2026-11-22T23:00", "2026-11-24T23:00"),
    ],
)
def test_a_report_is_about_the_whole_days_since_the_one_before(
    given: Schedule, occurrence: str, start: str, end: str
) -> None:
    assert period_before(given, utc(occurrence)) == (utc(start), utc(end))


@pytest.mark.parametrize("every", ["day", "week", "month"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/New_York", "Asia/Kathmandu"])
def test_periods_of_consecutive_reports_leave_no_gap(every: str, zone: str) -> None:
    given = schedule(every, zone=zone, day=31, hour=2, minute=30)
    at, end = utc("2026-01-05T00:00"), None
    for _ in range(60):
        at = next_occurrence(given, at)
        assert last_occurrence(given, at) == at
        assert last_occurrence(given, at + timedelta(minutes=1)) == at
        start, following = period_before(given, at)
        assert end in (None, start)
        end = following
