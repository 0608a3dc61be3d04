"""The routes of budgets."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from msgspec.structs import replace

from schemas.api.budgets import (
    BudgetChange,
    BudgetEvent,
    BudgetRequest,
    BudgetSpend,
    BudgetState,
    BudgetView,
    ListedBudget,
    OverrideRequest,
    SpendView,
)
from schemas.api.envelopes import CheckedEnvelope
from schemas.api.properties import Done
from schemas.api.requests import Envelope
from schemas.budget import Budget, Segment
from schemas.errors import NotFound
from services.domain.budgets.definition import checked_budget, overridden
from services.query.budgets.counters import Values, budget_view, counter_views, spends_of, values_of
from services.query.budgets.forecast import forecast_of
from services.query.budgets.spend import my_spend
from services.query.channels.known import known_kinds
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Admin, Reader
from services.query.http.error_docs import WITH_BODY, WITH_ID, WITH_QUERY, error_responses
from services.query.http.responses import data_response
from services.query.http.routing import authenticated_router
from services.sql.budgets import compile_history, what_counts
from services.sql.names import names_of

_ADDED: Final = WITH_BODY | error_responses(409)
_CHANGED: Final = WITH_BODY | error_responses(404)


def budgets_router() -> APIRouter:
    router = authenticated_router("/v1/budgets")
    router.get("", response_model=Envelope[list[ListedBudget]], responses=WITH_QUERY)(list_budgets)
    router.post("", status_code=201, response_model=CheckedEnvelope[BudgetView], responses=_ADDED)(create_budget)
    router.get("/{budget_id}", response_model=Envelope[BudgetState], responses=WITH_ID)(get_budget)
    router.patch("/{budget_id}", response_model=Envelope[BudgetView], responses=_CHANGED)(change_budget)
    router.delete("/{budget_id}", response_model=Envelope[Done], responses=WITH_ID)(remove_budget)
    router.post("/{budget_id}/override", response_model=Envelope[BudgetView], responses=_CHANGED)(override_budget)
    router.delete("/{budget_id}/override", response_model=Envelope[BudgetView], responses=WITH_ID)(end_override)
    router.get("/{budget_id}/history", response_model=Envelope[list[BudgetEvent]], responses=WITH_ID)(budget_history)
    return router


def spend_router() -> APIRouter:
    router = authenticated_router("/v1/me/spend")
    router.get("", response_model=Envelope[SpendView], responses=WITH_QUERY | error_responses(404))(my_spend)
    return router


async def list_budgets(
    organization_id: Reader,
    service: ServiceDep,
    spend: Annotated[bool, Query(description="Whether to say what was spent of each")] = False,
) -> Response:
    """The organization's budgets, by name."""
    now = service.clock.now()
    budgets = await service.budgets.budgets_of(organization_id)
    spent = await spends_of(service, budgets, now) if spend else [None] * len(budgets)
    return data_response([_listed(one, now, of_it) for one, of_it in zip(budgets, spent, strict=True)])


async def create_budget(body: BudgetRequest, organization_id: Admin, service: ServiceDep) -> Response:
    """Proxies know it within five seconds; what was spent in its period before counts from the next rebuild on."""
    now = service.clock.now()
    fields: dict[str, Any] = body.model_dump()
    fields |= {"thresholds": tuple(body.thresholds), "channel_ids": tuple(body.channel_ids)}
    new = Budget(id=service.draw_id(), organization_id=organization_id, created_at=now, changed_at=now, **fields)
    budget = checked_budget(new)
    await known_kinds(budget.channel_ids, organization_id, service)
    await service.budgets.add_budget(budget)
    names = names_of(what_counts(budget, budget.value), [budget.property] if budget.property else ())
    return data_response(budget_view(budget, now), 201, warnings=await service.names.never_seen(organization_id, names))


async def get_budget(
    budget_id: str,
    organization_id: Reader,
    service: ServiceDep,
    value: Annotated[
        str, Query(max_length=512, description="One value of the segment; else those that spent most")
    ] = "",
) -> Response:
    """A budget, what was spent and is reserved in its period, and where that is heading."""
    now, budget = service.clock.now(), await _budget(service, organization_id, budget_id)
    asked = value and budget.segment is not Segment.ORGANIZATION
    values = Values([value]) if asked else await values_of(service, budget, now)
    counters = await counter_views(service, budget, values.names, now)
    state = BudgetState(
        budget=budget_view(budget, now),
        counters=counters,
        forecast=await forecast_of(budget, counters[0], service.warehouse, now) if counters else None,
        unpriced_requests=values.unpriced_requests,
    )
    return data_response(state)


async def change_budget(
    budget_id: str,
    body: BudgetChange,
    organization_id: Admin,
    service: ServiceDep,
) -> Response:
    """Proxies know of it within five seconds. A channel that it had may be one that was removed since."""
    now, budget = service.clock.now(), await _budget(service, organization_id, budget_id)
    given: dict[str, Any] = body.model_dump(exclude_none=True)
    given |= {name: tuple(given[name]) for name in ("thresholds", "channel_ids") if name in given}
    changed = checked_budget(replace(budget, changed_at=now, **given))
    await known_kinds(set(changed.channel_ids) - set(budget.channel_ids), organization_id, service)
    return await _changed(service, changed)


async def remove_budget(budget_id: str, organization_id: Admin, service: ServiceDep) -> Response:
    """Proxies may apply it for up to five more seconds."""
    if not await service.budgets.remove_budget(organization_id, budget_id):
        raise _no_budget(budget_id)
    return data_response(Done())


async def override_budget(
    budget_id: str,
    body: OverrideRequest,
    organization_id: Admin,
    service: ServiceDep,
) -> Response:
    """Another limit until a timestamp, at which the budget's own holds again by itself."""
    budget = await _budget(service, organization_id, budget_id)
    return await _changed(service, overridden(budget, body.limit_usd, body.until, service.clock.now()))


async def end_override(budget_id: str, organization_id: Admin, service: ServiceDep) -> Response:
    """The budget's own limit holds again."""
    budget = await _budget(service, organization_id, budget_id)
    return await _changed(service, replace(budget, override=None, changed_at=service.clock.now()))


async def budget_history(
    budget_id: str,
    organization_id: Reader,
    service: ServiceDep,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many, the latest first")] = 100,
) -> Response:
    """Requests that the budget refused or sent to its other model, or would have."""
    budget = await _budget(service, organization_id, budget_id)
    rows = await service.warehouse.query(compile_history(budget, limit))
    return data_response([BudgetEvent(**row) for row in rows])


def _listed(budget: Budget, at: datetime, spend: BudgetSpend | None) -> ListedBudget:
    return ListedBudget(**dict(budget_view(budget, at)), spend=spend)


async def _budget(service: Service, organization_id: str, budget_id: str) -> Budget:
    """Raises: NotFound, StoreUnavailable."""
    for budget in await service.budgets.budgets_of(organization_id):
        if budget.id == budget_id:
            return budget
    raise _no_budget(budget_id)


async def _changed(service: Service, budget: Budget) -> Response:
    if not await service.budgets.change_budget(budget):
        raise _no_budget(budget.id)
    return data_response(budget_view(budget, service.clock.now()))


def _no_budget(budget_id: str) -> NotFound:
    return NotFound(f"there is no budget with the id {budget_id[:64]!r}")
