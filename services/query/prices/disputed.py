"""What providers and clients reported that calls cost, beside what our prices make of them: where the two disagree."""

import asyncio
from functools import partial
from typing import Final

from fastapi import Response

from schemas.api.disputes import DisputedCosts, DisputedModel
from schemas.api.requests import UTC_NAME, TimeZone
from schemas.disputes import IS_BILL
from schemas.tables import Column, Kind, Operator
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.query.prices.recent_models import MAX_MODELS, Since, recent_models
from services.query.reports.groups import Group, run_report
from services.query.reports.period import period_from
from services.query.reports.sealed import run_with_shares, sealed
from services.query.time_zone import zone_of
from services.sql.measures import MEASURES, ROWS
from services.sql.nodes import ByColumn, Everything, comparison
from services.sql.sort import group_by_column
from services.sql.unnamed_measures import EXAMPLE_IDS

_IS_DISPUTED: Final = comparison("cost_disputed", Operator.EQUALS, True)
_IS_BILL: Final = ByColumn(Column(name="is_bill", sql=IS_BILL, kind=Kind.FLAG, param_type="Bool"))
_BY: Final = (group_by_column("provider"), group_by_column("model"), _IS_BILL)
_SUMS: Final = tuple(MEASURES[name] for name in ("provider_cost_usd", "calculated_cost_usd", "cost_difference_usd"))
_COUNTS: Final = (ROWS, MEASURES["uncompared_requests"], MEASURES["disputed_requests"])
_WHOLE: Final = (*_COUNTS, *_SUMS)
_OF_MODEL: Final = (ROWS, *_SUMS, EXAMPLE_IDS)


async def disputed_costs(
    organization_id: Reader, service: ServiceDep, since: Since = "7d", time_zone: TimeZone = UTC_NAME
) -> Response:
    """Reported and calculated costs of the same requests, and the models of which they contradict each other."""
    seal = await service.seals.current()  # before either query reads rows
    period = period_from(since, None, service.clock.now(), zone_of(time_zone, "time_zone"))
    report = partial(recent_models, organization_id, period)
    (shares, whole, _), (_, groups) = await asyncio.gather(
        run_with_shares(report(Everything(), _WHOLE), service.warehouse),
        run_report(report(_IS_DISPUTED, _OF_MODEL, *_BY), service.warehouse),
    )
    requests, uncompared, disputed = (whole.figures[measure.name] for measure in _COUNTS)
    reported, calculated, difference = (whole.figures[measure.name] for measure in _SUMS)
    view = DisputedCosts(
        start=period.start,
        end=period.end,
        requests=requests,
        compared_requests=requests - uncompared,
        disputed_requests=disputed,
        provider_cost_usd=reported,
        calculated_cost_usd=calculated,
        cost_difference_usd=difference,
        models=[_model(group) for group in groups[:MAX_MODELS]],
        truncated=len(groups) > MAX_MODELS,
    )
    return data_response(view, seal=sealed(seal, shares))


def _model(group: Group) -> DisputedModel:
    provider, model, is_bill = group.by
    requests, reported, calculated, difference, examples = (group.figures[measure.name] for measure in _OF_MODEL)
    return DisputedModel(
        provider=provider or "",
        model=model or "",
        is_bill=bool(is_bill),
        requests=requests,
        provider_cost_usd=reported,
        calculated_cost_usd=calculated,
        cost_difference_usd=difference,
        example_request_ids=examples,
    )
