"""Models and providers by what was used of them."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import Response

from schemas.api.metrics import CountryMetrics, MetricsPageRequest, ModelMetrics, ProviderMetrics
from schemas.api.requests import View
from schemas.tables import REQUEST_RESPONSE
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.reports.client_time import period_of_range
from services.query.reports.grouped import coverage_of, figures_named, page_of_groups
from services.query.reports.groups import Group
from services.query.reports.sealed import Found, sealed_response, shares_of
from services.query.reports.totals import SPEND
from services.sql.grouping import GroupOrder, Groups
from services.sql.measures import MEASURES
from services.sql.nodes import And, ByColumn
from services.sql.parse import parse_filter

_FIELDS: Final = {
    "total_requests": "requests",
    "total_completion_tokens": "completion_tokens",
    "total_prompt_token": "prompt_tokens",
    "total_tokens": "total_tokens",
    "cost": "cost_usd",
}
_MEASURES: Final = tuple(dict.fromkeys((*(MEASURES[name] for name in _FIELDS.values()), *SPEND)))
_MOST_REQUESTS_FIRST: Final = GroupOrder(measure=0)


async def models(body: MetricsPageRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """The billed models, the most used first."""

    def view(group: Group) -> ModelMetrics:
        return ModelMetrics(model=group.by[0], **_figures(group))

    return await _used("model", view, body, organization_id, service)


async def providers(body: MetricsPageRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """The providers, the most used first."""

    def view(group: Group) -> ProviderMetrics:
        return ProviderMetrics(provider=group.by[0], **_figures(group))

    return await _used("provider", view, body, organization_id, service)


async def countries(body: MetricsPageRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """Where requests came from: that is not recorded, so there is none."""
    return await _used("country_code", _country, body, organization_id, service)


async def _used(
    column: str,
    view: Callable[[Group], View | None],
    body: MetricsPageRequest,
    organization_id: str,
    service: Service,
) -> Response:
    groups = Groups(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And((period_of_range(body.time_filter).filter(), parse_filter(body.filter))),
        by=(ByColumn(REQUEST_RESPONSE.columns[column]),),
        measures=_MEASURES,
    )

    async def found() -> Found:
        page = await page_of_groups(
            groups, _MOST_REQUESTS_FIRST, service.warehouse, limit=body.limit, offset=body.offset
        )
        views = [view(group) for group in page]
        return Found(data=[one for one in views if one], shares=shares_of(page), is_empty=not page)

    return await sealed_response(found(), service, organization_id, groups.where)


def _figures(group: Group) -> dict[str, Any]:
    return figures_named(group, _FIELDS) | {"coverage": coverage_of(group)}


def _country(group: Group) -> CountryMetrics | None:
    name = group.by[0]
    return CountryMetrics(country=name, total_requests=group.figures["requests"]) if name else None
