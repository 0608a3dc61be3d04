"""Questions about single requests."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from fastapi import Response

from schemas.api import IdsRequest, QueryRequest, RequestView
from schemas.errors import NotFound
from schemas.statement import Scalar
from schemas.tables import REQUEST_BODY, REQUEST_RESPONSE, Operator, Table
from services.query.answers import answer
from services.query.auth import Reader
from services.query.pages import page_of
from services.query.service import Asked, Service
from services.query.views import Row, view_of
from services.sql.measures import MEASURES
from services.sql.nodes import And, Compare, Filter, Listing, Not, Report
from services.sql.order import NEWEST_FIRST, parse_order
from services.sql.parse import parse_filter
from services.sql.printer import print_listing, print_report

_CLOCKS_DIFFER_BY = timedelta(minutes=5)  # rows further in the future are not shown, as in Helicone


async def query_requests(body: QueryRequest, organization_id: Reader, service: Asked) -> Response:
    """A page of requests that fulfil a filter."""
    listing = Listing(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=_where(body, service),
        order_by=parse_order(body.sort),
        limit=body.limit,
        offset=body.offset,
    )
    rows = await page_of(listing, service.warehouse)
    return answer(await _views(organization_id, rows, service, with_bodies=body.include_inputs), 201)


async def count_requests(body: QueryRequest, organization_id: Reader, service: Asked) -> Response:
    """How many requests fulfil a filter."""
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=_where(body, service),
        measures=(MEASURES["requests"],),
    )
    (total,) = await service.warehouse.query(print_report(report))
    return answer(total["m0"])


async def query_ids(body: IdsRequest, organization_id: Reader, service: Asked) -> Response:
    """The requests with these ids, without bodies, the newest first."""
    ids = sorted({str(request_id) for request_id in body.request_ids})
    return answer(await _by_ids(organization_id, ids, service, with_bodies=False) if ids else [])


async def get_request(
    request_id: UUID,
    organization_id: Reader,
    service: Asked,
    *,
    includeBody: bool = False,  # noqa: N803
) -> Response:
    """One request by its id."""
    views = await _by_ids(organization_id, [str(request_id)], service, with_bodies=includeBody)
    if not views:
        raise NotFound(f"there is no request {request_id}")
    return answer(views[0])


def _where(body: QueryRequest, service: Service) -> Filter:
    latest = (service.clock.now() + _CLOCKS_DIFFER_BY).replace(microsecond=0)
    terms = [parse_filter(body.filter), _compare("request_created_at", Operator.LTE, latest)]
    if body.is_cached is not None:
        terms.append(_compare("cached", Operator.EQUALS, body.is_cached))
    if body.is_scored is not None:
        unscored = _compare("scores_column", Operator.EQUALS, "{}")
        terms.append(Not(unscored) if body.is_scored else unscored)
    return And(tuple(terms))


def _compare(name: str, operator: Operator, value: Scalar) -> Filter:
    return Compare(column=REQUEST_RESPONSE.columns[name], operator=operator, value=value)


def _listing_of(table: Table, organization_id: str, ids: Sequence[str]) -> Listing:
    return Listing(
        table=table,
        organization_id=organization_id,
        where=Compare(column=table.columns["request_id"], operator=Operator.ONE_OF, value=tuple(ids)),
        order_by=NEWEST_FIRST,
        limit=len(ids),
    )


async def _by_ids(
    organization_id: str, ids: Sequence[str], service: Service, *, with_bodies: bool
) -> list[RequestView]:
    rows = await service.warehouse.query(print_listing(_listing_of(REQUEST_RESPONSE, organization_id, ids)))
    return await _views(organization_id, rows, service, with_bodies=with_bodies)


async def _views(
    organization_id: str, rows: Sequence[Row], service: Service, *, with_bodies: bool
) -> list[RequestView]:
    bodies: dict[str, Row] = {}
    if with_bodies and rows:
        wanted = _listing_of(REQUEST_BODY, organization_id, [str(row["request_id"]) for row in rows])
        bodies = {str(row["request_id"]): row for row in await service.warehouse.query(print_listing(wanted))}
    spellings = await service.spellings.of(organization_id, {key for row in rows for key in row["properties"]})
    return [view_of(row, spellings, bodies.get(str(row["request_id"]))) for row in rows]
