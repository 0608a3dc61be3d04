"""The log routes of the proxy, which this service has too: Helicone's clients know one base URL for all they do."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.routing import Route

from services.domain.logging_api.event import LOG_PATHS
from services.domain.logging_api.feedback import FEEDBACK_PATH
from services.domain.logging_api.otlp.export import OTLP_PATHS

LogApp = Callable[[dict[str, Any], Any, Any], Awaitable[None]]  # an object that is an ASGI application


def log_router(logs: LogApp) -> APIRouter:
    """`logs` takes the calls; it checks keys and bodies by itself."""
    paths = (*LOG_PATHS, *OTLP_PATHS, FEEDBACK_PATH)
    return APIRouter(routes=[Route(path, logs, methods=["POST"], include_in_schema=False) for path in paths])
