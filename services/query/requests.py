"""Requests that fulfil a filter: pages of them, and how many there are."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from fastapi import Response

from schemas.api import QueryRequest, RequestView
from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_BODY, REQUEST_RESPONSE, Operator
from services.ports import Warehouse
from services.query.answers import answer
from services.query.auth import Reader
from services.query.csv_answers import WantsCsv, requests_csv
from services.query.pages import page_of
from services.query.service import GivenService, Service
from services.query.views import Row, view_of
from services.sql.measures import BODY_BYTES, MEASURES
from services.sql.nodes import And, Filter, HasKey, Key, Listing, Not, Report, comparison, key_of
from services.sql.order import NEWEST_FIRST, parse_order
from services.sql.parse import parse_filter
from services.sql.printer import print_listing, print_report

MAX_BODIES_BYTES: Final = 64 * 2**20  # of one answer: in memory it takes several times that
_CLOCKS_DIFFER_BY = timedelta(minutes=5)  # rows further in the future are not shown, as in Helicone


async def query_requests(
    body: QueryRequest, organization_id: Reader, service: GivenService, as_csv: WantsCsv
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
    views = await views_of(organization_id, rows, service, with_bodies=body.include_inputs)
    return requests_csv(views) if as_csv else answer(views, 201)


async def count_requests(body: QueryRequest, organization_id: Reader, service: GivenService) -> Response:
    """How many requests fulfil a filter."""
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=_where(body, service),
        measures=(MEASURES["requests"],),
    )
    (total,) = await service.warehouse.query(print_report(report))
    return answer(total["m0"])


def _where(body: QueryRequest, service: Service) -> Filter:
    latest = (service.clock.now() + _CLOCKS_DIFFER_BY).replace(microsecond=0)
    terms = [parse_filter(body.filter), comparison("request_created_at", Operator.LTE, latest)]
    if body.is_cached is not None:
        terms.append(comparison("cached", Operator.EQUALS, body.is_cached))
    if body.is_scored is not None:
        unscored = comparison("scores_column", Operator.EQUALS, "{}")
        terms.append(Not(unscored) if body.is_scored else unscored)
    return And(tuple(terms))


async def views_of(
    organization_id: str, rows: Sequence[Row], service: Service, *, with_bodies: bool
) -> list[RequestView]:
    """Stored rows as callers see them, in their order. Raises: InvalidRequest, StoreUnavailable."""
    bodies = await _bodies(organization_id, rows, service) if with_bodies and rows else {}
    spellings = await service.spellings.of(organization_id, {key for row in rows for key in row["properties"]})
    # In a thread: the bodies of one answer may take seconds to look through.
    return await asyncio.to_thread(lambda: [view_of(row, spellings, bodies.get(key_of(row))) for row in rows])


async def _bodies(organization_id: str, rows: Sequence[Row], service: Service) -> dict[Key, Row]:
    where = HasKey(tuple(map(key_of, rows)))
    if len(rows) > 1:  # one alone is bounded when it is kept
        await _check_size(organization_id, where, service.warehouse)
    listing = Listing(
        table=REQUEST_BODY,
        organization_id=organization_id,
        where=where,
        order_by=NEWEST_FIRST,
        limit=len(rows),
    )
    return {key_of(row): row for row in await service.warehouse.query(print_listing(listing))}


async def _check_size(organization_id: str, where: Filter, warehouse: Warehouse) -> None:
    """Raises: InvalidRequest when bodies are larger together than a process should hold for one answer."""
    report = Report(table=REQUEST_BODY, organization_id=organization_id, where=where, measures=(BODY_BYTES,))
    (total,) = await warehouse.query(print_report(report))
    if total["m0"] > MAX_BODIES_BYTES:
        told = f"the bodies have {total['m0']:,} bytes together, and an answer at most {MAX_BODIES_BYTES:,}"
        raise InvalidRequest(f"ask for fewer rows with includeInputs: {told}")
