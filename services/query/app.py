"""Every path of the query service, and what answers it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from starlette.routing import Route

from schemas.api.prices import AddedPriceView, OperatorPriceView, PricesView, ReceiptView
from schemas.api.reports import ReportView, Summary
from schemas.api.reprices import RepriceView, UnknownModels
from schemas.api.requests import Answer, BodiesView, OneRequestView, RequestView
from schemas.price import ShippedBook
from services import __version__
from services.domain.logging_api.event import LOG_PATHS
from services.ports import AmendableWarehouse, Clock, KeyStore, PriceRows, Reprices, Secrets
from services.query.dependencies import Service
from services.query.health import healthcheck, healthy, metrics_page, ready
from services.query.http.csv import CSV_TOO
from services.query.http.error_docs import Responses, refusals
from services.query.http.responses import ExactRoute, answer_errors
from services.query.http.trusted_hosts import TrustedNames
from services.query.prices.endpoints import add_price, end_price, list_prices
from services.query.prices.unpriced import unknown_models
from services.query.reports.report import report, report_summary
from services.query.reprices import begin_reprice, get_reprice, list_reprices, undo_reprice
from services.query.requests.by_id import get_request, query_ids
from services.query.requests.list import count_requests, query_requests
from services.query.requests.receipt import get_receipt
from services.query.requests.signed_body import get_body
from services.telemetry import QUERY_METRICS, Metrics

Logs = Callable[[dict[str, Any], Any, Any], Awaitable[None]]  # an object that is an ASGI application

_ABOUT = """What LLM traffic cost. Answers have Helicone's shape; a cost that is unknown is null and never zero.
Amounts are exact: read them as decimals where the last digit counts."""


def create_app(
    *,
    warehouse: AmendableWarehouse,
    keys: KeyStore,
    price_rows: PriceRows,
    shipped: ShippedBook,
    reprices: Reprices,
    clock: Clock,
    secrets: Secrets,
    logs: Logs,
    metrics: Metrics | None = None,
    trouble: Callable[[], str] = str,
    public_url: str = "",
    hosts: Collection[str] = (),
) -> FastAPI:
    """The query service. Its interactive documentation is at /docs and needs no internet.

    `logs` takes the calls that are logged afterwards, on the paths that the proxy has too.
    `metrics` of this process, for Prometheus; by default there are none to show.
    `trouble`: what keeps a worker in this process from its work, if there is one; "" when nothing does.
    `public_url`: where clients reach it, for the URLs that it gives; '' for the address that each of them asked.
    `hosts`: names, as `host_names` reads them, under which pages that need no key are shown too.
    """
    service = Service(
        warehouse=warehouse,
        keys=keys,
        price_rows=price_rows,
        shipped=shipped,
        reprices=reprices,
        clock=clock,
        secrets=secrets,
        metrics=metrics or Metrics(QUERY_METRICS),
        trouble=trouble,
        public_url=public_url.rstrip("/"),
    )

    app = _app_of(service)
    answer_errors(app)
    _add_pages(app)
    for path in LOG_PATHS:
        app.router.routes.append(Route(path, logs, methods=["POST"], include_in_schema=False))
    app.state.routers = [app.router]
    for routes in (_requests(), _signed(), _reports(), _prices(), _reprices()):
        app.include_router(routes)
        app.state.routers.append(routes)
    app.add_middleware(TrustedNames, names=hosts)
    return app


def _app_of(service: Service) -> FastAPI:
    """Without any path yet."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.repricing.close()
        await service.keys.close()

    app = FastAPIOffline(title="Farebox", description=_ABOUT, version=__version__, redoc_url=None, lifespan=running)
    app.state.service = service
    return app


def _add_pages(app: FastAPI) -> None:
    app.add_api_route("/", _documentation, methods=["GET"], include_in_schema=False)
    app.add_api_route("/healthz", healthy, methods=["GET"], response_model=Answer[str])
    app.add_api_route("/healthcheck", healthcheck, methods=["GET"], include_in_schema=False)
    app.add_api_route("/metrics", metrics_page, methods=["GET"], include_in_schema=False)
    app.add_api_route("/readyz", ready, methods=["GET"], response_model=Answer[str], responses=refusals(503))


async def _documentation() -> RedirectResponse:
    return RedirectResponse("/docs")


def _routes(prefix: str) -> APIRouter:
    return APIRouter(prefix=prefix, route_class=ExactRoute, responses=refusals(401, 403, 503))


_QUESTION: Final = refusals(422)
_WITH_BODY: Final = refusals(413, 422)
_WITH_ID: Final = refusals(404, 422)


def _requests() -> APIRouter:
    routes = _routes("/v1/request")
    post, get = partial(routes.add_api_route, methods=["POST"]), partial(routes.add_api_route, methods=["GET"])
    page = Answer[list[RequestView]]
    for path in ("/query-clickhouse", "/query"):
        post(path, query_requests, status_code=201, response_model=page, responses=_WITH_BODY | CSV_TOO)
    post("/query-ids", query_ids, response_model=page, responses=_WITH_BODY)
    post("/count/query", count_requests, response_model=Answer[int], responses=_WITH_BODY)
    get("/{request_id}", get_request, response_model=Answer[OneRequestView], responses=_WITH_ID)
    get("/{request_id}/cost", get_receipt, response_model=Answer[ReceiptView], responses=_WITH_ID)
    return routes


def _signed() -> APIRouter:
    """For whoever has a URL that was signed here: no key is asked for."""
    routes = APIRouter(prefix="/v1/request", responses=refusals(403, 503))
    routes.add_api_route("/{request_id}/body", get_body, response_model=BodiesView, responses=_WITH_ID)
    return routes


def _reports() -> APIRouter:
    routes = _routes("/v1/report")
    post, get = partial(routes.add_api_route, methods=["POST"]), partial(routes.add_api_route, methods=["GET"])
    post("", report, response_model=Answer[ReportView], responses=_WITH_BODY | CSV_TOO)
    get("/summary", report_summary, response_model=Answer[Summary], responses=_QUESTION)
    return routes


def _prices() -> APIRouter:
    routes = _routes("/v1/prices")
    post, get = partial(routes.add_api_route, methods=["POST"]), partial(routes.add_api_route, methods=["GET"])
    get("", list_prices, response_model=Answer[PricesView], responses=_QUESTION)
    post("", add_price, status_code=201, response_model=Answer[AddedPriceView], responses=_WITH_BODY)
    post("/{price_id}/end", end_price, response_model=Answer[OperatorPriceView], responses=_WITH_BODY | _WITH_ID)
    get("/unknown", unknown_models, response_model=Answer[UnknownModels], responses=_QUESTION)
    return routes


def _reprices() -> APIRouter:
    routes = _routes("/v1/reprice")
    post, get = partial(routes.add_api_route, methods=["POST"]), partial(routes.add_api_route, methods=["GET"])
    run = Answer[RepriceView]
    going_on: Responses = {202: {"model": run, "description": "It goes on: look again at its id"}}
    post("", begin_reprice, response_model=run, responses=going_on | _WITH_BODY | refusals(409))
    get("", list_reprices, response_model=Answer[list[RepriceView]])
    get("/{reprice_id}", get_reprice, response_model=run, responses=_WITH_ID)
    post("/{reprice_id}/undo", undo_reprice, response_model=run, responses=going_on | _WITH_ID | refusals(409))
    return routes
