"""What a bucket is expected to hold, by earlier ones of the same season, and how far these usually are from it."""

from collections.abc import Sequence
from itertools import chain
from math import sqrt
from statistics import NormalDist
from typing import Final

from services.domain.reports.anomalies.seasons import Season, Seasons

_ALIKE: Final = 3  # buckets of a season that are needed, and the latest of them that are taken: four
_TAKEN: Final = 4
_KNOWN: Final = 10  # deviations or buckets without which nothing is said
_LEAST: Final = 0.1  # of the average, beneath which a share of an expectation says nothing
_LEAST_SPREAD: Final = 0.05
_FAR: Final = 10.0  # from nothing at all, by which nothing can be divided
_NORMAL: Final = NormalDist()
_WEEKS: Final = 5  # that average and spread are of
_OF_MEDIAN: Final = 1.4826  # medians of its deviations are a standard deviation of a normal distribution
_RARE: Final = 0.995


class Baseline:
    """Of one series: what each bucket would hold without anomalies, None where that is unknown.

    How far a bucket may be from what is expected grows with the expectation above the average, and with its root
    below: so small hours, which are noisier, are judged by a wider measure.
    """

    def __init__(self, seasons: Seasons, figures: Sequence[float | None]) -> None:
        self._seasons = seasons
        self._week = 7 * seasons.per_day
        self._normal = list(figures)
        self._observed = 0
        self._deviations: dict[Season, list[float]] = {season: [] for season in Season}
        self._overall: float | None = None
        self.average = 0.0
        self.spread: float | None = None  # None while too little is known

    def expected(self, position: int) -> tuple[float, Season] | None:
        """By the buckets before `position`; None where too little is known."""
        normal, seasons = self._normal, self._seasons
        known = [figure for at in seasons.weekly[position] if (figure := normal[at]) is not None]
        if len(known) >= _ALIKE:
            return _median(known[-_TAKEN:]), Season.WEEK
        known = [figure for at in seasons.daily[position] if (figure := normal[at]) is not None]
        if len(known) >= _ALIKE:
            return _median(known), Season.DAY
        return None if self._overall is None else (self._overall, Season.OVERALL)

    def unit(self, expected: float) -> float:
        """In what a deviation from `expected` is counted; 0 where nothing ever was."""
        average = self.average or expected
        return max(expected, sqrt(expected * average), _LEAST * average)

    def observe(self, figure: float | None, expectation: tuple[float, Season] | None) -> None:
        """The next bucket, if it is a normal one. Once a week average and spread are computed again."""
        if figure is not None and expectation is not None:
            expected, season = expectation
            unit = self.unit(expected)
            deviation = abs(figure - expected) / unit if unit else 0.0 if figure == expected else _FAR
            self._deviations[season].append(deviation)
        self._observed += 1
        if self._observed % self._week == 0:
            self._refresh(self._observed)

    def replace(self, position: int, figure: float | None) -> None:
        self._normal[position] = figure

    def rescale(self, start: int, end: int, factor: float | None) -> None:
        """A new level lasts from `start` to `end`: what is before is taken times `factor`, or without one forgotten."""
        before = self._normal[:start]
        self._normal[:start] = [None if figure is None or factor is None else figure * factor for figure in before]
        self._refresh(end)

    def _refresh(self, end: int) -> None:
        known = [figure for figure in self._normal[max(0, end - _WEEKS * self._week) : end] if figure is not None]
        if len(known) >= _KNOWN:
            self._overall, self.average = _median(known), sum(known) / len(known)
        # A wider season fits worse: once there are enough of the closest one, others say nothing.
        closest = self._deviations[Season.WEEK]
        deviations = closest if len(closest) >= _KNOWN else list(chain(*self._deviations.values()))
        if len(deviations) >= _KNOWN:
            self.spread = spread_of(deviations[-_WEEKS * self._week :])


def spread_of(deviations: Sequence[float]) -> float:
    """As a standard deviation: by their median, or where outliers are frequent by what one in 200 exceeds.

    The largest one counts for nothing: it may be an anomaly from before anything could be judged.
    """
    ascending = sorted(deviations)
    rank = max(0, min(len(ascending) - 2, int(len(ascending) * _RARE)))
    of_rare = _NORMAL.inv_cdf((1 + (rank + 0.5) / len(ascending)) / 2)
    return max(_OF_MEDIAN * _median(ascending), ascending[rank] / of_rare, _LEAST_SPREAD)


def _median(figures: Sequence[float]) -> float:
    ascending = sorted(figures)
    middle = len(ascending) // 2
    return ascending[middle] if len(ascending) % 2 else (ascending[middle - 1] + ascending[middle]) / 2
