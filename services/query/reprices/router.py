"""The routes of re-pricing runs."""

from fastapi import APIRouter

from schemas.api.reprices import RepriceView
from schemas.api.requests import Envelope
from services.query.http.error_docs import WITH_BODY, WITH_ID, Responses, error_responses
from services.query.http.routing import authenticated_router
from services.query.reprices.endpoints import begin_reprice, get_reprice, list_reprices, undo_reprice


def reprices_router() -> APIRouter:
    router = authenticated_router("/v1/reprice")
    run, conflict = Envelope[RepriceView], error_responses(409)
    accepted: Responses = {202: {"model": run, "description": "It goes on: look again at its id"}}
    router.post("", response_model=run, responses=accepted | WITH_BODY | conflict)(begin_reprice)
    router.get("", response_model=Envelope[list[RepriceView]])(list_reprices)
    router.get("/{reprice_id}", response_model=run, responses=WITH_ID)(get_reprice)
    router.post("/{reprice_id}/undo", response_model=run, responses=accepted | WITH_ID | conflict)(undo_reprice)
    return router
