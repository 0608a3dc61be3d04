"""What could not be priced, and why: the models that need attention."""

import asyncio
from collections.abc import Sequence
from functools import partial

from fastapi import Response

from schemas.api.prices import PriceView
from schemas.api.reprices import UnknownModel, UnknownModels
from schemas.api.requests import UTC_NAME, TimeZone
from schemas.api.seal import seal_view
from schemas.price import ShippedBook
from schemas.tables import Operator
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.query.prices.advice import PRICE_HELPS, advice_on
from services.query.prices.recent_models import MAX_MODELS, Since, recent_models
from services.query.prices.views import price_view
from services.query.reports.groups import Group, run_report
from services.query.reports.period import period_from
from services.query.reports.totals import share_of
from services.query.time_zone import zone_of
from services.sql.compile import compile_report
from services.sql.measures import MEASURES, ROWS
from services.sql.nodes import Everything, comparison
from services.sql.sort import group_by_column
from services.sql.unnamed_measures import ALL_COMPLETION_TOKENS, ALL_PROMPT_TOKENS, EXAMPLE_IDS
from services.sql.unpriced_causes import BY_CAUSE

_EXPLAINED = 50
_COMPARED = 10  # with the names of known models


async def unknown_models(
    organization_id: Reader, service: ServiceDep, since: Since = "7d", time_zone: TimeZone = UTC_NAME
) -> Response:
    """Models with requests whose cost is unknown, why it is, what helps, and examples."""
    seal = await service.seals.current()
    period = period_from(since, None, service.clock.now(), zone_of(time_zone, "time_zone"))
    report = partial(recent_models, organization_id, period)
    (whole,), (_, groups) = await asyncio.gather(
        service.warehouse.query(compile_report(report(Everything(), _WHOLE))),
        run_report(report(_COST_IS_UNKNOWN, _OF_MODEL, *_BY), service.warehouse),
    )
    models = await asyncio.to_thread(_models, groups[:MAX_MODELS], service.shipped)
    view = UnknownModels(
        start=period.start,
        end=period.end,
        requests=whole["m0"],
        unpriced_requests=whole["m1"],
        models=models,
        truncated=len(groups) > MAX_MODELS,
    )
    priced = share_of(view.requests - view.unpriced_requests, view.requests)
    return data_response(view, seal=seal_view(seal, priced_request_share=priced, priced_token_share=None))


_COST_IS_UNKNOWN = comparison("cost_usd", Operator.EQUALS, None)
_BY = (*(group_by_column(name) for name in ("provider", "model", "cost_state")), BY_CAUSE)
_WHOLE = (ROWS, MEASURES["unpriced_requests"])
_OF_MODEL = (
    *(ROWS, MEASURES["first_request_at"], MEASURES["last_request_at"]),
    *(ALL_PROMPT_TOKENS, ALL_COMPLETION_TOKENS, EXAMPLE_IDS),
)


def _models(groups: Sequence[Group], shipped: ShippedBook) -> list[UnknownModel]:
    """What the price data lacks takes milliseconds to find, so only for the first groups."""
    missing = [_missing(group, shipped) for group in groups[:_EXPLAINED]]
    missing += [""] * (len(groups) - len(missing))
    nearest = [_nearest(group, shipped) for group in groups[:_COMPARED]]
    nearest += [None] * (len(groups) - len(nearest))
    return [_model(*each) for each in zip(groups, missing, nearest, strict=True)]


def _nearest(group: Group, shipped: ShippedBook) -> PriceView | None:
    provider, model, _, cause = group.by
    last = group.figures[MEASURES["last_request_at"].name]
    found = shipped.nearest(provider or "", model, last) if model and cause in PRICE_HELPS else None
    return None if found is None else price_view(found)


def _missing(group: Group, shipped: ShippedBook) -> str:
    provider, model, _, cause = group.by
    last = group.figures[MEASURES["last_request_at"].name]
    return shipped.why_unpriced(provider or "", model or "", last) if cause in PRICE_HELPS else ""


def _model(group: Group, missing: str, nearest: PriceView | None) -> UnknownModel:
    provider, model, reason, cause = group.by
    requests, first, last, prompt, completion, examples = (group.figures[measure.name] for measure in _OF_MODEL)
    return UnknownModel(
        provider=provider or "",
        model=model or "",
        reason=reason,
        cause=cause,
        advice=" ".join(filter(None, (missing, advice_on(cause, examples[0])))),
        price_helps=cause in PRICE_HELPS,
        requests=requests,
        prompt_tokens=prompt,
        completion_tokens=completion,
        first_seen_at=first,
        last_seen_at=last,
        example_request_ids=examples,
        nearest=nearest,
    )
