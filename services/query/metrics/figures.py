"""Single figures of a period."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import msgspec
from fastapi import Response

from schemas.api.metrics import MetricsRequest, RequestCountRequest, TokensPerRequest
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.reports.client_time import period_of_range
from services.query.reports.grouped import coverage_of
from services.query.reports.groups import Group
from services.query.reports.sealed import Found, run_with_shares, sealed_response
from services.query.reports.totals import SPEND
from services.sql.group_measures import (
    COMPLETION_TOKENS_PER_REQUEST,
    PROMPT_TOKENS_PER_REQUEST,
    TIME_TO_FIRST_TOKEN,
    TOKENS_PER_REQUEST,
)
from services.sql.measures import MEASURES, Measure
from services.sql.nodes import And, Everything, Filter, Report, comparison
from services.sql.parse import parse_filter

Endpoint = Callable[..., Coroutine[Any, Any, Response]]

_REQUESTS: Final = MEASURES["requests"]
_ATTEMPTS: Final = MEASURES["attempts"]
# By the last part of the path.
FIGURES: Final[Mapping[str, Measure]] = {
    "totalRequests": _REQUESTS,
    "averageLatency": MEASURES["average_latency_ms"],
    "averageTimeToFirstToken": TIME_TO_FIRST_TOKEN,
    "activeUsers": MEASURES["active_users"],
}
_PER_REQUEST: Final = {
    "average_prompt_tokens_per_response": PROMPT_TOKENS_PER_REQUEST,
    "average_completion_tokens_per_response": COMPLETION_TOKENS_PER_REQUEST,
    "average_total_tokens_per_response": TOKENS_PER_REQUEST,
}


def figure_of(measure: Measure) -> Endpoint:
    """The endpoint of one figure: 0 where there are no requests, null where it is unknown."""

    async def figure(body: MetricsRequest, organization_id: Reader, service: ServiceDep) -> Response:
        def shown(total: Group) -> Found:
            return Found(data=total.figures[measure.name] if total.figures["attempts"] else 0)

        return await _total(organization_id, _where(body), (measure, _REQUESTS, _ATTEMPTS), service, shown)

    figure.__doc__ = f"{measure.meaning[0].upper()}{measure.meaning[1:]}; in {measure.unit}."
    return figure


async def total_cost(body: MetricsRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """What the requests with a known cost cost together; `coverage` says how many have one."""

    def shown(total: Group) -> Found:
        return Found(data=total.figures["cost_usd"], beside={"coverage": coverage_of(total)})

    return await _total(organization_id, _where(body), SPEND, service, shown)


async def total_threats(body: MetricsRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """No request is checked for threats here, and so none is one."""
    return await _total(organization_id, _where(body), (_REQUESTS,), service, lambda _: Found(data=0))


async def tokens_per_request(body: MetricsRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """Tokens of one request with reported usage."""
    measures = (*_PER_REQUEST.values(), _REQUESTS, _ATTEMPTS)
    return await _total(organization_id, _where(body), measures, service, _tokens_per_request)


def _tokens_per_request(total: Group) -> Found:
    figures, is_none = total.figures, not total.figures["attempts"]
    fields = {field: 0 if is_none else figures[measure.name] for field, measure in _PER_REQUEST.items()}
    return Found(data=TokensPerRequest(**fields))


async def request_count(body: RequestCountRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """How many requests fulfil a filter, of all times."""
    cached = comparison("cached", Operator.EQUALS, True) if body.is_cached else Everything()
    where = And((parse_filter(body.filter), cached))
    return await _total(
        organization_id, where, (_REQUESTS,), service, lambda total: Found(data=total.figures["requests"])
    )


def _where(body: MetricsRequest) -> Filter:
    return And((period_of_range(body.time_filter).filter(), parse_filter(body.filter)))


async def _total(
    organization_id: str,
    where: Filter,
    measures: tuple[Measure, ...],
    service: Service,
    shown: Callable[[Group], Found],
) -> Response:
    """What is `shown` of the total, with its seal; the requests are one of `measures`."""
    unique = tuple(dict.fromkeys(measures))
    report = Report(table=REQUEST_RESPONSE, organization_id=organization_id, where=where, measures=unique)

    async def found() -> Found:
        shares, total, _ = await run_with_shares(report, service.warehouse)
        return msgspec.structs.replace(shown(total), shares=shares, is_empty=not total.figures["requests"])

    return await sealed_response(found(), service, organization_id, where)
