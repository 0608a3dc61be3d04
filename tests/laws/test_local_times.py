"""Timestamps without an offset are those that clocks of a zone show, on the days when they are set too."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.timestamps import instant_of
from services.sql.nodes import And, Compare, Filter
from services.sql.parse import parse_filter

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
LOCAL = st.datetimes(datetime.fromisoformat("1950-01-01"), datetime.fromisoformat("2050-01-01")).map(
    lambda local: local.replace(microsecond=0)
)


def shown(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


@given(st.sampled_from(ZONES), LOCAL)
def test_clocks_of_the_zone_show_it_then_for_the_first_time_unless_they_skip_it(name: str, local: datetime) -> None:
    zone = ZoneInfo(name)
    instant = instant_of(local, zone)
    later = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    assert (instant.tzinfo, shown(instant, zone) >= local) == (UTC, True)
    if shown(instant, zone) == local:
        assert instant <= later
    else:  # skipped: as long after the clocks were set as it lies behind the last time that they showed
        assert shown(instant, zone) - local == instant - later


@pytest.mark.parametrize(
    ("name", "local", "instant"),
    [
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30"),  # skipped: 03:30 of summer time
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),  # twice: the first, of summer time
        ("Europe/Berlin", "2026-11-01", "2026-10-31T23:00"),
        ("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00"),
        ("America/New_York", "2026-11-01T01:59:59", "2026-11-01T05:59:59"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),  # its midnight was skipped: 01:00
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),  # its midnight comes twice
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
        ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # a day that was skipped whole
        ("UTC", "2026-03-29T02:30", "2026-03-29T02:30"),
    ],
)
def test_what_is_skipped_or_shown_twice_has_one_instant(name: str, local: str, instant: str) -> None:
    expected = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert instant_of(datetime.fromisoformat(local), ZoneInfo(name)) == expected


def clocks_set_in(year: int, zone: ZoneInfo) -> list[date]:
    """The days of `year` that do not have 24 hours."""
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    midnights = [instant_of(datetime.combine(day, time()), zone) for day in days]
    return [day for day, start, end in zip(days, midnights, midnights[1:], strict=False) if end - start != timedelta(1)]


@given(st.sampled_from(ZONES), st.integers(1950, 2037))
def test_a_day_begins_once_and_with_it_the_date(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    for day in clocks_set_in(year, zone):
        start = instant_of(datetime.combine(day, time()), zone)
        if shown(start, zone).date() == day:  # not a day that was skipped whole
            assert shown(start - timedelta(milliseconds=1), zone).date() < day


def bounds(node: Filter) -> list[object]:
    return [bound for term in node.terms for bound in bounds(term)] if isinstance(node, And) else [value_of(node)]


def value_of(node: Filter) -> object:
    assert isinstance(node, Compare)
    return node.value


@given(st.sampled_from(ZONES), LOCAL)
def test_a_filter_reads_timestamps_without_an_offset_in_the_zone_and_no_others(name: str, local: datetime) -> None:
    zone = ZoneInfo(name)
    offset = local.replace(tzinfo=zone).isoformat()[:25]
    columns = {"gte": local.isoformat(), "lt": f"{local.isoformat()}Z", "lte": offset}
    found = bounds(parse_filter({"request_response_rmt": {"request_created_at": columns}}, zone))
    assert found == [instant_of(local, zone), local.replace(tzinfo=UTC), datetime.fromisoformat(offset).astimezone(UTC)]
    assert bounds(parse_filter({"request": {"created_at": {"gte": local.isoformat()}}})) == [local.replace(tzinfo=UTC)]
