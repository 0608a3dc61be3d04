"""Windows of alerts hold in every zone: on days when clocks are set, at month ends, at the ends of the world."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import AlertWindow, CalendarUnit
from services.domain.alerts.schedule import points
from services.domain.alerts.windows import closed_before, window_at

ZONES = st.sampled_from(
    [
        *("UTC", "Europe/Berlin", "America/New_York", "Etc/GMT+12", "Pacific/Kiritimati", "Pacific/Apia"),
        *("Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "Etc/GMT-14", "Africa/Casablanca"),
    ]
)
_FIRST = datetime(2015, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 15 * 366 * 24 * 60).map(lambda minutes: _FIRST + timedelta(minutes=minutes))
UNITS = st.sampled_from(list(CalendarUnit))
MOST = {
    CalendarUnit.HOUR: timedelta(hours=1),
    CalendarUnit.DAY: timedelta(hours=26),
    CalendarUnit.WEEK: timedelta(days=7, hours=2),
    CalendarUnit.MONTH: timedelta(days=31, hours=2),
    CalendarUnit.QUARTER: timedelta(days=92, hours=2),
}


@given(TIMES, UNITS, ZONES)
def test_a_window_ends_now_and_lies_within_its_period(at: datetime, unit: CalendarUnit, zone: str) -> None:
    window = window_at(AlertWindow(calendar=unit, time_zone=zone), at)
    assert window.closes is not None
    assert window.start < window.end == at <= window.closes
    assert window.closes - window.start <= MOST[unit]
    if unit is not CalendarUnit.HOUR:
        local = window.start.astimezone(ZoneInfo(zone))
        before = (window.start - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
        assert before.date() < local.date()


@given(TIMES, UNITS, ZONES)
def test_closed_windows_follow_each_other_without_gap_and_overlap(at: datetime, unit: CalendarUnit, zone: str) -> None:
    rule = AlertWindow(calendar=unit, time_zone=zone)
    start = window_at(rule, at).start
    for closed in closed_before(rule, at, 5):
        assert closed.end == closed.closes == start
        assert window_at(rule, closed.end).start == closed.start
        start = closed.start


@given(TIMES, UNITS, ZONES, st.integers(1, 10_000))
def test_points_end_every_missed_window_up_to_a_bound(at: datetime, unit: CalendarUnit, zone: str, hours: int) -> None:
    rule = AlertWindow(calendar=unit, time_zone=zone)
    found = points(rule, at - timedelta(hours=hours), at)
    assert list(found) == sorted(set(found))
    assert found[-1] == at
    assert len(found) <= 4
    assert all(point > at - timedelta(hours=hours) for point in found)


@pytest.mark.parametrize(
    ("zone", "at", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 22, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2026, 10, 25, 23, tzinfo=UTC), 25),
        ("America/New_York", datetime(2026, 11, 2, 5, tzinfo=UTC), 25),
        ("Australia/Lord_Howe", datetime(2026, 4, 5, 13, 30, tzinfo=UTC), 24.5),
        ("Pacific/Apia", datetime(2026, 4, 5, 11, tzinfo=UTC), 24),
    ],
)
def test_a_day_on_which_clocks_are_set_is_a_whole_day(zone: str, at: datetime, hours: float) -> None:
    window = window_at(AlertWindow(calendar=CalendarUnit.DAY, time_zone=zone), at)
    assert window.end == window.closes
    assert window.end - window.start == timedelta(hours=hours)
