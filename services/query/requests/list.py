"""Requests that fulfil a filter: pages of them, and how many there are."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from fastapi import Response

from schemas.api.requests import QueryRequest, RequestView
from schemas.tables import REQUEST_RESPONSE, Operator
from services.ports.warehouse import Row
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv, header_block, requests_csv
from services.query.http.responses import data_response
from services.query.reports.sealed import run_sealed_report, seal_of_rows
from services.query.requests.bodies import BodyForm, bodies_of, body_form
from services.query.requests.body_urls import BodyUrls, BodyUrlsDep
from services.query.requests.page_cursor import key_behind, next_cursor
from services.query.requests.paging import Page, page_of
from services.query.requests.views import view_of
from services.query.time_zone import zone_of
from services.sql.measures import ROWS
from services.sql.names import names_of
from services.sql.nodes import And, Filter, Listing, Not, Report, comparison
from services.sql.parse import parse_filter
from services.sql.scope import bounds_of
from services.sql.sort import parse_order

_CLOCKS_DIFFER_BY = timedelta(minutes=5)  # rows further in the future are not shown, as in Helicone


async def query_requests(
    body: QueryRequest, organization_id: Reader, service: ServiceDep, urls: BodyUrlsDep, as_csv: WantsCsv
) -> Response:
    """A page of requests that fulfil a filter; with `Accept: text/csv` as CSV, where what is unknown is empty."""
    where, order = parse_filter(body.filter, zone_of(body.time_zone)), parse_order(body.sort)
    listing = Listing(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=_scored(where, body),
        order_by=order,
        limit=body.limit,
        offset=body.offset,
        latest=_latest(service),
    )
    behind = await key_behind(body, order, organization_id, service)
    seal = await service.seals.current()
    page, warnings = await service.names.beside(
        organization_id,
        names_of(where, [] if order.key is None else [order.key]),
        page_of(listing, service.warehouse, behind),
        is_empty=lambda page: not page.rows,
    )
    form = body_form(included=body.include_inputs, raw_events=body.raw_events)
    views = await views_of(organization_id, page.rows, service, urls, form)
    sealed = seal_of_rows(seal, page.rows)
    beside: dict[str, object] = {"total_rows": page.total_rows, "has_more": page.has_more, "warnings": warnings}
    beside["next_cursor"] = await next_cursor(page, body, order, organization_id, service)
    if as_csv:
        block = header_block(
            "requests",
            bounds_of(where),
            body.time_zone,
            _rows_named(page, body.offset, is_first=behind is None),
            service.shipped.release,
            sealed,
        )
        return requests_csv(views, block, **beside)
    return data_response(views, 201, seal=sealed, **beside)


async def count_requests(body: QueryRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """How many requests fulfil a filter."""
    where = parse_filter(body.filter, zone_of(body.time_zone))
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And((_scored(where, body), comparison("request_created_at", Operator.LTE, _latest(service)))),
        measures=(ROWS,),
    )
    (seal, total, _), warnings = await service.names.beside(
        organization_id,
        names_of(where),
        run_sealed_report(report, service),
        is_empty=lambda found: not found[1].figures["requests"],
    )
    return data_response(total.figures["requests"], seal=seal, warnings=warnings)


def _rows_named(page: Page, offset: int, *, is_first: bool) -> str:
    """Which of all rows are on `page`; where a cursor led to it, nobody knows how many are before it."""
    uncounted = "more" if page.has_more else "unknown"
    total = uncounted if page.total_rows is None else page.total_rows
    if not is_first:
        return f"the next {len(page.rows)} of {total}" if page.rows else f"none of {total}"
    return f"{offset + 1} to {offset + len(page.rows)} of {total}" if page.rows else f"none of {total}"


def _latest(service: Service) -> datetime:
    """What was created later is not shown."""
    return (service.clock.now() + _CLOCKS_DIFFER_BY).replace(microsecond=0)


def _scored(where: Filter, body: QueryRequest) -> Filter:
    """`where`, and whether there are scores."""
    if body.is_scored is None:
        return where
    unscored = comparison("scores_column", Operator.EQUALS, "{}")
    return And((where, Not(unscored) if body.is_scored else unscored))


async def views_of(
    organization_id: str, rows: Sequence[Row], service: Service, urls: BodyUrls, form: BodyForm
) -> list[RequestView]:
    """Stored rows as clients see them, in their order. Raises: InvalidRequest, StoreUnavailable."""
    bodies = await bodies_of(organization_id, rows, service, form)
    spellings = await service.property_names.spellings_of(
        organization_id, {key for row in rows for key in row["properties"]}
    )
    # In a thread: the bodies of one response may take seconds to look through.
    return await asyncio.to_thread(
        lambda: [
            view_of(row, spellings, shown, organization_id=organization_id, body_url=urls.of(organization_id, row))
            for row, shown in zip(rows, bodies, strict=True)
        ]
    )
