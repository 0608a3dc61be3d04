"""Runs the queries of a plan beside each other, and makes of what comes back the anomalies that are shown."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from functools import partial
from typing import Any

from schemas.api.anomalies import AnomaliesRequest, AnomaliesView, Coverage, NotJudged, NotJudgedReason
from schemas.seal import Seal
from schemas.tables import REQUEST_RESPONSE
from schemas.timestamps import MILLISECOND
from services.ports.warehouse import Warehouse
from services.query.reports.anomalies.candidates import Candidate, LookedAt, looked_at
from services.query.reports.anomalies.explain import explained, group_of
from services.query.reports.anomalies.plan import Plan
from services.query.reports.sealed import Shares, run_with_shares
from services.sql.anomalies import NAMED, compile_census, compile_series, with_keys
from services.sql.measures import MEASURES
from services.sql.nodes import And, Report


async def find_anomalies(
    plan: Plan, body: AnomaliesRequest, warehouse: Warehouse, seal: Seal
) -> tuple[Shares, AnomaliesView]:
    """The shares of the period, and what is unusual in it. `seal` is from before. Raises: StoreUnavailable."""
    question = plan.question
    all_requests = Report(
        table=REQUEST_RESPONSE,
        organization_id=question.organization_id,
        where=And((question.period.filter(), question.where)),
        measures=(MEASURES["requests"],),
    )
    census, (shares, _, _) = await asyncio.gather(
        warehouse.query(compile_census(plan.census)), run_with_shares(all_requests, warehouse)
    )
    series = await warehouse.query(compile_series(plan.watch, plan.span, question.time_zone, census))
    rows = with_keys(series, census)
    # Apart from the loop, where others wait.
    groups = await asyncio.to_thread(looked_at, plan, rows, seal.complete_until)
    candidates = sorted(
        (candidate for group in groups for candidate in group.candidates),
        key=partial(_newest, question.zone) if body.order_by == "newest" else _dearest,
    )
    view = AnomaliesView(
        start=question.period.start,
        end=question.period.end,
        history_start=plan.span.start,
        anomalies=await explained(plan, candidates[: body.limit], warehouse, seal.complete_until),
        truncated=len(candidates) > body.limit,
        coverage=[_coverage(plan, place, groups, census) for place in range(len(plan.groupings))],
        not_judged=_not_judged(plan, groups, census),
    )
    return shares, view


def _newest(zone: tzinfo, candidate: Candidate) -> tuple[Any, ...]:
    """By the last day of which it has a part."""
    return -(candidate.until - MILLISECOND).astimezone(zone).toordinal(), *_dearest(candidate)


def _dearest(candidate: Candidate) -> tuple[Any, ...]:
    return (
        candidate.measure.unit != "USD",
        -abs(candidate.excess),
        candidate.measure.name,
        candidate.place,
        candidate.key,
    )


def _coverage(plan: Plan, place: int, groups: Sequence[LookedAt], census: Sequence[Mapping[str, Any]]) -> Coverage:
    looked = [group for group in groups if group.place == place]
    counted: Mapping[str, Any] = next((row for row in census if row["place"] == place), {"groups": 0, "large": 0})
    reasons = Counter(group.reason for group in looked)
    return Coverage(
        by=list(plan.groupings[place].names),
        groups=counted["groups"],
        judged=reasons[None],
        too_young=reasons[NotJudgedReason.TOO_YOUNG],
        too_small=reasons[NotJudgedReason.TOO_SMALL] + counted["groups"] - counted["large"],
        too_sparse=reasons[NotJudgedReason.TOO_SPARSE],
        beyond_limit=max(0, counted["large"] - len(looked)),
    )


def _not_judged(plan: Plan, groups: Sequence[LookedAt], census: Sequence[Mapping[str, Any]]) -> list[NotJudged]:
    looked = {(group.place, group.key) for group in groups}
    young = [
        NotJudged(
            group=group_of(plan, group.place, group.key),
            reason=group.reason,
            first_request_at=group.first_request_at,
            size=_size(group.size),
        )
        for group in sorted(groups, key=lambda group: (group.place, -group.size, group.key))
        if group.reason is not None
    ]
    largest = [[row for row in census if row["place"] == place][:NAMED] for place in range(len(plan.groupings))]
    small = [
        NotJudged(
            group=group_of(plan, row["place"], row["key"]),
            reason=NotJudgedReason.TOO_SMALL,
            first_request_at=None,
            size=row["m0"],
        )
        for of_place in largest
        for row in of_place
        if (row["place"], tuple(row["key"])) not in looked and not row["is_large"]
    ]
    return [*young[: NAMED * len(plan.groupings)], *small]


def _size(figure: float) -> Decimal:
    return Decimal(repr(round(figure, 6)))
