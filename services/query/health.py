"""Whether this process runs, and whether it can respond to queries."""

from fastapi import APIRouter, Response

from schemas.api.requests import Envelope
from schemas.errors import Unavailable
from services.query.dependencies import ServiceDep
from services.query.http.error_docs import error_responses
from services.query.http.responses import data_response, json_response
from services.telemetry import CONTENT_TYPE


def health_router() -> APIRouter:
    """Without a key."""
    router = APIRouter()
    router.get("/healthz", response_model=Envelope[str])(healthy)
    router.get("/healthcheck", include_in_schema=False)(healthcheck)
    router.get("/readyz", response_model=Envelope[str], responses=error_responses(503))(ready)
    router.get("/metrics", include_in_schema=False)(metrics_page)
    return router


async def healthy() -> Response:
    """This process runs."""
    return data_response("ok")


async def healthcheck() -> Response:
    """The same, as Helicone's clients request and parse it."""
    return json_response({"status": "healthy :)"})


async def ready(service: ServiceDep) -> Response:
    """The stores respond: keys can be checked, and a report can be run. What comes in is counted, too."""
    if reason := service.metrics.health.unhealthy_reason:
        raise Unavailable(reason)
    await service.readiness.check()
    return data_response("ok")


async def metrics_page(service: ServiceDep) -> Response:
    """What this process counts, for Prometheus."""
    return Response(service.metrics.exposition(), media_type=CONTENT_TYPE)
