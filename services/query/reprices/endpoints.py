"""Charging again: runs, how far they are, and undoing them."""

from typing import Any
from uuid import UUID

import msgspec
from fastapi import Response

from schemas.api.reprices import CoverageView, DayDifferenceView, DifferenceView, RepriceRequest, RepriceView
from schemas.errors import NotFound
from schemas.reprice import Criteria, Difference, Reprice, RepriceState
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Admin, Reader
from services.query.http.responses import data_response
from services.query.reports.period import period_from
from services.query.reports.totals import SpendTotals, spend_of
from services.query.time_zone import zone_of

_LISTED = 100
_UNDER_WAY = (RepriceState.RUNNING, RepriceState.UNDOING)


async def begin_reprice(body: RepriceRequest, organization_id: Admin, service: ServiceDep) -> Response:
    """Charges requests again at the prices known now. Responds with 202 while it goes on: look again at its id."""
    period = period_from(body.since, body.until, service.clock.now(), zone_of(body.time_zone, "time_zone"))
    criteria = Criteria(model=body.model, provider=body.provider, since=period.start, until=period.end)
    return _run_response(await service.repricing.begin(organization_id, criteria, dry_run=body.dry_run))


async def list_reprices(organization_id: Reader, service: ServiceDep) -> Response:
    """The latest runs, without their days."""
    runs = await service.reprices.list_reprices(organization_id, limit=_LISTED)
    return data_response([_view(run, with_days=False) for run in runs])


async def get_reprice(reprice_id: UUID, organization_id: Reader, service: ServiceDep) -> Response:
    """One run: how far it is, and what it changes."""
    return data_response(_view(await _run(reprice_id, organization_id, service)))


async def undo_reprice(reprice_id: UUID, organization_id: Admin, service: ServiceDep) -> Response:
    """Puts costs back as they were before the run. Responds with 202 while it goes on.

    Calls that were logged again after the run stay as they were logged then: `rows_left` says how many.
    """
    run = await _run(reprice_id, organization_id, service)
    return _run_response(await service.repricing.undo(run))


async def _run(reprice_id: UUID, organization_id: str, service: Service) -> Reprice:
    run = await service.reprices.get_reprice(organization_id, str(reprice_id))
    if run is None:
        raise NotFound(f"there is no re-pricing {reprice_id}")
    return run


def _run_response(run: Reprice) -> Response:
    return data_response(_view(run), 202 if run.state in _UNDER_WAY else 200)


def _view(run: Reprice, *, with_days: bool = True) -> RepriceView:
    result = run.result
    days = result.days if result is not None and with_days else ()
    return RepriceView(
        id=run.id,
        state=run.state,
        dry_run=run.dry_run,
        **msgspec.structs.asdict(run.criteria),
        started_at=run.started_at,
        ended_at=run.ended_at,
        undone_at=run.undone_at,
        rows_total=run.rows_total,
        rows_done=run.rows_done,
        rows_left=run.rows_total - run.rows_done if run.state is RepriceState.UNDONE else 0,
        error=run.error,
        total=None if result is None else DifferenceView(**_figures(result.total)),
        days=[DayDifferenceView(model=one.model, day=one.day, **_figures(one.difference)) for one in days],
    )


def _figures(one: Difference) -> dict[str, Any]:
    before = SpendTotals(
        known_usd=one.before_usd,
        requests=one.requests,
        attempts=one.requests,  # each row is charged by itself
        unpriced_requests=one.unpriced_before,
        unpriced_requests_without_tokens=one.unweighed_before,
        all_tokens=one.all_tokens,
        priced_tokens=one.priced_tokens_before,
    )
    after = SpendTotals(
        known_usd=one.after_usd,
        requests=one.requests,
        attempts=one.requests,  # each row is charged by itself
        unpriced_requests=one.unpriced_after,
        unpriced_requests_without_tokens=one.unweighed_after,
        all_tokens=one.all_tokens,
        priced_tokens=one.priced_tokens_after,
    )
    nothing_known = before.cost_usd is None and after.cost_usd is None
    return {
        **{name: getattr(one, name) for name in ("requests", "changed", "newly_priced", "newly_unknown")},
        "before_usd": before.cost_usd,
        "before_coverage": _coverage(before),
        "after_usd": after.cost_usd,
        "after_coverage": _coverage(after),
        "difference_usd": None if nothing_known else after.known_usd - before.known_usd,
    }


def _coverage(totals: SpendTotals) -> CoverageView:
    spend = spend_of(totals)
    return CoverageView(**{name: spend[name] for name in CoverageView.model_fields})
