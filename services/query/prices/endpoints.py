"""The operator's own prices: listed, added and ended. What was charged before stays as it is until a re-pricing."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Response

from schemas.api.prices import AddedPriceView, EndPriceRequest, PriceRequest, PricesView
from schemas.api.requests import UTC_NAME, TimeZone
from schemas.errors import NotFound
from schemas.price import OperatorPrice, PriceTerms
from services.domain.pricing.price_book import LayeredPrices, model_matches
from services.domain.pricing.price_input import GivenPrices, GivenTier, terms_of
from services.domain.providers.catalog import is_same_provider
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Admin, Reader
from services.query.http.responses import data_response
from services.query.prices.billed_models import other_billed_models
from services.query.prices.views import operator_price_view, price_view
from services.query.reports.period import parse_timestamp
from services.query.time_zone import zone_of

Provider = Annotated[str, Query(description="Only rows for it, by any of its names")]
Model = Annotated[str, Query(description="Only rows whose pattern matches it")]
At = Annotated[str | None, Query(description="ISO 8601; the prices of that timestamp, by default now")]
Tier = Annotated[str, Query(description="By default the standard one")]


async def list_prices(
    organization_id: Reader,
    service: ServiceDep,
    provider: Provider = "",
    model: Model = "",
    at: At = None,
    service_tier: Tier = "",
    time_zone: TimeZone = UTC_NAME,
) -> Response:
    """The organization's own prices; with a provider and a model, also what a request would be charged by."""
    zone = zone_of(time_zone, "time_zone")
    timestamp = service.clock.now() if at is None else parse_timestamp(at, "at", zone)
    rows = await service.price_rows.list_prices(organization_id)
    is_named = bool(provider and model)
    shipped = service.shipped.price_at(provider, model, timestamp, service_tier) if is_named else None
    book = LayeredPrices(service.shipped, rows)
    in_force = book.price_at(provider, model, timestamp, service_tier) if is_named else None
    view = PricesView(
        rows=[operator_price_view(row) for row in rows if _is_about(row, provider, model)],
        shipped=None if shipped is None else price_view(shipped),
        in_force=None if in_force is None else price_view(in_force),
    )
    return data_response(view)


async def add_price(body: PriceRequest, organization_id: Admin, service: ServiceDep) -> Response:
    """A price of the organization's own. It counts for new requests within seconds, and for no old one."""
    terms = terms_of_request(body, service.clock.now())
    others = await other_billed_models(organization_id, terms, service)
    added = operator_price_view(await service.price_rows.add_price(organization_id, terms))
    return data_response(AddedPriceView(**dict(added), other_billed_models=others), 201)


async def end_price(
    price_id: str, organization_id: Admin, service: ServiceDep, body: EndPriceRequest | None = None
) -> Response:
    """Ends a price, now or at another timestamp. The row is kept."""
    body = body or EndPriceRequest(at=None)
    zone = zone_of(body.time_zone, "time_zone")
    at = service.clock.now() if body.at is None else parse_timestamp(body.at, "at", zone)
    row_id = price_id.removeprefix("operator/")
    if not await service.price_rows.end_price(organization_id, row_id, at):
        raise NotFound(
            f"no price of this organization has the id {row_id!r} and is valid at {at:%Y-%m-%dT%H:%M:%SZ} or later"
        )
    return data_response(operator_price_view(await _row(service, organization_id, row_id)))


async def _row(service: Service, organization_id: str, row_id: str) -> OperatorPrice:
    rows = await service.price_rows.list_prices(organization_id)
    return next(row for row in rows if row.id == row_id)


def terms_of_request(body: PriceRequest, now: datetime) -> PriceTerms:
    """Raises: InvalidRequest."""
    tiers = [
        GivenTier(above_tokens=tier.above_tokens, usd_per_million_tokens=tier.usd_per_million_tokens)
        for tier in body.tiers
    ]
    zone = zone_of(body.time_zone, "time_zone")
    given = GivenPrices(
        usd_per_million_tokens=body.usd_per_million_tokens,
        usd_per_hour=body.usd_per_hour,
        usd_per_unit=body.usd_per_unit,
        usd_per_request=body.usd_per_request,
        tiers=tiers,
    )
    return terms_of(
        given,
        model=body.model,
        provider=body.provider,
        service_tier=body.service_tier,
        valid_from=now if body.valid_from is None else parse_timestamp(body.valid_from, "valid_from", zone),
        valid_until=None if body.valid_until is None else parse_timestamp(body.valid_until, "valid_until", zone),
    )


def _is_about(row: OperatorPrice, provider: str, model: str) -> bool:
    if provider and row.provider and not is_same_provider(row.provider, provider):
        return False
    return not model or model_matches(row.model, model)
