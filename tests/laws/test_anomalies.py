"""Laws of anomalies: silence about seasons and noise, no spike is missed, and no unit or order changes a result."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.reports.anomalies.drivers import split_excess
from services.domain.reports.anomalies.grain import Series, by_day, days_of, known_figures
from services.domain.reports.anomalies.judge import NEW_NORMAL_DAYS, RunState, Sensitivity, judge
from services.domain.reports.anomalies.seasons import BUCKETS, Season, seasons_of
from services.domain.reports.calendar import midnight
from tests.builders.traffic_series import BERLIN, NOISES, false_runs, lognormal, poisson, seasons, series, shape
from tests.support.examples import examples

ZONES = sorted(available_timezones() - {"localtime"})
HOURS = seasons(9)
DAYS, DAY_OF = days_of(HOURS, ZoneInfo(BERLIN))
USUAL = Sensitivity()
FALLS = Sensitivity(falls=True)
WEEK = 7 * 24


def by_days(hourly: list[float | None]) -> list[float | None]:
    return list(by_day(Series(figures=hourly, requests=[1] * len(hourly)), DAY_OF).figures)


@pytest.mark.parametrize("noise", sorted(NOISES))
@pytest.mark.parametrize(("bucket", "mean"), [("hour", 100), ("day", 3)])
def test_seasons_with_noise_are_hardly_ever_unusual(noise: str, bucket: str, mean: float) -> None:
    """At most one false run in three weeks of a series; `tests.bench.anomalies` prints how many there are."""
    count = 6 if bucket == "hour" else 30
    runs, weeks = false_runs(range(count), noise=NOISES[noise], mean=mean, bucket=bucket)
    assert runs <= weeks / 3, (runs, weeks)


@pytest.mark.parametrize("noise", sorted(NOISES))
def test_seasons_with_noise_hardly_ever_fall(noise: str) -> None:
    for bucket, mean, count in (("hour", 100, 6), ("day", 3, 30)):
        runs, weeks = false_runs(range(count), noise=NOISES[noise], mean=mean, bucket=bucket, of=FALLS)
        assert runs <= weeks / 10, (bucket, runs, weeks)


@given(seed=st.integers(0, 10**6), day=st.integers(35, 60), share=st.floats(0, 0.2))
def test_days_with_hardly_anything_are_a_fall_and_no_rise(seed: int, day: int, share: float) -> None:
    daily = by_days(series(HOURS, seed, noise=poisson, mean=100))
    for at in (day, day + 1):
        daily[at] = share * (daily[at] or 0)
    (run,) = judge(daily, DAYS, FALLS).runs
    assert (run.start, run.end, run.state) == (day, day + 2, RunState.ENDED)
    assert run.actual < 0.25 * run.expected
    assert run.score >= FALLS.score
    assert not judge(daily, DAYS, USUAL).runs


def test_a_lower_level_is_reported_once_and_a_day_that_is_not_over_is_no_fall() -> None:
    daily = by_days(series(HOURS, 7, noise=poisson, mean=100))
    lower = [(figure or 0) * (0.3 if at >= 42 else 1) for at, figure in enumerate(daily)]
    (run,) = judge(lower, DAYS, FALLS).runs
    assert (run.start, run.end, run.state) == (42, 49, RunState.NEW_NORMAL)
    assert DAYS.over == len(daily) - 1  # clocks were set, so the last day is an hour long
    begun = [*daily[:-1], 0.0]
    assert not judge(begun, DAYS, FALLS).runs
    (over,) = judge(begun, msgspec.structs.replace(DAYS, over=len(daily)), FALLS).runs
    assert (over.start, over.state) == (len(daily) - 1, RunState.ONGOING)
    two = [*daily[:-2], 0.0, 0.0]
    (ongoing,) = judge(two, DAYS, FALLS).runs
    assert (ongoing.start, ongoing.end, ongoing.state) == (len(daily) - 2, len(daily) - 1, RunState.ONGOING)


@given(seed=st.integers(0, 10**6), hour=st.integers(5 * WEEK, 9 * WEEK - 1), mean=st.floats(1000, 10_000))
def test_five_times_the_usual_is_always_found(seed: int, hour: int, mean: float) -> None:
    hourly = series(HOURS, seed, noise=poisson, mean=mean)
    hourly[hour] = 5 * mean * shape(HOURS.starts[hour].astimezone(ZoneInfo(BERLIN)))
    runs = judge(hourly, HOURS, USUAL).runs
    assert any(run.start <= hour < run.end and run.score >= USUAL.score for run in runs)


@given(seed=st.integers(0, 10**6), day=st.integers(35, 62))
def test_a_day_of_five_times_the_usual_is_always_found(seed: int, day: int) -> None:
    daily = by_days(series(HOURS, seed, noise=poisson, mean=3))
    daily[day] = 5 * (daily[day] or 0)
    (run,) = [run for run in judge(daily, DAYS, USUAL).runs if run.start <= day < run.end]
    assert run.start == day
    assert run.end <= day + 4  # by chance a day behind it may be unusual too
    assert run.score >= USUAL.score


@settings(max_examples=examples(15), deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([2.0**-20, 0.25, 8.0, 2.0**30]))
def test_the_unit_changes_nothing(seed: int, scale: float) -> None:
    hourly = series(HOURS, seed, noise=lognormal, mean=100)
    hourly[8 * WEEK] = 1000.0
    scaled = [None if figure is None else figure * scale for figure in hourly]
    plain = judge(hourly, HOURS, Sensitivity(excess=100)).runs
    times = judge(scaled, HOURS, Sensitivity(excess=100 * scale)).runs
    assert plain
    assert [(run.start, run.end, run.state) for run in times] == [(run.start, run.end, run.state) for run in plain]
    assert [run.expected for run in times] == pytest.approx([run.expected * scale for run in plain])
    assert [run.score for run in times] == pytest.approx([run.score for run in plain])


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_step_is_reported_once_and_becomes_the_new_normal(bucket: str) -> None:
    hourly = series(HOURS, 7, noise=poisson, mean=200)
    stepped = [(figure or 0) * (3 if at >= 6 * WEEK else 1) for at, figure in enumerate(hourly)]
    figures, of = (stepped, HOURS) if bucket == "hour" else (by_days(list(stepped)), DAYS)
    (run,) = judge(figures, of, USUAL).runs
    assert run.state is RunState.NEW_NORMAL
    assert abs(run.start / of.per_day - 42) < 0.5
    assert NEW_NORMAL_DAYS <= (run.end - run.start) / of.per_day < NEW_NORMAL_DAYS + 1
    assert run.actual / run.expected == pytest.approx(3, rel=0.1)


def test_a_level_after_nothing_is_reported_once_too() -> None:
    """Errors, of which there was none."""
    errors: list[float | None] = [0.0 if day < 35 else 50.0 + day % 5 for day in range(len(DAYS.starts))]
    (run,) = judge(errors, DAYS, USUAL).runs
    assert (run.start, run.end, run.state, run.expected) == (35, 42, RunState.NEW_NORMAL, 0)


def test_what_is_unusual_again_on_the_new_level_is_found() -> None:
    daily = by_days(series(HOURS, 8, noise=poisson, mean=10))
    stepped = [(figure or 0) * (3 if at >= 42 else 1) for at, figure in enumerate(daily)]
    stepped[57] *= 4
    step, spike = judge(stepped, DAYS, USUAL).runs
    assert (step.state, spike.state) == (RunState.NEW_NORMAL, RunState.ENDED)
    assert (spike.start, spike.end) == (57, 58)


@pytest.mark.parametrize("weekly_growth", [0.05, 0.15, 0.3])
def test_growth_does_not_always_fire(weekly_growth: float) -> None:
    hourly = series(HOURS, 3, noise=poisson, mean=100, weekly_growth=weekly_growth)
    assert not judge(hourly, HOURS, USUAL).runs
    assert not judge(by_days(hourly), DAYS, USUAL).runs


def test_an_anomaly_hides_nothing_behind_it_and_its_end_is_known() -> None:
    daily = by_days(series(HOURS, 5, noise=poisson, mean=10))
    for day in (40, 47, 54, 62):  # the same weekday three times, and the last day
        daily[day] = 6 * (daily[day] or 0)
    runs = judge(daily, DAYS, USUAL).runs
    assert [(run.start, run.state) for run in runs] == [
        (40, RunState.ENDED),
        (47, RunState.ENDED),
        (54, RunState.ENDED),
        (62, RunState.ONGOING),
    ]


def test_holidays_and_what_comes_after_them_are_usual() -> None:
    """One day off, and two weeks in which nobody works."""
    hourly = series(HOURS, 6, noise=poisson, mean=100)
    for off in (range(5 * WEEK + 48, 5 * WEEK + 72), range(6 * WEEK, 8 * WEEK)):
        for hour in off:
            hourly[hour] = 0.0
    counts = Series(figures=hourly, requests=[int(figure or 0) for figure in hourly])
    assert not judge(known_figures(counts, 24), HOURS, USUAL).runs
    daily = by_day(counts, DAY_OF)
    assert not judge(known_figures(daily, 1), DAYS, USUAL).runs


def test_silence_is_zero_only_while_it_is_short() -> None:
    requests = [*[3] * 5, *[0] * 6, 2, *[0] * 7, 1, 0, 0]
    sums = Series(figures=[float(count) for count in requests], requests=requests)
    assert known_figures(sums, 1) == [*[3] * 5, *[0] * 6, 2, *[None] * 7, 1, 0, 0]
    averages = Series(figures=[7.0, None, 8.0], requests=[4, 0, 5], is_average=True)
    assert known_figures(averages, 1) == [None, None, 8.0]


def test_before_its_first_request_a_group_is_no_row_of_zeros() -> None:
    hourly = series(HOURS, 4, noise=poisson, mean=100)
    young = [None if at < 6 * WEEK else figure for at, figure in enumerate(hourly)]
    young[6 * WEEK + 30] = 10_000.0
    found = judge(young, HOURS, USUAL)
    assert (found.runs, found.began) == ([], 6 * WEEK)
    assert 0 < found.judged <= WEEK
    assert judge([None] * 20, HOURS, USUAL).began is None


def test_what_never_was_is_unusual_when_it_comes() -> None:
    """Errors, of which there was none."""
    errors: list[float | None] = [*[0.0] * 30, 300.0, *[0.0] * 3]
    now_and_then: list[float | None] = [
        1.0 if at % 6 == 0 and figure == 0 else figure for at, figure in enumerate(errors)
    ]
    cases: tuple[list[float | None], ...] = (errors, now_and_then)
    for figures in cases:
        (run,) = [run for run in judge(figures, DAYS, USUAL).runs if run.actual > 100]
        assert (run.start, run.end) == (30, 31)


def test_few_known_buckets_are_compared_with_any_time_of_the_day_then_with_all() -> None:
    hourly = series(HOURS, 9, noise=poisson, mean=100)
    for hour in (15 * 24 + 12, 4 * WEEK + 12):
        hourly[hour] = 5000.0
    first, second = judge(hourly, HOURS, USUAL).runs
    assert (first.season, second.season) == (Season.DAY, Season.WEEK)
    rare = [figure if at % 11 == 0 else None for at, figure in enumerate(hourly[: 3 * WEEK])]
    rare[2 * WEEK + 30 - (2 * WEEK + 30) % 11] = 90_000.0
    (run,) = judge(rare, seasons(3), USUAL).runs
    assert run.season in (Season.DAY, Season.OVERALL)


def test_averages_are_weighed_by_their_requests() -> None:
    chance = random.Random(1)
    latencies: list[float | None] = [chance.gauss(800, 40) for _ in DAYS.starts]
    latencies[50:52] = [3000.0, 2000.0]
    requests = [100.0] * len(latencies)
    requests[51] = 300.0
    (run,) = judge(latencies, DAYS, USUAL, requests).runs
    assert (run.start, run.end) == (50, 52)
    assert run.actual == pytest.approx((3000 * 100 + 2000 * 300) / 400)
    assert run.expected == pytest.approx(800, rel=0.1)


@given(
    zone=st.sampled_from(ZONES),
    bucket=st.sampled_from(sorted(BUCKETS)),
    offset=st.integers(0, 300),
    hours=st.integers(1, 1500),
)
def test_buckets_follow_each_other_and_are_compared_with_their_like_before_them(
    zone: str, bucket: str, offset: int, hours: int
) -> None:
    where = ZoneInfo(zone)
    start = midnight((datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=offset)).date(), where)
    found = seasons_of(start, start + timedelta(hours=hours, minutes=7), bucket, where)
    assert found.starts[0] == start
    assert all(found.starts[at] < found.end_of(at) for at in range(len(found.starts)))
    for at, alike in enumerate(found.weekly):
        local = found.starts[at].astimezone(where)
        assert all(earlier < at for earlier in (*alike, *found.daily[at]))
        assert {found.starts[earlier].astimezone(where).weekday() for earlier in alike} <= {local.weekday()}
        if bucket == "hour":
            assert {found.starts[earlier].astimezone(where).hour for earlier in (*alike, *found.daily[at])} <= {
                local.hour
            }


amounts = st.decimals(0, 10**6, places=12)
shares = st.dictionaries(st.sampled_from("abcdefgh"), amounts, max_size=8)


@given(actual=shares, earlier=shares, expected=amounts, limit=st.integers(0, 8))
def test_drivers_add_up_to_the_excess_to_the_last_digit_in_whatever_order(
    actual: dict[str, Decimal], earlier: dict[str, Decimal], expected: Decimal, limit: int
) -> None:
    total = sum(earlier.values(), Decimal(0))
    excess = sum(actual.values(), Decimal(0)) - expected
    split_up = partial(split_excess, excess=excess, expected=expected, earlier_total=total, limit=limit)
    split = split_up(actual, earlier)
    assert sum((part.excess for part in split.parts), split.rest) == excess
    assert all(part.excess == part.actual - part.expected for part in split.parts)
    assert all(part.excess < 0 if excess < 0 else part.excess > 0 for part in split.parts)
    backwards = [dict(reversed(each.items())) for each in (actual, earlier)]
    assert msgspec.to_builtins(split_up(*backwards)) == msgspec.to_builtins(split)
    if limit == 8 and total:
        opposite = max if excess < 0 else min
        other_way = [
            opposite(actual.get(value, Decimal(0)) - earlier.get(value, Decimal(0)) * expected / total, Decimal(0))
            for value in {**actual, **earlier}
        ]
        assert abs(split.rest - sum(other_way)) < Decimal("1e-6")


def test_the_seasons_of_weeks_in_which_clocks_are_set_have_every_hour_once() -> None:
    assert len(HOURS.starts) == 9 * WEEK
    local = [start.astimezone(ZoneInfo(BERLIN)) for start in HOURS.starts]
    assert local[0].weekday() == 0
    assert {at.utcoffset() for at in local} == {timedelta(hours=1), timedelta(hours=2)}
