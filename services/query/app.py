"""The query service as a FastAPI application. It only includes routers: endpoints are in their packages."""

import warnings
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from pydantic.warnings import UnsupportedFieldAttributeWarning

from services import __version__
from services.query.alerts.router import alerts_router
from services.query.amendments.router import amendments_router, session_amendments_router
from services.query.budgets.router import budgets_router, spend_router
from services.query.channels.router import channels_router, scheduled_reports_router
from services.query.dashboard.router import PATH, dashboard_router
from services.query.dependencies import Service
from services.query.exports.router import exports_router
from services.query.health import health_router
from services.query.http.error_docs import error_schemas
from services.query.http.errors import add_error_handlers
from services.query.http.trusted_hosts import TrustedHostsMiddleware
from services.query.keys.router import keys_router
from services.query.log_routes import LogApp, log_router
from services.query.metrics.router import cache_router, metrics_router, scores_router
from services.query.prices.router import prices_router
from services.query.properties.router import properties_router
from services.query.reports.router import reports_router
from services.query.reprices.router import reprices_router
from services.query.requests.router import requests_router, signed_body_router
from services.query.response_cache import response_cache_router
from services.query.savings.router import savings_router
from services.query.sessions.router import sessions_router
from services.query.system import system_router
from services.query.upstreams.router import upstreams_router
from services.query.users.router import users_router
from services.query.value.router import value_router

_ABOUT = """What LLM traffic cost. Responses have Helicone's shape; a cost that is unknown is null and never zero.
Amounts are exact: parse them as decimals where the last digit counts."""

# It is about FastAPI's own fields, which silences it where it compiles them; models compile at their first use.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)


def create_app(service: Service, *, logs: LogApp, hosts: Collection[str] = ()) -> FastAPI:
    """Its interactive documentation is at /docs and needs no internet.

    `logs` takes the calls that are logged afterwards. `hosts`: names, as `host_names` parses them, under which pages
    that need no key are shown too.
    """
    app = _app_of(service)
    app.add_api_route("/", _dashboard, methods=["GET"], include_in_schema=False)
    routers = (
        *(health_router(), log_router(logs)),
        *(requests_router(), amendments_router(), signed_body_router(), exports_router()),
        *(reports_router(), prices_router(), reprices_router(), savings_router(), value_router()),
        *(users_router(), session_amendments_router(), sessions_router(), properties_router()),
        *(metrics_router(), scores_router(), cache_router(), response_cache_router()),
        *(alerts_router(), channels_router(), scheduled_reports_router()),
        *(budgets_router(), spend_router()),
        *(keys_router(), upstreams_router(), system_router(), dashboard_router()),
    )
    for router in routers:
        app.include_router(router)
    app.state.routers = [app.router, *routers]
    add_error_handlers(app)
    app.add_middleware(TrustedHostsMiddleware, names=hosts)
    return app


def _app_of(service: Service) -> FastAPI:
    """Without routes yet."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.repricing.close()
        await service.keys.close()
        await service.sessions.close()
        await service.ledger_spend.close()
        await service.seals.close()

    app = FastAPIOffline(title="Farebox", description=_ABOUT, version=__version__, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    without_errors = app.openapi

    def openapi() -> dict[str, Any]:
        document = without_errors()
        schemas = document["components"]["schemas"]
        document["components"]["schemas"] = dict(sorted((schemas | error_schemas()).items()))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
    return app


async def _dashboard() -> RedirectResponse:
    return RedirectResponse(f"{PATH}/")
