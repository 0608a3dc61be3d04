"""What could not be priced, and why: the models that need attention."""

import asyncio
from typing import Annotated

from fastapi import Query, Response

from schemas.api.reprices import UnknownModel, UnknownModels
from schemas.price import ShippedBook
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.query.prices.advice import PRICE_HELPS, advice_on
from services.query.reports.groups import Group, run_report
from services.query.reports.period import period_from
from services.sql.compile import compile_report
from services.sql.measures import ALL_COMPLETION_TOKENS, ALL_PROMPT_TOKENS, EXAMPLE_IDS, MEASURES, Measure
from services.sql.nodes import And, Dimension, Everything, Filter, Report, comparison
from services.sql.sort import group_by_column
from services.sql.unpriced_causes import BY_CAUSE

_SHOWN = 1000

Since = Annotated[str, Query(description="90m, 24h, 7d, 4w, or ISO 8601")]


async def unknown_models(organization_id: Reader, service: ServiceDep, since: Since = "7d") -> Response:
    """Models with requests whose cost is unknown, why it is, what helps, and examples."""
    period = period_from(since, None, service.clock.now())

    def report(where: Filter, measures: tuple[Measure, ...], *by: Dimension) -> Report:
        return Report(
            table=REQUEST_RESPONSE,
            organization_id=organization_id,
            where=And((period.filter(), where)),
            measures=measures,
            by=by,
            limit=_SHOWN + 1,
        )

    (whole,), (_, groups) = await asyncio.gather(
        service.warehouse.query(compile_report(report(Everything(), _WHOLE))),
        run_report(report(_COST_IS_UNKNOWN, _OF_MODEL, *_BY), service.warehouse),
    )
    view = UnknownModels(
        start=period.start,
        end=period.end,
        requests=whole["m0"],
        unpriced_requests=whole["m1"],
        models=[_model(group, service.shipped) for group in groups[:_SHOWN]],
        truncated=len(groups) > _SHOWN,
    )
    return data_response(view)


_COST_IS_UNKNOWN = comparison("cost_usd", Operator.EQUALS, None)
_BY = (*(group_by_column(name) for name in ("provider", "model", "cost_state")), BY_CAUSE)
_WHOLE = (MEASURES["requests"], MEASURES["unpriced_requests"])
_OF_MODEL = (
    *(MEASURES["requests"], MEASURES["first_request_at"], MEASURES["last_request_at"]),
    *(ALL_PROMPT_TOKENS, ALL_COMPLETION_TOKENS, EXAMPLE_IDS),
)


def _model(group: Group, shipped: ShippedBook) -> UnknownModel:
    provider, model, reason, cause = group.by
    requests, first, last, prompt, completion, examples = (group.figures[measure.name] for measure in _OF_MODEL)
    missing = shipped.why_unpriced(provider or "", model or "", last) if cause in PRICE_HELPS else ""
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
    )
