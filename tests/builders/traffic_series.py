"""Made-up series of hours or days: seasons, noise, and what is unusual in them."""

import math
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.domain.reports.anomalies.grain import Series, by_day, days_of
from services.domain.reports.anomalies.judge import Sensitivity, judge
from services.domain.reports.anomalies.seasons import Seasons, seasons_of

BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 2, 1, 23, tzinfo=UTC)  # in Berlin; eight weeks on, clocks are set

RISES = Sensitivity()
Noise = Callable[[random.Random, float], float]


@lru_cache
def seasons(weeks: int, bucket: str = "hour", zone: str = BERLIN, start: datetime = MONDAY) -> Seasons:
    return seasons_of(start, start + timedelta(weeks=weeks), bucket, ZoneInfo(zone))


def shape(at: datetime) -> float:
    """A business: busy by day, a third of it at weekends, little at night. On average about 1."""
    day = 0.2 + 1.8 * math.exp(-(((at.hour - 14) / 4) ** 2))
    return 1.6 * day * (0.3 if at.weekday() >= 5 else 1.0)


def poisson(chance: random.Random, mean: float) -> float:
    """Requests, one by one."""
    if mean > 50:
        return max(0.0, round(chance.gauss(mean, math.sqrt(mean))))
    count, product, limit = 0, chance.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * chance.random()
    return float(count)


def dollars(chance: random.Random, mean: float) -> float:
    """Requests of which each costs something else, by a factor of three to either side."""
    return sum(chance.lognormvariate(-0.6, 1.1) for _ in range(int(poisson(chance, mean))))


def lognormal(chance: random.Random, mean: float) -> float:
    return mean * chance.lognormvariate(-0.045, 0.3)


NOISES: dict[str, Noise] = {"requests": poisson, "dollars": dollars, "lognormal": lognormal}


def series(seasons: Seasons, seed: int, *, noise: Noise, mean: float, weekly_growth: float = 0.0) -> list[float | None]:
    chance = random.Random(seed)
    zone = ZoneInfo(BERLIN)
    return [
        noise(chance, mean * shape(at.astimezone(zone)) * (1 + weekly_growth) ** ((at - MONDAY) / timedelta(weeks=1)))
        for at in seasons.starts
    ]


def false_runs(
    seeds: Iterable[int], *, noise: Noise, mean: float, bucket: str, of: Sensitivity = RISES
) -> tuple[int, int]:
    """In how many weeks of series with nothing unusual how many runs are found. `mean` is one of hours."""
    hours = seasons(9)
    days, day_of = days_of(hours, ZoneInfo(BERLIN))
    runs = weeks = 0
    for seed in seeds:
        hourly = series(hours, seed, noise=noise, mean=mean)
        daily = by_day(Series(figures=hourly, requests=[1] * len(hourly)), day_of).figures
        found = judge(hourly, hours, of) if bucket == "hour" else judge(daily, days, of)
        runs, weeks = runs + len(found.runs), weeks + 7  # the first two are never judged
    return runs, weeks
