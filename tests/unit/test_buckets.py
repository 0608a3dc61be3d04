"""Buckets of time: whole, in order, without gaps, and where the client lives."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidRequest
from schemas.timestamps import EPOCH
from services.query.reports.buckets import INCREMENTS, MAX_BUCKETS, bucket_start, buckets_of
from services.query.reports.client_time import ClientZone
from services.query.reports.period import Period

INDIA = ClientZone(-330)

timestamps = st.integers(0, 4 * 10**12).map(lambda milliseconds: EPOCH + timedelta(milliseconds=milliseconds))


@pytest.mark.parametrize(
    ("difference", "name", "shown"),
    [
        (0, "UTC", "2026-11-01T12:00:00.000Z"),
        (-330, "Fixed/UTC+05:30:00", "2026-11-01T17:30:00.000+05:30"),
        (300, "Fixed/UTC-05:00:00", "2026-11-01T07:00:00.000-05:00"),
        (-60, "Fixed/UTC+01:00:00", "2026-11-01T13:00:00.000+01:00"),
    ],
)
def test_a_difference_is_that_of_javascript(difference: int, name: str, shown: str) -> None:
    zone = ClientZone(difference)
    assert zone.name == name
    assert zone.local(datetime(2026, 11, 1, 12, tzinfo=UTC)) == shown


@given(
    start=timestamps,
    length=st.timedeltas(timedelta(0), timedelta(days=3)),
    increment=st.sampled_from(sorted(INCREMENTS)),
    difference=st.integers(-900, 900),
)
def test_every_instant_of_a_period_is_in_one_bucket(
    start: datetime, length: timedelta, increment: str, difference: int
) -> None:
    period = Period(start=start, end=start + length)
    starts = buckets_of(period, increment, ClientZone(difference).zone)
    assert starts == sorted(set(starts))
    assert bool(starts) == (length > timedelta(0))
    if starts:
        assert starts[0] <= period.start
        assert starts[-1] < period.end
        whole = buckets_of(Period(start=starts[0], end=period.end), increment, ClientZone(difference).zone)
        assert whole == starts


@pytest.mark.parametrize(
    ("increment", "starts"),
    [
        ("week", ["2026-02-23", "2026-03-02"]),
        ("month", ["2026-02-01", "2026-03-01"]),
        ("year", ["2026-01-01"]),
        ("day", ["2026-02-28", "2026-03-01", "2026-03-02"]),
    ],
)
def test_long_buckets_begin_at_local_midnight(increment: str, starts: list[str]) -> None:
    period = Period(start=datetime(2026, 2, 28, 2, tzinfo=UTC), end=datetime(2026, 3, 1, 19, tzinfo=UTC))
    found = buckets_of(period, increment, INDIA.zone)
    assert found == [bucket_start(date.fromisoformat(start), INDIA.zone) for start in starts]


def test_a_local_date_and_an_instant_are_starts_alike() -> None:
    assert bucket_start(date(2026, 3, 1), timezone(timedelta(hours=1))) == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert bucket_start(datetime(2026, 3, 1, tzinfo=UTC), INDIA.zone) == datetime(2026, 3, 1, tzinfo=UTC)


def test_too_many_are_refused() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    most = Period(start=start, end=start + timedelta(minutes=MAX_BUCKETS))
    assert len(buckets_of(most, "min", UTC)) == MAX_BUCKETS
    with pytest.raises(InvalidRequest, match="more than 50,000 buckets"):
        buckets_of(Period(start=start, end=most.end + timedelta(minutes=1)), "min", UTC)
