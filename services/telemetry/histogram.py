"""Durations counted by upper bound in seconds, for Prometheus."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

BOUNDS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
SHORT_BOUNDS_S: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0)


class Histogram:
    """The library's own takes a lock for each duration, which is too slow for each request."""

    __slots__ = ("_bounds_s", "_counts", "_sum_s")

    def __init__(self, bounds_s: Sequence[float] = BOUNDS_S) -> None:
        self._bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)  # by bound, and above them all
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds_s, seconds)] += 1
        self._sum_s += seconds

    def add_all(self, began_s: Sequence[float], ended_s: float) -> None:
        """What began at these times, in ascending order, ended at once. One search for each bound, not for each."""
        count = len(began_s)
        # Threads share a histogram, and a call within an addition lets another one add between: computed first.
        within = [0, *(count - bisect_left(began_s, ended_s - bound_s) for bound_s in self._bounds_s), count]
        seconds = count * ended_s - sum(began_s)
        for place, (below, most) in enumerate(pairwise(within)):
            self._counts[place] += most - below
        self._sum_s += seconds

    @property
    def count(self) -> int:
        return sum(self._counts)

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """As Prometheus is shown it: how many were within each bound, and the sum of all in seconds."""
        names = [*map(str, self._bounds_s), "+Inf"]
        within = accumulate(self._counts)
        return [(name, float(count)) for name, count in zip(names, within, strict=True)], self._sum_s
