"""Figures by hour, as the warehouse returns them, into what is unusual in each group."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import isnan
from typing import Any

import msgspec

from schemas.api.anomalies import NotJudgedReason
from services.domain.reports.anomalies.grain import Series, by_day, days_of, known_figures
from services.domain.reports.anomalies.judge import Judgement, Run, RunState, judge
from services.domain.reports.anomalies.seasons import Seasons
from services.query.reports.anomalies.plan import Plan, size_of
from services.sql.measures import ADDED_UP, Measure


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly, as the series of its group tells it."""

    place: int
    key: tuple[str, ...]
    measure: Measure
    run: Run
    bucket: str
    since: datetime
    until: datetime
    excess: float  # negative of a fall

    @property
    def is_fall(self) -> bool:
        return self.excess < 0

    @property
    def is_ongoing(self) -> bool:
        return self.run.state is RunState.ONGOING


class LookedAt(msgspec.Struct, frozen=True, kw_only=True):
    """A group that is large enough: its anomalies, or why it could not be judged."""

    place: int
    key: tuple[str, ...]
    candidates: Sequence[Candidate]
    reason: NotJudgedReason | None
    first_request_at: datetime
    size: float


def looked_at(plan: Plan, rows: Sequence[Mapping[str, Any]], complete_until: datetime | None) -> list[LookedAt]:
    """`rows` are those of `compile_series`. It takes milliseconds a group: not on the loop.

    Behind `complete_until` events may still wait to be counted: nothing there is a fall.
    """
    search = _Search(plan, complete_until)
    return [search.group(row) for row in rows]


class _Search:
    def __init__(self, plan: Plan, complete_until: datetime | None) -> None:
        self._plan = plan
        self._positions = {int(start.timestamp()): at for at, start in enumerate(plan.hours.starts)}
        self._days, self._day_of = days_of(plan.hours, plan.question.zone)
        self._counted = {each.per_day: each.counted(complete_until) for each in (plan.hours, self._days)}
        self._since = next(
            (at for at in range(len(plan.hours.starts)) if plan.hours.end_of(at) > plan.watch.period.start), 0
        )

    def group(self, row: Mapping[str, Any]) -> LookedAt:
        hours = [self._positions[hour] for hour in row["hours"]]
        requests = [0] * len(self._positions)
        for at, count in zip(hours, row["requests"], strict=True):
            requests[at] = count
        key = tuple(row["key"])
        candidates: list[Candidate] = []
        judgements: list[tuple[Judgement, Seasons]] = []
        sizes: list[float] = []
        for number, measure in enumerate(self._plan.watch.measures):
            series = _series(measure, hours, row[f"s{number}"], requests)
            sizes.append(self._size(series))
            is_small = sizes[-1] < size_of(measure, self._plan.minimum)
            wanted = [each for each in self._plan.sensitivities(measure) if each.falls or not is_small]
            if not wanted:
                continue
            seasons, series = self._grained(series)
            figures, weights = known_figures(series, seasons.per_day), series.requests if series.is_average else ()
            for sensitivity in wanted:
                over = self._counted[seasons.per_day] if sensitivity.falls else seasons
                judgement = judge(figures, over, sensitivity, weights)
                judgements.append((judgement, seasons))
                candidates += self._candidates(row["place"], key, measure, judgement, series, seasons)
        return LookedAt(
            place=row["place"],
            key=key,
            candidates=candidates,
            reason=None if any(judgement.judged for judgement, _ in judgements) else self._reason(judgements),
            first_request_at=self._plan.hours.starts[min(hours)],
            size=sizes[0],
        )

    def _size(self, series: Series) -> float:
        """Within the period."""
        if series.is_average:
            return sum(series.requests[self._since :])
        return sum(figure for figure in series.figures[self._since :] if figure is not None)

    def _grained(self, series: Series) -> tuple[Seasons, Series]:
        bucket = self._plan.bucket
        if bucket == "hour" or (bucket == "auto" and series.is_dense):
            return self._plan.hours, series
        return self._days, by_day(series, self._day_of)

    def _candidates(
        self, place: int, key: tuple[str, ...], measure: Measure, found: Judgement, series: Series, seasons: Seasons
    ) -> Iterator[Candidate]:
        for run in found.runs:
            until, is_fall = seasons.end_of(run.end - 1), run.actual < run.expected
            few = series.is_average and sum(series.requests[run.start : run.end]) < self._plan.minimum.requests
            if until > self._plan.watch.period.start and not few:
                yield Candidate(
                    place=place,
                    key=key,
                    measure=measure,
                    run=run,
                    bucket="day" if seasons.per_day == 1 else "hour",
                    since=seasons.starts[run.start],
                    until=seasons.end if run.state is RunState.ONGOING and not is_fall else until,
                    excess=run.actual - run.expected,
                )

    def _reason(self, judgements: Sequence[tuple[Judgement, Seasons]]) -> NotJudgedReason:
        if not judgements:
            return NotJudgedReason.TOO_SMALL
        history = self._plan.minimum.history_days
        is_old = any(
            found.began is not None and found.began + history * seasons.per_day < len(seasons.starts)
            for found, seasons in judgements
        )
        return NotJudgedReason.TOO_SPARSE if is_old else NotJudgedReason.TOO_YOUNG


def _series(measure: Measure, hours: Sequence[int], figures: Sequence[float], requests: Sequence[int]) -> Series:
    """Sums are zero where there are no requests, from the first one of the group on; averages have no value there."""
    is_average = measure.name not in ADDED_UP
    by_hour: list[float | None] = [None] * len(requests)
    if not is_average:
        by_hour[min(hours) :] = [0.0] * (len(requests) - min(hours))
    for at, figure in zip(hours, figures, strict=True):
        by_hour[at] = None if isnan(figure) else figure
    return Series(figures=by_hour, requests=requests, is_average=is_average)
