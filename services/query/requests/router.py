"""The routes of requests."""

from fastapi import APIRouter

from schemas.api.envelopes import PageEnvelope, SealedEnvelope, WarnedEnvelope
from schemas.api.prices import ReceiptView
from schemas.api.requests import BodiesView, Envelope, OneRequestView, RequestView
from services.query.http.csv import CSV_RESPONSE_201
from services.query.http.error_docs import WITH_BODY, WITH_ID, error_responses
from services.query.http.routing import authenticated_router
from services.query.requests.by_id import get_inputs, get_request, query_ids
from services.query.requests.list import count_requests, query_requests
from services.query.requests.receipt import get_receipt
from services.query.requests.signed_body import get_body


def requests_router() -> APIRouter:
    router = authenticated_router("/v1/request")
    page, found = PageEnvelope[list[RequestView]], SealedEnvelope[list[RequestView]]
    for path in ("/query-clickhouse", "/query"):
        router.post(path, status_code=201, response_model=page, responses=WITH_BODY | CSV_RESPONSE_201)(query_requests)
    router.post("/query-ids", response_model=found, responses=WITH_BODY)(query_ids)
    router.post("/count/query", response_model=WarnedEnvelope[int], responses=WITH_BODY)(count_requests)
    router.get("/{request_id}", response_model=Envelope[OneRequestView], responses=WITH_ID)(get_request)
    router.get("/{request_id}/inputs", response_model=Envelope[None], responses=WITH_ID)(get_inputs)
    router.get("/{request_id}/cost", response_model=Envelope[ReceiptView], responses=WITH_ID)(get_receipt)
    return router


def signed_body_router() -> APIRouter:
    """Without a key: the URL is signed."""
    router = APIRouter(prefix="/v1/request", responses=error_responses(403, 503))
    router.get("/{request_id}/body", response_model=BodiesView, responses=WITH_ID)(get_body)
    return router
