"""Requests that fulfil a filter: pages of them, and how many there are."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from fastapi import Response

from schemas.api.requests import QueryRequest, RequestView
from schemas.tables import REQUEST_RESPONSE, Operator
from services.ports import Row
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv, requests_csv
from services.query.http.responses import data_response
from services.query.requests.bodies import BodyForm, bodies_of, body_form
from services.query.requests.body_urls import BodyUrls, BodyUrlsDep
from services.query.requests.paging import page_of
from services.query.requests.views import view_of
from services.sql.compile import compile_report
from services.sql.measures import MEASURES
from services.sql.nodes import And, Filter, Listing, Not, Report, comparison
from services.sql.parse import parse_filter
from services.sql.sort import parse_order

_CLOCKS_DIFFER_BY = timedelta(minutes=5)  # rows further in the future are not shown, as in Helicone


async def query_requests(
    body: QueryRequest, organization_id: Reader, service: ServiceDep, urls: BodyUrlsDep, as_csv: WantsCsv
) -> Response:
    """A page of requests that fulfil a filter; with `Accept: text/csv` as CSV, where what is unknown is empty."""
    listing = Listing(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=_where(body, service),
        order_by=parse_order(body.sort),
        limit=body.limit,
        offset=body.offset,
    )
    rows = await page_of(listing, service.warehouse)
    form = body_form(included=body.include_inputs, raw_events=body.raw_events)
    views = await views_of(organization_id, rows, service, urls, form)
    return requests_csv(views) if as_csv else data_response(views, 201)


async def count_requests(body: QueryRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """How many requests fulfil a filter."""
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=_where(body, service),
        measures=(MEASURES["requests"],),
    )
    (total,) = await service.warehouse.query(compile_report(report))
    return data_response(total["m0"])


def _where(body: QueryRequest, service: Service) -> Filter:
    latest = (service.clock.now() + _CLOCKS_DIFFER_BY).replace(microsecond=0)
    terms = [parse_filter(body.filter), comparison("request_created_at", Operator.LTE, latest)]
    if body.is_scored is not None:
        unscored = comparison("scores_column", Operator.EQUALS, "{}")
        terms.append(Not(unscored) if body.is_scored else unscored)
    return And(tuple(terms))


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
