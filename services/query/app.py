"""Every path of the query service, and what answers it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from schemas.api import Answer, ReportView, RequestView, Summary
from schemas.api_prices import OperatorPriceView, PricesView, ReceiptView
from schemas.api_reprice import RepriceView, UnknownModels
from schemas.price import PriceBook
from services.ports import AmendableWarehouse, Clock, KeyStore, PriceRows, Reprices
from services.query.answers import ExactRoute, answer_errors
from services.query.by_id import get_request, query_ids
from services.query.csv_answers import CSV_TOO
from services.query.health import healthy, ready
from services.query.prices import add_price, end_price, list_prices
from services.query.receipts import get_receipt
from services.query.reports import report, report_summary
from services.query.reprice import begin_reprice, get_reprice, list_reprices, undo_reprice
from services.query.requests import count_requests, query_requests
from services.query.service import Service
from services.query.unknown import unknown_models

_ABOUT = """What LLM traffic cost. Answers have Helicone's shape; a cost that is unknown is null and never zero.
Amounts are exact: read them as decimals where the last digit counts."""


def create_app(
    *,
    warehouse: AmendableWarehouse,
    keys: KeyStore,
    price_rows: PriceRows,
    shipped: PriceBook,
    reprices: Reprices,
    clock: Clock,
) -> FastAPI:
    """The query service. Its interactive documentation is at /docs and needs no internet."""
    service = Service(
        warehouse=warehouse, keys=keys, price_rows=price_rows, shipped=shipped, reprices=reprices, clock=clock
    )

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.repricing.close()

    app = FastAPIOffline(
        title="Farebox",
        description=_ABOUT,
        version="1",
        redoc_url=None,
        lifespan=running,
    )
    app.state.service = service
    app.router.route_class = ExactRoute
    answer_errors(app)
    _add_routes(app)
    return app


def _add_routes(app: FastAPI) -> None:
    add = app.add_api_route
    page, csv = Answer[list[RequestView]], CSV_TOO
    add(
        "/v1/request/query-clickhouse",
        query_requests,
        methods=["POST"],
        status_code=201,
        response_model=page,
        responses=csv,
    )
    add("/v1/request/query", query_requests, methods=["POST"], status_code=201, response_model=page, responses=csv)
    add("/v1/request/query-ids", query_ids, methods=["POST"], response_model=page)
    add("/v1/request/count/query", count_requests, methods=["POST"], response_model=Answer[int])
    add("/v1/request/{request_id}", get_request, methods=["GET"], response_model=Answer[RequestView])
    add("/v1/request/{request_id}/cost", get_receipt, methods=["GET"], response_model=Answer[ReceiptView])
    add("/v1/report", report, methods=["POST"], response_model=Answer[ReportView], responses=csv)
    add("/v1/report/summary", report_summary, methods=["GET"], response_model=Answer[Summary])
    add("/v1/prices", list_prices, methods=["GET"], response_model=Answer[PricesView])
    add("/v1/prices", add_price, methods=["POST"], status_code=201, response_model=Answer[OperatorPriceView])
    add("/v1/prices/{price_id}/end", end_price, methods=["POST"], response_model=Answer[OperatorPriceView])
    add("/v1/prices/unknown", unknown_models, methods=["GET"], response_model=Answer[UnknownModels])
    add("/v1/reprice", begin_reprice, methods=["POST"], response_model=Answer[RepriceView])
    add("/v1/reprice", list_reprices, methods=["GET"], response_model=Answer[list[RepriceView]])
    add("/v1/reprice/{reprice_id}", get_reprice, methods=["GET"], response_model=Answer[RepriceView])
    add("/v1/reprice/{reprice_id}/undo", undo_reprice, methods=["POST"], response_model=Answer[RepriceView])
    add("/healthz", healthy, methods=["GET"], response_model=Answer[str])
    add("/readyz", ready, methods=["GET"], response_model=Answer[str])
