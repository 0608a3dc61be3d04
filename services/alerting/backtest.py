"""Tries a rule on the past: when it would have fired, and which notices it would have sent."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise, takewhile
from statistics import median_high
from typing import Final

import msgspec

from schemas.alert import AlertRule, CalendarUnit, Condition
from schemas.errors import InvalidRequest
from services.alerting.figures import Question, is_of, run
from services.alerting.observe import observe
from services.alerting.past import PastWindows, buckets_of
from services.alerting.unusual import UnusualRun, unusual_runs
from services.domain.alerts.backtest import PastEvent, past_events
from services.domain.alerts.forecast import PACES
from services.domain.alerts.machine import Observation
from services.domain.alerts.turn import ONLY_GROUP
from services.domain.alerts.windows import Window, whole_minute, window_at, zone_of_window
from services.domain.reports.calendar import MINUTES, bucket_starts, instant_of
from services.ports.warehouse import QueryableWarehouse
from services.sql.alert_measures import Fold
from services.sql.nodes import And, ByTime, Filter, Or

MAX_DAYS: Final = 92
MAX_GROUPS: Final = 20  # the furthest ones
MAX_READ: Final = 30  # windows of which each has to be read on its own, as those of percentiles have
_MAX_ROWS: Final = 200_000
_MAX_LOOKS: Final = 2_000_000  # at one group each, of about 20 microseconds
# A forecast looks at each part of its window so far: on average at half of them.
_PARTS: Final = {
    CalendarUnit.HOUR: 6,
    CalendarUnit.DAY: 12,
    CalendarUnit.WEEK: 84,
    CalendarUnit.MONTH: 15,
    CalendarUnit.QUARTER: 46,
}

SeenAt = Callable[[datetime], Mapping[str, Observation]]
Folded = tuple[Sequence[PastEvent], Sequence[tuple[datetime, Decimal | None]]]

_OF_CALENDAR: Final = {
    CalendarUnit.HOUR: "minute",
    CalendarUnit.DAY: "15_minutes",
    CalendarUnit.WEEK: "hour",
    CalendarUnit.MONTH: "hour",
    CalendarUnit.QUARTER: "hour",
}


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """Which notices a rule would have sent in a period."""

    start: datetime
    end: datetime
    step_s: int  # between evaluations; in truth there is one each minute
    groups: int  # that were looked at
    is_truncated: bool  # there are more groups
    events: Sequence[PastEvent]
    values: Sequence[tuple[datetime, Decimal | None]]  # of an alert without groups


async def backtest(question: Question, start: datetime, end: datetime, warehouse: QueryableWarehouse) -> Backtest:
    """Raises: InvalidRequest, StoreUnavailable."""
    start, end = whole_minute(start), whole_minute(end)
    question = _of_whole_minutes(question)
    if end - start > timedelta(days=MAX_DAYS):
        raise InvalidRequest(f"since: a rule is tried on at most {MAX_DAYS} days")
    narrowed, is_truncated = await _narrowed(question, start, end, warehouse)
    points, seen_at, groups = await _past(narrowed, start, end, warehouse)
    events, values = await folded(question.rule, points, seen_at)
    return Backtest(
        start=start,
        end=end,
        step_s=step_between(points, end - start),
        groups=groups,
        is_truncated=is_truncated,
        events=events,
        values=values,
    )


def step_between(points: Sequence[datetime], period: timedelta) -> int:
    """Between most of `points`: the last one is the end of the period, wherever that is."""
    steps = [later - earlier for earlier, later in pairwise(points)]
    return int(median_high(steps[:-1] or steps or [period]).total_seconds())


def _of_whole_minutes(question: Question) -> Question:
    """The parts that windows are made of are no shorter."""
    rule = question.rule
    if rule.window.rolling_s is None or rule.window.rolling_s % 60 == 0:
        return question
    window = msgspec.structs.replace(rule.window, rolling_s=rule.window.rolling_s // 60 * 60 + 60)
    return msgspec.structs.replace(question, rule=msgspec.structs.replace(rule, window=window))


async def folded(rule: AlertRule, points: Sequence[datetime], seen_at: SeenAt) -> Folded:
    """The notices at `points`, and values at some of them. Cancelled, it ends when its thread has."""
    # Apart from the loop: tens of thousands of windows take seconds.
    is_cancelled = threading.Event()
    folding = asyncio.ensure_future(asyncio.to_thread(_fold, rule, points, seen_at, is_cancelled))
    try:
        return await asyncio.shield(folding)
    except asyncio.CancelledError:
        # The thread would go on, and there are few for all organizations.
        is_cancelled.set()
        await asyncio.wait({folding})
        raise


def _fold(rule: AlertRule, points: Sequence[datetime], seen_at: SeenAt, is_cancelled: threading.Event) -> Folded:
    def wanted(some: Sequence[datetime]) -> Iterator[datetime]:
        return takewhile(lambda _: not is_cancelled.is_set(), some)

    events = past_events(rule, wanted(points), seen_at)
    if rule.by:
        return events, ()
    every = max(1, len(points) // 200)
    values = []
    for at in wanted(points[every - 1 :: every]):
        seen = seen_at(at).get(ONLY_GROUP)
        values.append((at, None if seen is None else seen.value if seen.actual is None else seen.actual))
    return events, values


async def _past(
    question: Question, start: datetime, end: datetime, warehouse: QueryableWarehouse
) -> tuple[Sequence[datetime], SeenAt, int]:
    if question.rule.condition is Condition.ANOMALY:
        return await _unusual(question, start, end, warehouse)
    if question.measures.fold is Fold.NONE:
        return await _read_one_by_one(question, start, end, warehouse)
    bucket = _bucket(question.rule)
    zone, window = zone_of_window(question.rule.window), question.rule.window
    first = window_at(window, start + timedelta(minutes=1)).start
    by = (*question.by, ByTime(bucket, window.time_zone))
    measures = question.measures.measures
    _, rows = await run(
        question, first, end, warehouse, by=by, measures=measures, limit=_MAX_ROWS, order_by=None, descending=False
    )
    buckets, points = buckets_of(question, rows[:_MAX_ROWS], zone), _ends(start, end, bucket, question)
    if len(rows) > _MAX_ROWS or looks_at(question.rule, len(points), len(buckets)) > _MAX_LOOKS:
        raise InvalidRequest("since: there is too much to try the rule on: take a shorter time, or a longer window")
    return points, PastWindows(question, buckets).seen_at, len(buckets)


def looks_at(rule: AlertRule, points: int, groups: int) -> int:
    """How much is looked at in all."""
    calendar = rule.window.calendar if rule.condition is Condition.FORECAST else None
    return points * groups * (1 if calendar is None else _PARTS[calendar])


def _bucket(rule: AlertRule) -> str:
    """The parts of time that windows are made of."""
    if rule.window.calendar is not None:
        parts = PACES if rule.condition is Condition.FORECAST else _OF_CALENDAR
        return parts[rule.window.calendar]
    minutes = (rule.window.rolling_s or 0) // 60
    fitting = [name for name, length in MINUTES.items() if minutes % length == 0 and minutes >= 2 * length]
    return fitting[-1] if fitting else "minute"


def _ends(start: datetime, end: datetime, bucket: str, question: Question) -> list[datetime]:
    zone = zone_of_window(question.rule.window)
    starts = [instant_of(one, zone) for one in bucket_starts(start, end, bucket, zone)]
    return [one for one in (*starts[1:], end) if start < one <= end]


async def _unusual(
    question: Question, start: datetime, end: datetime, warehouse: QueryableWarehouse
) -> tuple[Sequence[datetime], SeenAt, int]:
    runs, requests = await unusual_runs(question, Window(start=start, end=end), warehouse)
    rolling = timedelta(seconds=question.rule.window.rolling_s or 0)

    def is_unusual(one: UnusualRun, at: datetime) -> bool:
        return one.span.start < at and one.span.end > at - rolling

    def seen_at(at: datetime) -> dict[str, Observation]:
        unusual = {one.key: one for one in runs if is_unusual(one, at)}
        return {
            key: Observation(
                value=Decimal(int(key in unusual)),
                requests=count,
                actual=Decimal(repr(round(unusual[key].run.actual, 6))) if key in unusual else None,
                limit=Decimal(repr(round(unusual[key].run.high, 6))) if key in unusual else None,
            )
            for key, count in requests.items()
        }

    return _ends(start, end, "hour", question), seen_at, len(requests)


async def _read_one_by_one(
    question: Question, start: datetime, end: datetime, warehouse: QueryableWarehouse
) -> tuple[Sequence[datetime], SeenAt, int]:
    bucket = "day" if question.rule.window.calendar is not None else "hour"
    ends = _ends(start, end, bucket, question)
    points = ends[:: -max(1, -(-len(ends) // MAX_READ))][::-1]
    seen = {}
    for at in points:
        seen[at] = await observe(question, window_at(question.rule.window, at), warehouse)
    return points, lambda at: seen[at], len({key for one in seen.values() for key in one})


async def _narrowed(
    question: Question, start: datetime, end: datetime, warehouse: QueryableWarehouse
) -> tuple[Question, bool]:
    """`question` about the groups that are furthest; whether there are more."""
    if not question.by or question.rule.condition is Condition.ANOMALY:
        return question, False
    measures = question.measures.measures
    _, rows = await run(
        question,
        start,
        end,
        warehouse,
        by=question.by,
        measures=measures,
        limit=MAX_GROUPS,
        order_by=measures.index(question.measures.figure),
    )
    groups = [
        And(tuple(is_of(part, value) for part, value in zip(question.by, row.by, strict=True)))
        for row in rows[:MAX_GROUPS]
    ]
    where: Filter = And((question.where, Or(tuple(groups)))) if groups else question.where
    return msgspec.structs.replace(question, where=where), len(rows) > MAX_GROUPS
