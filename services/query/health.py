"""Whether this process runs, and whether it can answer questions."""

from fastapi import Response

from schemas.errors import Unavailable
from schemas.tables import REQUEST_RESPONSE
from services.query.dependencies import GivenService
from services.query.http.responses import answer, bare
from services.sql.compile import compile_report
from services.sql.measures import MEASURES
from services.sql.nodes import Everything, Report
from services.telemetry import CONTENT_TYPE


async def healthy() -> Response:
    """This process runs."""
    return answer("ok")


async def healthcheck() -> Response:
    """The same, as Helicone's clients ask and read it."""
    return bare({"status": "healthy :)"}, {})


async def ready(service: GivenService) -> Response:
    """The stores answer: keys can be checked, and a real question can be asked. What comes in is counted, too."""
    if trouble := service.trouble():
        raise Unavailable(trouble)
    nobody = Report(
        table=REQUEST_RESPONSE, organization_id="", where=Everything(), measures=(MEASURES["cost_usd"],), by=()
    )
    await service.warehouse.query(compile_report(nobody))
    await service.keys.organization_of("")
    return answer("ok")


async def metrics_page(service: GivenService) -> Response:
    """What this process counts, for Prometheus."""
    return Response(service.metrics.exposition(), media_type=CONTENT_TYPE)
