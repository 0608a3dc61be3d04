"""Laws of buckets and earlier periods, in every zone: nothing is lost or counted twice when clocks are set."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.statement import Statement
from services.domain.reports.calendar import (
    DATES,
    MINUTES,
    SHIFTS,
    bucket_of,
    bucket_starts,
    instant_of,
    midnight,
    period_before,
    shifted_period,
)
from services.sql.compile import BUCKETS
from services.stores.clickhouse.warehouse import ClickHouseWarehouse

ZONES = sorted(available_timezones() - {"localtime"})
EVERY_BUCKET = [*MINUTES, *DATES]
# Where clocks are set by half an hour, at midnight, in the middle of a quarter of an hour from UTC, or never.
ODD = ("Australia/Lord_Howe", "America/Havana", "Asia/Beirut", "America/Santiago", "Asia/Kathmandu", "UTC")
# Days on which clocks are set somewhere, and the days around them.
SET = [
    datetime(*day, tzinfo=UTC)
    for day in ((2025, 3, 9), (2025, 3, 30), (2025, 4, 5), (2025, 9, 6), (2025, 10, 26), (2025, 11, 2), (2026, 1, 1))
]

zones = st.sampled_from(ZONES) | st.sampled_from(ODD)
instants = st.builds(
    lambda day, ms: day + timedelta(milliseconds=ms),
    st.sampled_from(SET) | st.integers(0, 700).map(lambda days: SET[0] + timedelta(days=days)),
    st.integers(-86_400_000, 2 * 86_400_000),
).map(lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000))


def test_the_engine_has_the_same_buckets() -> None:
    assert set(BUCKETS) == set(EVERY_BUCKET)


AROUND = [day + timedelta(minutes=minutes) for day in SET for minutes in range(-1440, 2880, 97)]


def zones_that_differ() -> list[str]:
    """One of each kind: most zones are others under another name, as far as these days go."""
    kinds = {tuple(instant.astimezone(ZoneInfo(name)).utcoffset() for instant in AROUND): name for name in ZONES}
    return sorted(kinds.values())


def test_the_engine_puts_every_instant_into_the_same_bucket_in_every_zone(
    embedded_warehouse: ClickHouseWarehouse,
) -> None:
    with asyncio.Runner() as runner:
        for name in zones_that_differ():
            columns = ", ".join(
                f"{sql.format(timestamp='t', zone='{zone:String}')} AS b{position}"
                for position, sql in enumerate(BUCKETS.values())
            )
            sql = f"SELECT arrayJoin({{ts:Array(DateTime64(3, 'UTC'))}}) AS t, {columns}"
            rows = runner.run(embedded_warehouse.query(Statement(sql=sql, parameters={"ts": AROUND, "zone": name})))
            zone = ZoneInfo(name)
            for instant, row in zip(AROUND, rows, strict=True):
                for position, bucket in enumerate(BUCKETS):
                    assert row[f"b{position}"] == bucket_of(instant, bucket, zone), (name, bucket, instant)


@given(zone_name=zones, start=instants, length=st.integers(0, 40 * 86_400), bucket=st.sampled_from(EVERY_BUCKET))
def test_the_buckets_of_a_period_cover_it_without_overlapping(
    zone_name: str, start: datetime, length: int, bucket: str
) -> None:
    zone, end = ZoneInfo(zone_name), start + timedelta(seconds=length if bucket in DATES else length % 90_000)
    starts = list(bucket_starts(start, end, bucket, zone))
    begins = [instant_of(each, zone) for each in starts]
    assert all(earlier < later for earlier, later in pairwise(begins))
    assert bool(starts) == (start < end or begins != [])
    if start < end:
        assert begins[0] <= start
        assert begins[-1] < end
    for each, begin in zip(starts, begins, strict=True):
        assert bucket_of(begin, bucket, zone) == each
    for instant in (start + (end - start) * part / 7 for part in range(7)):
        if instant < end:
            assert bucket_of(instant, bucket, zone) in starts


@given(zone_name=zones, instant=instants, bucket=st.sampled_from(EVERY_BUCKET))
def test_a_bucket_starts_at_or_before_what_is_in_it_and_is_its_own(
    zone_name: str, instant: datetime, bucket: str
) -> None:
    zone = ZoneInfo(zone_name)
    start = bucket_of(instant, bucket, zone)
    begin = instant_of(start, zone)
    assert begin <= instant
    assert bucket_of(begin, bucket, zone) == start
    if bucket in MINUTES:
        assert instant - begin < timedelta(minutes=MINUTES[bucket])


@given(zone_name=zones, start=instants, length_ms=st.integers(1, 400 * 86_400_000))
def test_the_period_before_ends_where_the_period_starts(zone_name: str, start: datetime, length_ms: int) -> None:
    zone, end = ZoneInfo(zone_name), start + timedelta(milliseconds=length_ms)
    earlier, until = period_before(start, end, zone)
    assert earlier < until == start


@given(zone_name=zones, day=st.dates(date(2024, 1, 1), date(2026, 12, 31)), days=st.integers(1, 60))
def test_whole_days_are_compared_with_as_many_whole_days(zone_name: str, day: date, days: int) -> None:
    zone = ZoneInfo(zone_name)
    start, end = midnight(day, zone), midnight(day + timedelta(days=days), zone)
    earlier, _ = period_before(start, end, zone)
    months = day.day == (day + timedelta(days=days)).day == 1
    compared = len(list(bucket_starts(earlier, start, "month" if months else "day", zone)))
    assert compared == len(list(bucket_starts(start, end, "month" if months else "day", zone)))


def in_zone(zone: str, *local: tuple[int, ...]) -> list[datetime]:
    plain = "%Y-%m-%d-%H-%M"
    texts = ["-".join(map(str, (*parts, 0, 0)[:5])) for parts in local]
    return [datetime.strptime(text, plain).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for text in texts]


@pytest.mark.parametrize(
    ("zone", "start", "end", "earlier"),
    [
        ("Europe/Berlin", (2026, 11, 1), (2026, 12, 1), (2026, 10, 1)),  # October is an hour longer
        ("Europe/Berlin", (2026, 3, 1), (2026, 4, 1), (2026, 2, 1)),
        ("Europe/Berlin", (2026, 4, 1), (2026, 7, 1), (2026, 1, 1)),
        ("Europe/Berlin", (2026, 1, 1), (2027, 1, 1), (2025, 1, 1)),
        ("Europe/Berlin", (2026, 3, 30), (2026, 4, 6), (2026, 3, 23)),  # the week before is an hour shorter
        ("Asia/Kolkata", (2026, 11, 2), (2026, 11, 9), (2026, 10, 26)),
        ("America/New_York", (2026, 11, 2, 12), (2026, 11, 2, 18), (2026, 11, 2, 6)),
        ("UTC", (2026, 11, 1), (2026, 11, 21, 10), (2026, 10, 11, 14)),
    ],
)
def test_the_period_before_is_counted_as_people_do(
    zone: str, start: tuple[int, ...], end: tuple[int, ...], earlier: tuple[int, ...]
) -> None:
    first, last, expected = in_zone(zone, start, end, earlier)
    assert period_before(first, last, ZoneInfo(zone)) == (expected, first)


@pytest.mark.parametrize(
    ("shift", "start", "end", "earlier", "until"),
    [
        ("week_before", (2026, 3, 20), (2026, 3, 28), (2026, 3, 13), (2026, 3, 21)),
        ("month_before", (2026, 3, 30), (2026, 3, 31), (2026, 2, 28), (2026, 3, 1)),  # no empty day
        ("month_before", (2026, 3, 31), (2026, 4, 1), (2026, 2, 28), (2026, 3, 1)),
        ("month_before", (2026, 3, 1), (2026, 3, 29), (2026, 2, 1), (2026, 3, 1)),  # 28 days with 28
        ("month_before", (2026, 3, 1), (2026, 4, 1), (2026, 2, 1), (2026, 3, 1)),
        ("month_before", (2026, 5, 31, 10), (2026, 5, 31, 11), (2026, 4, 30, 10), (2026, 4, 30, 11)),
        ("month_before", (2026, 3, 29, 10), (2026, 3, 30, 9), (2026, 2, 28, 10), (2026, 3, 1, 9)),  # not backwards
        ("year_before", (2028, 2, 29), (2028, 3, 1), (2027, 2, 28), (2027, 3, 1)),
        ("year_before", (2028, 2, 1), (2028, 2, 29), (2027, 2, 1), (2027, 3, 1)),
    ],
)
def test_days_that_a_shorter_month_lacks_are_compared_with_its_end(
    shift: str, start: tuple[int, ...], end: tuple[int, ...], earlier: tuple[int, ...], until: tuple[int, ...]
) -> None:
    first, last, *expected = in_zone("UTC", start, end, earlier, until)
    assert [*shifted_period(first, last, shift, ZoneInfo("UTC"))] == expected


@given(zone_name=zones, day=st.dates(date(2024, 1, 1), date(2026, 12, 31)), days=st.integers(1, 60))
def test_the_week_before_has_as_many_days(zone_name: str, day: date, days: int) -> None:
    zone, week = ZoneInfo(zone_name), timedelta(days=7)
    first, after = day, day + timedelta(days=days)
    expected = midnight(first - week, zone), midnight(after - week, zone)
    assert shifted_period(midnight(first, zone), midnight(after, zone), "week_before", zone) == expected


@given(zone_name=zones, start=instants, length_ms=st.integers(1, 400 * 86_400_000), shift=st.sampled_from(SHIFTS))
def test_a_shifted_period_is_never_empty(zone_name: str, start: datetime, length_ms: int, shift: str) -> None:
    earlier, until = shifted_period(start, start + timedelta(milliseconds=length_ms), shift, ZoneInfo(zone_name))
    assert earlier < until


@pytest.mark.parametrize(
    ("shift", "start", "end"),
    [
        ("week_before", (2026, 10, 23), (2026, 10, 24, 9, 30)),
        ("month_before", (2026, 9, 30), (2026, 9, 30, 9, 30)),
        ("year_before", (2025, 10, 30), (2025, 10, 31, 9, 30)),
    ],
)
def test_a_shift_keeps_the_date_and_the_time_of_day(shift: str, start: tuple[int, ...], end: tuple[int, ...]) -> None:
    zone = "Europe/Berlin"
    first, last, *expected = in_zone(zone, (2026, 10, 30), (2026, 10, 31, 9, 30), start, end)
    assert [*shifted_period(first, last, shift, ZoneInfo(zone))] == expected
    assert shift in SHIFTS
