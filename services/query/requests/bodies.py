"""The bodies of requests: fetched for a whole page at once, and shown as JSON where they are JSON."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_BODY, REQUEST_BODY_SIZE, Table
from services.domain.assembly.stream import assembled
from services.ports.warehouse import QueryableWarehouse, Row, Warehouse
from services.query.dependencies import Service
from services.query.requests.views import ShownBodies, json_or_text
from services.sql.compile import compile_listing, compile_report
from services.sql.nodes import Filter, HasKey, Key, Listing, Report, key_of
from services.sql.sort import NEWEST_FIRST
from services.sql.unnamed_measures import BODY_BYTES

MAX_BODIES_BYTES: Final = 64 * 2**20  # of one response: in memory it takes several times that


class BodyForm(StrEnum):
    """How bodies are shown."""

    LEFT_OUT = "left out"
    ASSEMBLED = "assembled"  # a stream as the one response that its events make
    RAW_EVENTS = "raw events"


def body_form(*, included: bool, raw_events: bool) -> BodyForm:
    if not included:
        return BodyForm.LEFT_OUT
    return BodyForm.RAW_EVENTS if raw_events else BodyForm.ASSEMBLED


async def bodies_of(
    organization_id: str, rows: Sequence[Row], service: Service, form: BodyForm
) -> Sequence[ShownBodies]:
    """Those of each of `rows`, in their order. Raises: InvalidRequest when they are too large, StoreUnavailable."""
    if form is BodyForm.LEFT_OUT or not rows:
        return [ShownBodies() for _ in rows]
    if len(rows) > 1:  # one alone is bounded when it is stored
        await _check_size(organization_id, HasKey(tuple(map(key_of, rows))), service.warehouse)
    return await fetched_bodies(organization_id, rows, service.warehouse, form)


async def fetched_bodies(
    organization_id: str, rows: Sequence[Row], warehouse: QueryableWarehouse, form: BodyForm
) -> Sequence[ShownBodies]:
    """Those of each of `rows`, in their order, however large they are. Raises: StoreUnavailable."""
    stored = await _stored(REQUEST_BODY, organization_id, rows, warehouse)
    # In a thread: megabytes may have to be parsed.
    return await asyncio.to_thread(lambda: [_shown(row, stored.get(key_of(row)), form) for row in rows])


async def body_sizes(organization_id: str, rows: Sequence[Row], warehouse: QueryableWarehouse) -> Mapping[Key, int]:
    """Bytes of request and response of those of `rows` that have bodies, as they are fetched.

    Raises: StoreUnavailable.
    """
    stored = await _stored(REQUEST_BODY_SIZE, organization_id, rows, warehouse)
    return {key: row["body_bytes"] for key, row in stored.items()}


def _shown(row: Row, stored: Mapping[str, Any] | None, form: BodyForm) -> ShownBodies:
    if stored is None:
        return ShownBodies()
    request, response = json_or_text(stored["request_body"]), stored["response_body"]
    if row["is_stream"] and form is BodyForm.ASSEMBLED:
        whole = assembled(response.encode())
        if whole is not None:
            return ShownBodies(request, msgspec.Raw(whole))
    return ShownBodies(request, json_or_text(response))


async def _stored(
    table: Table, organization_id: str, rows: Sequence[Row], warehouse: QueryableWarehouse
) -> dict[Key, Row]:
    listing = Listing(
        table=table,
        organization_id=organization_id,
        where=HasKey(tuple(map(key_of, rows))),
        order_by=NEWEST_FIRST,
        limit=len(rows),
    )
    return {key_of(row): row for row in await warehouse.query(compile_listing(listing))}


async def _check_size(organization_id: str, where: Filter, warehouse: Warehouse) -> None:
    """Raises: InvalidRequest when bodies are larger together than a process should hold for one response."""
    report = Report(table=REQUEST_BODY, organization_id=organization_id, where=where, measures=(BODY_BYTES,))
    (total,) = await warehouse.query(compile_report(report))
    if total["m0"] > MAX_BODIES_BYTES:
        sizes = f"the bodies have {total['m0']:,} bytes together, and a response at most {MAX_BODIES_BYTES:,}"
        raise InvalidRequest(f"request fewer rows with includeInputs: {sizes}")
