"""The operator's own prices: listed, added and ended. What was charged before stays as it is until a re-pricing."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Response

from schemas.api.prices import AddedPriceView, EndPriceRequest, PriceRequest, PricesView
from schemas.errors import NotFound
from schemas.price import OperatorPrice, PriceTerms
from services.domain.pricing.price_book import LayeredPrices, model_matches
from services.domain.pricing.price_input import GivenPrices, GivenTier, terms_of
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Admin, Reader
from services.query.http.responses import data_response
from services.query.prices.billed_models import other_billed_models
from services.query.prices.views import operator_price_view, price_view
from services.query.reports.period import parse_timestamp

Provider = Annotated[str, Query(description="As requests show it: only rows for it, ignoring case")]
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
) -> Response:
    """The organization's own prices; with a provider and a model, also what a request would be charged by."""
    timestamp = service.clock.now() if at is None else parse_timestamp(at, "at")
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
    """The price holds no more, from now or another timestamp on. The row is kept."""
    given = None if body is None else body.at
    at = service.clock.now() if given is None else parse_timestamp(given, "at")
    row_id = price_id.removeprefix("operator/")
    if not await service.price_rows.end_price(organization_id, row_id, at):
        raise NotFound(f"no price {row_id} of this organization holds at {at.isoformat()} or later")
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
    given = GivenPrices(
        usd_per_million_tokens=body.usd_per_million_tokens,
        usd_per_unit=body.usd_per_unit,
        usd_per_request=body.usd_per_request,
        tiers=tiers,
    )
    return terms_of(
        given,
        model=body.model,
        provider=body.provider,
        service_tier=body.service_tier,
        valid_from=now if body.valid_from is None else parse_timestamp(body.valid_from, "valid_from"),
        valid_until=None if body.valid_until is None else parse_timestamp(body.valid_until, "valid_until"),
    )


def _is_about(row: OperatorPrice, provider: str, model: str) -> bool:
    if provider and row.provider and row.provider.casefold() != provider.casefold():
        return False
    return not model or model_matches(row.model, model)
