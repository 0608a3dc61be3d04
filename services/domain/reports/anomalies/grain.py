"""Hours or days: what a group is judged by, since hours with a few requests each are noise."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import tzinfo
from itertools import pairwise
from typing import Final

import msgspec

from services.domain.reports.anomalies.seasons import Seasons, seasons_of

SILENCE_DAYS: Final = 7  # without requests, which are no zeros: nothing was expected either
LEAST_REQUESTS: Final = 5  # of an hour or day, without which its average says nothing
DENSE: Final = 60  # requests an hour on average, from which hours are judged


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one group by bucket, None where nothing is known; and the requests of each."""

    figures: Sequence[float | None]
    requests: Sequence[int]
    is_average: bool = False  # it does not add up

    @property
    def is_dense(self) -> bool:
        """Since its first request."""
        began = next((position for position, count in enumerate(self.requests) if count), len(self.requests))
        return sum(self.requests) >= DENSE * max(1, len(self.requests) - began)


def days_of(hours: Seasons, zone: tzinfo) -> tuple[Seasons, Sequence[int]]:
    """The days of the same time, and for each hour the position of its day."""
    days = seasons_of(hours.starts[0], hours.end, "day", zone)
    positions: list[int] = []
    day = 0
    for start in hours.starts:
        while day + 1 < len(days.starts) and days.starts[day + 1] <= start:
            day += 1
        positions.append(day)
    return days, positions


def by_day(series: Series, days: Sequence[int]) -> Series:
    """Sums of hours, or averages by their requests; `days` are the ascending positions of the days of hours."""
    bounds = [bisect_left(days, day) for day in range(days[-1] + 2)]
    of_days = [slice(start, end) for start, end in pairwise(bounds)]
    return Series(
        figures=[_of_day(series.figures[day], series.requests[day], series.is_average) for day in of_days],
        requests=[sum(series.requests[day]) for day in of_days],
        is_average=series.is_average,
    )


def _of_day(figures: Sequence[float | None], requests: Sequence[int], is_average: bool) -> float | None:
    if is_average:
        weighed = [(figure, count) for figure, count in zip(figures, requests, strict=True) if figure is not None]
        weight = sum(count for _, count in weighed)
        return sum(figure * count for figure, count in weighed) / weight if weight else None
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def known_figures(series: Series, per_day: int) -> list[float | None]:
    """None in silences, which are no zeros, and for averages of a few requests."""
    least = LEAST_REQUESTS if series.is_average else 0
    figures = zip(series.figures, series.requests, strict=True)
    kept = [figure if count >= least else None for figure, count in figures]
    since = 0
    for position, count in enumerate((*series.requests, 1)):
        if count:
            if position - since >= SILENCE_DAYS * per_day:
                kept[since:position] = [None] * (position - since)
            since = position + 1
    return kept
