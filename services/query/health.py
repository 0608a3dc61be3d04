"""Whether this process runs, and whether it can respond to queries."""

from typing import Literal

from fastapi import APIRouter, Response

from schemas.api.envelopes import SealedEnvelope
from schemas.api.requests import Envelope
from schemas.api.seal import seal_view
from schemas.errors import Unavailable
from services.query.dependencies import ServiceDep
from services.query.http.error_docs import error_responses
from services.query.http.responses import data_response, json_response
from services.telemetry.metrics import CONTENT_TYPE


class ReadyView(SealedEnvelope[Literal["ok", "degraded"]]):
    """Whether the service is ready, and what an operator should look at all the same."""

    warnings: list[str]


def health_router() -> APIRouter:
    """Without a key."""
    router = APIRouter()
    router.get("/healthz", response_model=Envelope[str])(healthy)
    router.get("/healthcheck", include_in_schema=False)(healthcheck)
    router.get("/readyz", response_model=ReadyView, responses=error_responses(503))(ready)
    router.get("/metrics", include_in_schema=False)(metrics_page)
    return router


async def healthy() -> Response:
    """This process runs."""
    return data_response("ok")


async def healthcheck() -> Response:
    """The same, as Helicone's clients request and parse it."""
    return json_response({"status": "healthy :)"})


async def ready(service: ServiceDep) -> Response:
    """The stores respond: keys can be checked, and a report can be run.

    `degraded`, and still 200, when events are not counted in time: no restart of this service would help.
    """
    if reason := service.metrics.health.unhealthy_reason:
        raise Unavailable(reason)
    await service.readiness.check()
    await service.alert_watch.look()
    seal = await service.seals.current()
    warnings = service.metrics.health.current_warnings()
    view = seal_view(seal, priced_request_share=None, priced_token_share=None)
    state = {"data": "degraded" if warnings else "ok", "error": None}
    return json_response(state | {"warnings": warnings, "seal": view})


async def metrics_page(service: ServiceDep) -> Response:
    """What this process counts, for Prometheus."""
    await service.seals.current()
    await service.alert_watch.look()
    return Response(service.metrics.exposition(), media_type=CONTENT_TYPE)
