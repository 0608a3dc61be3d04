"""Requests by their ids. An id names one request, unless clients used it again: then each is a request of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import Query, Response

from schemas.api.requests import MAX_OTHERS, IdsRequest, OneRequestView, RawEvents
from schemas.errors import InvalidRequest, NotFound
from schemas.seal import Seal, SealState
from schemas.tables import REQUEST_RESPONSE, Operator, Table
from services.ports.warehouse import Row
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.http.responses import data_response
from services.query.reports.sealed import seal_of_rows
from services.query.requests.bodies import BodyForm, body_form
from services.query.requests.body_urls import BodyUrlsDep
from services.query.requests.list import views_of
from services.sql.compile import compile_listing
from services.sql.nodes import And, Filter, Listing, comparison
from services.sql.sort import NEWEST_FIRST
from services.sql.values import parse_value

_MAX_ROWS = 5000
_KEY = msgspec.structs.replace(REQUEST_RESPONSE, shown=("request_created_at", "request_id"))

CreatedAt = Annotated[
    str | None,
    Query(description="Where an id was used again, which one: its request_created_at. By default the latest"),
]


async def query_ids(body: IdsRequest, organization_id: Reader, service: ServiceDep, urls: BodyUrlsDep) -> Response:
    """All requests with these ids, without bodies, the newest first; several for an id that was used again."""
    ids = tuple(sorted({str(request_id) for request_id in body.request_ids}))
    seal = await service.seals.current()
    if not ids:
        return data_response([], seal=seal_of_rows(seal, []))
    listing = Listing(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=comparison("request_id", Operator.ONE_OF, ids),
        order_by=NEWEST_FIRST,
        limit=_MAX_ROWS + 1,
    )
    rows = await service.warehouse.query(compile_listing(listing))
    if len(rows) > _MAX_ROWS:
        raise InvalidRequest(f"requestIds: more than {_MAX_ROWS} requests have these ids; a filter gives them in pages")
    views = await views_of(organization_id, rows, service, urls, BodyForm.LEFT_OUT)
    return data_response(views, seal=seal_of_rows(seal, rows))


async def get_request(
    request_id: UUID,
    organization_id: Reader,
    service: ServiceDep,
    urls: BodyUrlsDep,
    *,
    includeBody: bool = False,  # noqa: N803
    rawEvents: RawEvents = False,  # noqa: N803
    created_at: CreatedAt = None,
) -> Response:
    """One request by its id; the latest, where an id was used again and `created_at` does not say which."""
    row, others = await row_of(REQUEST_RESPONSE, organization_id, request_id, created_at, service)
    form = body_form(included=includeBody, raw_events=rawEvents)
    (view,) = await views_of(organization_id, [row], service, urls, form)
    return data_response(OneRequestView(**dict(view), also_created_at=others))


async def get_inputs(
    request_id: UUID, organization_id: Reader, service: ServiceDep, created_at: CreatedAt = None
) -> Response:
    """The inputs of a managed prompt: prompts are not managed here, so no request has any, and this is null."""
    await row_of(_KEY, organization_id, request_id, created_at, service)
    return data_response(None)


async def row_of(
    table: Table, organization_id: str, request_id: UUID, created_at: str | None, service: Service
) -> tuple[Row, list[datetime] | None]:
    """What `table` shows of the latest request with this id, or of that of `created_at`; and when others were made.

    Those are None where `created_at` says which request is meant. Raises: NotFound, InvalidRequest, StoreUnavailable.
    """
    seal = await service.seals.current()  # first: what waited before the look is what may be missing in it
    listing = Listing(
        table=table,
        organization_id=organization_id,
        where=_named(request_id, created_at),
        order_by=NEWEST_FIRST,
        limit=1 + MAX_OTHERS,
    )
    rows: Sequence[Row] = await service.warehouse.query(compile_listing(listing))
    if not rows:
        raise NotFound(_absent(request_id, created_at, seal))
    row, *others = rows
    return row, [other["request_created_at"] for other in others] if created_at is None else None


def _absent(request_id: UUID, created_at: str | None, seal: Seal) -> str:
    text = f"there is no request {request_id}" + (f" of {created_at}" if created_at else "")
    return text if seal.state is SealState.COMPLETE else f"{text}, unless it is not counted yet: {seal.reason}"


def _named(request_id: UUID, created_at: str | None) -> Filter:
    its_id = comparison("request_id", Operator.EQUALS, str(request_id))
    if created_at is None:
        return its_id
    timestamp = parse_value(REQUEST_RESPONSE.columns["request_created_at"], Operator.EQUALS, created_at, "created_at")
    return And((its_id, comparison("request_created_at", Operator.EQUALS, timestamp)))
