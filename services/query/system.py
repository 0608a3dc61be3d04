"""What runs, and what is kept: the facts of an operator, for the settings page."""

from typing import Final

from fastapi import APIRouter, Response

from schemas.api.envelopes import SealedEnvelope
from schemas.api.seal import seal_view
from schemas.api.system import SystemView
from services import __version__
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.query.http.routing import authenticated_router

BODIES_KEPT_DAYS: Final = 90  # as clickhouse/0002_request_response_body.sql has it


def system_router() -> APIRouter:
    router = authenticated_router("/v1/system")
    router.get("", response_model=SealedEnvelope[SystemView])(show_system)
    return router


async def show_system(_: Reader, service: ServiceDep) -> Response:
    """Releases, what this process keeps of calls, and how complete totals are."""
    seal = await service.seals.current()
    recording = service.recording
    health = service.metrics.health
    warnings = health.current_warnings()
    view = SystemView(
        version=__version__,
        pricing_release=service.shipped.release,
        warnings=[health.unhealthy_reason, *warnings] if health.unhealthy_reason else list(warnings),
        omit_bodies=recording.omission,
        capture_bytes=recording.capture_bytes,
        missing_tags=recording.missing_tags,
        bodies_kept_days=BODIES_KEPT_DAYS,
    )
    return data_response(view, seal=seal_view(seal, priced_request_share=None, priced_token_share=None))
