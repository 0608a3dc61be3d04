"""What was seen of an alert's groups in past windows, put together from buckets of time that are read once."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Final

import msgspec

from schemas.alert import Condition
from services.alerting.figures import OF_VALUE, Question, Row, divided, exact
from services.alerting.observe import forecast_observation
from services.domain.alerts.machine import Observation
from services.domain.alerts.notices import group_key
from services.domain.alerts.turn import ONLY_GROUP
from services.domain.alerts.windows import Window, window_at
from services.domain.reports.calendar import instant_of
from services.sql.alert_measures import Fold
from services.sql.score_measures import is_zero_of_nothing


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one group in one bucket of time."""

    start: datetime
    row: Row
    figure: Decimal | None
    divisor: Decimal | None
    requests: int


def buckets_of(question: Question, rows: Sequence[Row], zone: tzinfo) -> dict[str, list[Bucket]]:
    """By group, in order of time. The last part of each row's group is its bucket."""
    measures = question.measures
    found: dict[str, list[Bucket]] = {}
    for row in rows:
        start = row.by[-1]
        assert isinstance(start, date)
        key = group_key(row.by[:-1]) if question.by else ONLY_GROUP
        bucket = Bucket(
            start=instant_of(start, zone),
            row=row,
            figure=exact(row.figures[measures.figure.name]),
            divisor=None if measures.divisor is None else exact(row.figures[measures.divisor.name]),
            requests=int(row.figures["requests"]),
        )
        found.setdefault(key, []).append(bucket)
    return {key: sorted(buckets, key=lambda one: one.start) for key, buckets in found.items()}


class PastWindows:
    """Observations at any time of what was read."""

    def __init__(self, question: Question, buckets: Mapping[str, Sequence[Bucket]]) -> None:
        self._question = question
        self._series = [(key, list(found), [one.start for one in found]) for key, found in buckets.items()]
        self._sums = {key: _Sums(found) for key, found in buckets.items()}
        extreme = _EXTREMES.get(question.measures.fold)
        self._extremes = {} if extreme is None else {key: _Extremes(found, extreme) for key, found in buckets.items()}

    def seen_at(self, at: datetime) -> dict[str, Observation]:
        """Of each group with requests in the window that ends at `at`; of an alert without groups always one."""
        window = window_at(self._question.rule.window, at)
        seen: dict[str, Observation] = {} if self._question.by else {ONLY_GROUP: self._nothing()}
        for key, buckets, starts in self._series:
            first, last = bisect_left(starts, window.start), bisect_left(starts, at)
            if first < last:
                seen[key] = self._observation(key, buckets, first, last, window)
        return seen

    def _nothing(self) -> Observation:
        measures, metric = self._question.measures, self._question.rule.metric
        is_known = is_zero_of_nothing(measures.figure.name) and measures.divisor is None and metric not in OF_VALUE
        return Observation(value=Decimal(0) if is_known else None, requests=0)

    def _observation(self, key: str, buckets: Sequence[Bucket], first: int, last: int, window: Window) -> Observation:
        question = self._question
        if question.rule.condition is Condition.FORECAST:
            return forecast_observation(question, window, {one.start: one.row for one in buckets[first:last]})
        figure, divisor, requests = self._sums[key].between(first, last)
        if key in self._extremes:
            figure = self._extremes[key].between(first, last)
        has_divisor = question.measures.divisor is not None
        return Observation(value=divided(figure, divisor, has_divisor=has_divisor), requests=requests)


class _Extremes:
    """Of each run of 1, 2, 4, 8 … buckets, so that a window is the further of two runs, however many buckets it has."""

    def __init__(self, buckets: Sequence[Bucket], extreme: Callable[[Iterable[Decimal]], Decimal]) -> None:
        self._extreme = extreme
        self._runs: list[list[Decimal | None]] = [[one.figure for one in buckets]]
        while (length := 2 ** len(self._runs)) <= len(buckets):
            halves = self._runs[-1]
            self._runs.append(list(map(self._further, halves, halves[length // 2 :])))

    def between(self, first: int, last: int) -> Decimal | None:
        """Of the buckets from `first` on, before `last`, of which there is one; None where none is known."""
        level = (last - first).bit_length() - 1
        return self._further(self._runs[level][first], self._runs[level][last - 2**level])

    def _further(self, *figures: Decimal | None) -> Decimal | None:
        known = [one for one in figures if one is not None]
        return self._extreme(known) if known else None


_EXTREMES: Final[Mapping[Fold, Callable[[Iterable[Decimal]], Decimal]]] = {Fold.MIN: min, Fold.MAX: max}


class _Sums:
    """Running sums, so that a window is one subtraction however many buckets it has."""

    def __init__(self, buckets: Sequence[Bucket]) -> None:
        self._figures, self._known, self._divisors, self._requests = [Decimal(0)], [0], [Decimal(0)], [0]
        for one in buckets:
            self._figures.append(self._figures[-1] + (one.figure or 0))
            self._known.append(self._known[-1] + (one.figure is not None))
            self._divisors.append(self._divisors[-1] + (one.divisor or 0))
            self._requests.append(self._requests[-1] + one.requests)

    def between(self, first: int, last: int) -> tuple[Decimal | None, Decimal, int]:
        """Figure, divisor and requests of the buckets from `first` on, before `last`; None where none is known."""
        known = self._known[last] - self._known[first]
        figure = self._figures[last] - self._figures[first] if known else None
        return figure, self._divisors[last] - self._divisors[first], self._requests[last] - self._requests[first]
