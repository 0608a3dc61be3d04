"""Whether this process runs, and whether it can answer requests."""

from fastapi import Response

from schemas.errors import Unavailable
from services.query.dependencies import GivenService
from services.query.http.responses import answer, bare
from services.telemetry import CONTENT_TYPE


async def healthy() -> Response:
    """This process runs."""
    return answer("ok")


async def healthcheck() -> Response:
    """The same, as Helicone's clients ask and read it."""
    return bare({"status": "healthy :)"}, {})


async def ready(service: GivenService) -> Response:
    """The stores respond: keys can be checked, and a report can be run. What comes in is counted, too."""
    if trouble := service.trouble():
        raise Unavailable(trouble)
    await service.readiness.check()
    return answer("ok")


async def metrics_page(service: GivenService) -> Response:
    """What this process counts, for Prometheus."""
    return Response(service.metrics.exposition(), media_type=CONTENT_TYPE)
