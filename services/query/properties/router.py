"""The routes of properties."""

from fastapi import APIRouter

from schemas.api.envelopes import WarnedEnvelope
from schemas.api.properties import Done, PropertyOverTime, PropertyView, ValueCost, ValueCount
from schemas.api.requests import Envelope
from services.query.http.error_docs import WITH_BODY
from services.query.http.routing import authenticated_router
from services.query.properties.names import hide_property, list_hidden_properties, list_properties, restore_property
from services.query.properties.values import over_time, search_values, top_costs, top_requests


def properties_router() -> APIRouter:
    router = authenticated_router("/v1/property")
    names, in_time = WarnedEnvelope[list[PropertyView]], WarnedEnvelope[list[PropertyOverTime]]
    router.post("/query", response_model=names)(list_properties)
    router.post("/hidden/query", response_model=Envelope[list[PropertyView]])(list_hidden_properties)
    router.post("/hide", response_model=Envelope[Done], responses=WITH_BODY)(hide_property)
    router.post("/restore", response_model=Envelope[Done], responses=WITH_BODY)(restore_property)
    router.post("/properties/over-time", response_model=in_time, responses=WITH_BODY)(over_time)
    # The path, since names may have a slash.
    router.post("/{key:path}/search", response_model=WarnedEnvelope[list[str]], responses=WITH_BODY)(search_values)
    costs, counts = WarnedEnvelope[list[ValueCost]], WarnedEnvelope[list[ValueCount]]
    router.post("/{key:path}/top-costs/query", response_model=costs, responses=WITH_BODY)(top_costs)
    router.post("/{key:path}/top-requests/query", response_model=counts, responses=WITH_BODY)(top_requests)
    return router
