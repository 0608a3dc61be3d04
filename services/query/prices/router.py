"""The routes of prices."""

from fastapi import APIRouter

from schemas.api.disputes import DisputedCosts
from schemas.api.envelopes import SealedEnvelope
from schemas.api.prices import AddedPriceView, OperatorPriceView, PricesView, UsedPrices
from schemas.api.reprices import UnknownModels
from schemas.api.requests import Envelope
from services.query.http.error_docs import WITH_BODY, WITH_ID, WITH_QUERY
from services.query.http.routing import authenticated_router
from services.query.prices.disputed import disputed_costs
from services.query.prices.endpoints import add_price, end_price, list_prices
from services.query.prices.unpriced import unknown_models
from services.query.prices.used import used_prices


def prices_router() -> APIRouter:
    router = authenticated_router("/v1/prices")
    ended, ended_errors = Envelope[OperatorPriceView], WITH_BODY | WITH_ID
    router.get("", response_model=Envelope[PricesView], responses=WITH_QUERY)(list_prices)
    router.post("", status_code=201, response_model=Envelope[AddedPriceView], responses=WITH_BODY)(add_price)
    router.post("/{price_id}/end", response_model=ended, responses=ended_errors)(end_price)
    router.get("/used", response_model=SealedEnvelope[UsedPrices], responses=WITH_QUERY)(used_prices)
    router.get("/unknown", response_model=SealedEnvelope[UnknownModels], responses=WITH_QUERY)(unknown_models)
    router.get("/disputed", response_model=SealedEnvelope[DisputedCosts], responses=WITH_QUERY)(disputed_costs)
    return router
