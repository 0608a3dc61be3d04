"""The query service as a FastAPI application. It only includes routers: endpoints are in their packages."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from services import __version__
from services.query.dependencies import Service
from services.query.health import health_router
from services.query.http.errors import add_error_handlers
from services.query.http.trusted_hosts import TrustedHostsMiddleware
from services.query.log_routes import LogApp, log_router
from services.query.prices.router import prices_router
from services.query.reports.router import reports_router
from services.query.reprices.router import reprices_router
from services.query.requests.router import requests_router, signed_body_router

_ABOUT = """What LLM traffic cost. Responses have Helicone's shape; a cost that is unknown is null and never zero.
Amounts are exact: parse them as decimals where the last digit counts."""


def create_app(service: Service, *, logs: LogApp, hosts: Collection[str] = ()) -> FastAPI:
    """Its interactive documentation is at /docs and needs no internet.

    `logs` takes the calls that are logged afterwards. `hosts`: names, as `host_names` parses them, under which pages
    that need no key are shown too.
    """
    app = _app_of(service)
    app.add_api_route("/", _documentation, methods=["GET"], include_in_schema=False)
    routers = (
        *(health_router(), log_router(logs)),
        *(requests_router(), signed_body_router(), reports_router(), prices_router(), reprices_router()),
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

    app = FastAPIOffline(title="Farebox", description=_ABOUT, version=__version__, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    return app


async def _documentation() -> RedirectResponse:
    return RedirectResponse("/docs")
