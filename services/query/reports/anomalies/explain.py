"""Anomalies as they are shown: exact figures of their time, and who explains the excess."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from schemas.api.anomalies import AnomalyState, AnomalyView, Driver, DriverPart
from services.domain.reports.anomalies.drivers import split_excess
from services.domain.reports.calendar import shifted_period
from services.ports.warehouse import Warehouse
from services.query.reports.anomalies.candidates import Candidate
from services.query.reports.anomalies.plan import Plan
from services.sql.anomalies import RunOfGroup, Span, compile_parts
from services.sql.measures import ADDED_UP
from services.sql.nodes import Dimension

_EARLIER_WEEKS: Final = 4
_SHOWN_PARTS: Final = 5
_OF_ONE_STATEMENT: Final = 20  # anomalies
_DIGITS: Final = 6  # of what is expected: it is an estimate
_ALL: Final = -1

Row: TypeAlias = Mapping[str, Any]
Parts: TypeAlias = Mapping[int, Mapping[str, Row]]  # by the place of the driver, or -1 for all; then by value


async def explained(
    plan: Plan, candidates: Sequence[Candidate], warehouse: Warehouse, complete_until: datetime | None
) -> list[AnomalyView]:
    """In their order. Raises: StoreUnavailable."""
    starts = range(0, len(candidates), _OF_ONE_STATEMENT)
    chunks = [candidates[start : start + _OF_ONE_STATEMENT] for start in starts]
    found = await asyncio.gather(*(_parts(plan, chunk, warehouse) for chunk in chunks))
    parts = [each for of_chunk in found for each in of_chunk]
    return [_view(plan, *both, complete_until) for both in zip(candidates, parts, strict=True)]


async def _parts(plan: Plan, candidates: Sequence[Candidate], warehouse: Warehouse) -> list[Parts]:
    runs = [_run(plan, candidate) for candidate in candidates]
    parts: list[dict[int, dict[str, Row]]] = [{} for _ in runs]
    for row in await warehouse.query(compile_parts(plan.watch.organization_id, plan.watch.where, runs)):
        parts[row["run"]].setdefault(row["place"], {})[row["value"]] = row
    return list(parts)


def _run(plan: Plan, candidate: Candidate) -> RunOfGroup:
    earlier = []
    start, end = candidate.since, candidate.until
    for _ in range(_EARLIER_WEEKS):
        start, end = shifted_period(start, end, "week_before", plan.question.zone)
        earlier.append(Span(start, end))
    return RunOfGroup(
        grouping=plan.groupings[candidate.place].by,
        key=candidate.key,
        measure=candidate.measure,
        span=Span(candidate.since, candidate.until),
        earlier=tuple(earlier),
        drivers=tuple(by for _, by in _drivers(plan, candidate)),
        is_fall=candidate.is_fall,
    )


def _drivers(plan: Plan, candidate: Candidate) -> list[tuple[str, Dimension]]:
    """Those of which a group may have several values; none of a measure that does not add up."""
    if candidate.measure.name not in ADDED_UP:
        return []
    return [(name, by) for name, by in plan.drivers if by not in plan.groupings[candidate.place].by]


def _view(plan: Plan, candidate: Candidate, parts: Parts, complete_until: datetime | None) -> AnomalyView:
    run, total = candidate.run, parts.get(_ALL, {}).get("", {})
    adds_up = candidate.measure.name in ADDED_UP
    expected, low, high = (_rounded(figure, exact=adds_up) for figure in (run.expected, run.low, run.high))
    actual = _figure(total.get("actual"), exact=adds_up)
    named = enumerate(_drivers(plan, candidate))
    return AnomalyView(
        group=group_of(plan, candidate.place, candidate.key),
        measure=candidate.measure.name,
        unit=candidate.measure.unit,
        direction="fall" if candidate.is_fall else "rise",
        state=AnomalyState(run.state),
        since=candidate.since,
        until=None if candidate.is_ongoing else candidate.until,
        actual=actual,
        expected=expected,
        expected_low=low,
        expected_high=high,
        excess=actual - expected,
        score=round(run.score, 1),
        bucket="day" if candidate.bucket == "day" else "hour",
        season=run.season.value,
        requests=total.get("requests", 0),
        unpriced_requests=total.get("unpriced", 0),
        complete=complete_until is not None and candidate.until <= complete_until,
        drivers=[_driver(name, parts.get(place, {}), total, actual - expected, expected) for place, (name, _) in named],
    )


def group_of(plan: Plan, place: int, key: Sequence[str]) -> dict[str, object]:
    return {name: value or None for name, value in zip(plan.groupings[place].names, key, strict=False)}


def _driver(name: str, values: Mapping[str, Row], total: Row, excess: Decimal, expected: Decimal) -> Driver:
    actual, earlier = (
        {value: _exact(row[figure]) for value, row in values.items()} for figure in ("actual", "earlier")
    )
    split = split_excess(
        actual,
        earlier,
        excess=excess,
        expected=expected,
        earlier_total=_exact(total.get("earlier")),
        limit=_SHOWN_PARTS,
    )
    parts = [
        DriverPart(value=part.value or None, actual=part.actual, expected=part.expected, excess=part.excess)
        for part in split.parts
    ]
    return Driver(by=name, parts=parts, rest=split.rest)


def _figure(text: str | None, *, exact: bool) -> Any:
    return _exact(text) if exact else float(text or 0)


def _exact(text: str | None) -> Decimal:
    return Decimal(text or 0)


def _rounded(figure: float, *, exact: bool) -> Any:
    rounded = round(figure, _DIGITS)
    return Decimal(repr(rounded)) if exact else rounded
