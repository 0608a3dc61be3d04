"""Counters of budgets as clients see them."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.api.budgets import (
    MOST_VALUES,
    BudgetSpend,
    BudgetView,
    CounterView,
    Freshness,
    OverrideView,
    OvershootView,
)
from schemas.budget import Budget, CounterState, Segment
from schemas.errors import QueryLimitExceeded, Unavailable
from services.domain.budgets.amounts import limit_nano, usd_of
from services.domain.budgets.claims import claim_of
from services.domain.budgets.overshoot import overshoot_of
from services.domain.budgets.slots import ledger_span_of, place_of, window_of
from services.query.dependencies import Service
from services.sql.budgets import compile_highest

COUNTERS: Final = "counters"
_AT_ONCE: Final = 4  # budgets that are looked up for one list: an organization has two places in the warehouse

logger = logging.getLogger(__name__)


def budget_view(budget: Budget, at: datetime) -> BudgetView:
    override = budget.override
    shown = override is not None and at < override.until
    return BudgetView(
        id=budget.id,
        name=budget.name,
        limit_usd=budget.limit_usd,
        segment=budget.segment,
        property=budget.property,
        value=budget.value,
        where=budget.where,
        period=budget.period,
        window_s=budget.window_s,
        time_zone=budget.time_zone,
        action=budget.action,
        fallback_model=budget.fallback_model,
        mode=budget.mode,
        unknown_cost=budget.unknown_cost,
        thresholds=list(budget.thresholds),
        channel_ids=list(budget.channel_ids),
        override=OverrideView(limit_usd=override.limit_usd, until=override.until) if override and shown else None,
        created_at=budget.created_at,
        changed_at=budget.changed_at,
    )


class Values(msgspec.Struct, frozen=True):
    """Whose counters a budget has: those that spent most, the highest first."""

    names: Sequence[str]
    counters: int = 1  # in all
    unpriced_requests: int | None = None  # of all; None: not known


async def values_of(service: Service, budget: Budget, at: datetime) -> Values:
    """By the ledger, where each value has a counter of its own. Raises: Unavailable, QueryLimitExceeded."""
    if budget.segment is Segment.ORGANIZATION or budget.value:
        return Values([budget.value])
    span = ledger_span_of(budget, at)
    rows = await service.warehouse.query(compile_highest(budget, span.start, span.end, MOST_VALUES))
    if not rows:
        return Values([], counters=0, unpriced_requests=0)
    return Values([str(row["value"]) for row in rows], rows[0]["counters"], rows[0]["unpriced_requests"])


async def spends_of(service: Service, budgets: Sequence[Budget], at: datetime) -> list[BudgetSpend | None]:
    """Of each of `budgets`, in their order. Few at once: of the warehouse's queue other requests get their part."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(budget: Budget) -> BudgetSpend | None:
        async with places:
            return await spend_of(service, budget, at)

    return await asyncio.gather(*map(one, budgets))


async def spend_of(service: Service, budget: Budget, at: datetime) -> BudgetSpend | None:
    """None while nobody knows it, such as where its query takes too much."""
    try:
        values = await values_of(service, budget, at)
        views = await counter_views(service, budget, values.names, at)
    except (Unavailable, QueryLimitExceeded) as error:
        logger.warning("what was spent of a budget is not known", extra={"budget": budget.id, "reason": str(error)})
        return None
    return BudgetSpend(
        leading=min(views, key=lambda view: view.remaining_usd, default=None),
        counters=values.counters,
        used_up=sum(view.remaining_usd <= 0 for view in views),
    )


async def counter_views(service: Service, budget: Budget, values: Sequence[str], at: datetime) -> list[CounterView]:
    """Of each of `values`, in their order. Raises: StoreUnavailable."""
    counters = [claim_of(budget, value, at).counter for value in values]
    states = await service.budget_counters.read(counters)
    return [_view(budget, value, state, at) for value, state in zip(values, states, strict=True)]


def freshness_of(state: CounterState) -> Freshness:
    until = None if state.sealed_s is None else datetime.fromtimestamp(state.sealed_s, UTC)
    return Freshness(source=COUNTERS, rebuilt=state.is_rebuilt, ledger_until=until)


def _view(budget: Budget, value: str, state: CounterState, at: datetime) -> CounterView:
    limit = limit_nano(budget.limit_at(at))
    return CounterView(
        value=value,
        limit_usd=usd_of(limit),
        spent_usd=usd_of(state.spent_nano),
        reserved_usd=usd_of(state.reserved_nano),
        remaining_usd=usd_of(limit - state.spent_nano - state.reserved_nano),
        starts_at=window_of(budget, at).start,
        resets_at=place_of(budget, at).resets_at,
        overshoot=OvershootView(**msgspec.structs.asdict(overshoot_of(budget, state))),
        freshness=freshness_of(state),
    )
