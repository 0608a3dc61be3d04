"""A series of figures into runs of unusual buckets: when they began, whether they go on, what was expected instead."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from services.domain.reports.anomalies.baseline import Baseline
from services.domain.reports.anomalies.seasons import Season, Seasons

MAX_SCORE: Final = 100.0
NEW_NORMAL_DAYS: Final = 7  # after which a level is no anomaly any more
GAP_DAYS: Final = 3  # between unusual buckets, after which they are runs of their own
_ALIKE: Final = 20  # times what was before, up to which its seasons say something of a new level
USUAL_RANGE: Final = 2.807  # of spreads to either side of what is expected, in which 199 of 200 buckets lie


class RunState(StrEnum):
    ONGOING = "ongoing"  # when the series ends
    ENDED = "ended"
    NEW_NORMAL = "new_normal"  # it lasted so long that it is expected now


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """How unusual a run must be."""

    falls: bool = False  # and not rises
    score: float = 5.0  # spreads above what is expected, or below it, of one bucket
    ratio: float = 1.5  # of what is expected; of a fall what is expected of the figure
    excess: float = 0.0  # of the whole run
    history_days: int = 14  # since the series began

    def ordered(self, figure: float, expected: float) -> tuple[float, float]:
        """The one that is the larger where something is unusual, and the other."""
        return (expected, figure) if self.falls else (figure, expected)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Buckets from `start` on, before `end`: sums, or of a series with weights the averages by weight."""

    start: int
    end: int
    state: RunState
    actual: float
    expected: float
    low: float  # the range in which it usually lies
    high: float
    score: float  # of the most unusual bucket
    season: Season  # by which the first bucket was judged


class Judgement(msgspec.Struct, frozen=True):
    runs: Sequence[Run] = ()
    judged: int = 0  # buckets
    began: int | None = None  # the first bucket with a figure


class _Bucket(msgspec.Struct, frozen=True):
    position: int
    figure: float
    expected: float
    width: float  # of its usual range, to either side
    weight: float
    score: float


def judge(
    figures: Sequence[float | None], seasons: Seasons, sensitivity: Sensitivity, weights: Sequence[float] = ()
) -> Judgement:
    """What is unusually high, or low. `figures` are None where nothing is known, as before a group's first request.

    The buckets of a run count as what was expected instead, so that it hides nothing behind it; one that has lasted
    `NEW_NORMAL_DAYS` becomes what is expected, and what was before is taken times its ratio, or forgotten where it was
    next to nothing. With `weights` the figures are averages, else they add up. A bucket that is not over is no fall.
    """
    began = next((position for position, figure in enumerate(figures) if figure is not None), None)
    if began is None:
        return Judgement()
    walk = _Walk(figures, seasons, sensitivity, weights)
    since = began + sensitivity.history_days * seasons.per_day
    found = [run for run in walk.runs() if run.start >= since and _is_large(run, sensitivity)]
    return Judgement(found, sum(position >= since for position in walk.judged), began)


def _is_large(run: Run, sensitivity: Sensitivity) -> bool:
    high, low = sensitivity.ordered(run.actual, run.expected)
    return high - low >= sensitivity.excess and high > low and high >= sensitivity.ratio * low


class _Walk:
    """From the first bucket to the last. One run is open at most."""

    def __init__(
        self, figures: Sequence[float | None], seasons: Seasons, sensitivity: Sensitivity, weights: Sequence[float]
    ) -> None:
        self._figures = figures
        self._weights = weights
        self._sensitivity = sensitivity
        self._halfway = (1 + sensitivity.ratio) / 2
        self._baseline = Baseline(seasons, figures)
        self._day = seasons.per_day
        self._over = seasons.over
        self._last = len(figures) - 1
        self._open: _OpenRun | None = None
        self.judged: list[int] = []

    def runs(self) -> Iterator[Run]:
        baseline, least = self._baseline, self._sensitivity.score
        for position, figure in enumerate(self._figures):
            expectation = baseline.expected(position) if figure is not None else None
            if figure is None or expectation is None or self._is_unfinished_fall(position):
                baseline.observe(None, None)
                continue
            score = self._score(position, figure, expectation[0])
            is_far = self._is_beyond(figure, expectation[0], self._sensitivity.ratio)
            if self._open is None and not (score >= least and is_far):
                baseline.observe(figure, expectation)
                continue
            if self._open is None:
                self._open = _OpenRun(expectation[1])
            if (run := self._continued(self._open, self._bucket(position, figure, expectation[0], score))) is not None:
                yield run
        if self._open is not None:
            behind = self._last - self._open.last
            allowed = self._day // 8 + len(self._figures) - self._over
            yield self._closed(self._open, RunState.ONGOING if behind <= allowed else RunState.ENDED)

    def _is_unfinished_fall(self, position: int) -> bool:
        return self._sensitivity.falls and position >= self._over

    def _is_beyond(self, figure: float, expected: float, ratio: float) -> bool:
        high, low = self._sensitivity.ordered(figure, expected)
        return high >= ratio * low

    def _score(self, position: int, figure: float, expected: float) -> float:
        """Usual deviations above what is expected, or below it; 0 on the other side, and while too little is known."""
        spread = self._baseline.spread
        if spread is None:
            return 0.0
        self.judged.append(position)
        high, low = self._sensitivity.ordered(figure, expected)
        if high <= low:
            return 0.0
        width = spread * self._baseline.unit(expected)
        return min((high - low) / width, MAX_SCORE) if width else MAX_SCORE

    def _bucket(self, position: int, figure: float, expected: float, score: float) -> _Bucket:
        width = USUAL_RANGE * (self._baseline.spread or 0.0) * self._baseline.unit(expected)
        return _Bucket(position, figure, expected, width, self._weights[position] if self._weights else 1.0, score)

    def _continues(self, bucket: _Bucket) -> bool:
        """By less than what it takes to begin a run: noise does not end one."""
        return bucket.score >= self._sensitivity.score / 2 and self._is_beyond(
            bucket.figure, bucket.expected, self._halfway
        )

    def _continued(self, run: "_OpenRun", bucket: _Bucket) -> Run | None:
        """The run, once it is closed."""
        run.add(bucket, is_unusual=self._continues(bucket))
        self._baseline.replace(bucket.position, bucket.expected)
        self._baseline.observe(None, None)
        if run.last - run.start + 1 >= NEW_NORMAL_DAYS * self._day:
            self._accept(run, bucket.position + 1)
            return self._closed(run, RunState.NEW_NORMAL)
        if bucket.position >= self._over:
            return None  # what is not over ends nothing
        enough = max(1, self._day // 6) * self._baseline.average
        is_far = self._is_beyond(run.figures_since, run.expected_since, self._halfway)
        is_usual = run.expected_since >= enough and not is_far
        if bucket.position > run.last and (is_usual or bucket.position - run.last >= GAP_DAYS * self._day):
            for after in run.behind():
                self._baseline.replace(after.position, after.figure)
            return self._closed(run, RunState.ENDED)
        return None

    def _closed(self, run: "_OpenRun", state: RunState) -> Run:
        self._open = None
        return run.closed(state, bool(self._weights))

    def _accept(self, run: "_OpenRun", end: int) -> None:
        """What the run holds is normal."""
        for bucket in run.buckets:
            self._baseline.replace(bucket.position, bucket.figure)
        total = run.closed(RunState.NEW_NORMAL, bool(self._weights))
        is_alike = max(total.actual, total.expected) <= _ALIKE * min(total.actual, total.expected)
        self._baseline.rescale(run.start, end, total.actual / total.expected if is_alike else None)


class _OpenRun:
    def __init__(self, season: Season) -> None:
        self.buckets: list[_Bucket] = []
        self.last = -1  # the last unusual bucket
        self.expected_since = self.figures_since = 0.0
        self._season = season

    @property
    def start(self) -> int:
        return self.buckets[0].position

    def add(self, bucket: _Bucket, *, is_unusual: bool) -> None:
        self.buckets.append(bucket)
        if is_unusual:
            self.last, self.expected_since, self.figures_since = bucket.position, 0.0, 0.0
        else:
            self.expected_since += bucket.expected
            self.figures_since += bucket.figure

    def behind(self) -> Iterator[_Bucket]:
        """What came after the last unusual bucket."""
        return (bucket for bucket in self.buckets if bucket.position > self.last)

    def closed(self, state: RunState, is_average: bool) -> Run:
        within = [bucket for bucket in self.buckets if bucket.position <= self.last]
        total = sum(bucket.weight for bucket in within) if is_average else 1.0
        actual, expected, width = (
            sum(bucket.weight * getattr(bucket, name) for bucket in within) / total
            for name in ("figure", "expected", "width")
        )
        return Run(
            start=self.start,
            end=self.last + 1,
            state=state,
            actual=actual,
            expected=expected,
            low=max(0.0, expected - width),
            high=expected + width,
            score=max(bucket.score for bucket in within),
            season=self._season,
        )
