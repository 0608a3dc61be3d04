"""The endpoint of exports."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Final

import msgspec
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from schemas.api.exports import ExportFormat, ExportRequest
from schemas.api.seal import SealView
from schemas.errors import Unavailable
from schemas.tables import REQUEST_RESPONSE
from services.domain.cursor import CURSORS
from services.domain.focus.rows import COLUMNS
from services.query.dependencies import Service, ServiceDep
from services.query.exports.batches import Batch, request_batches
from services.query.exports.columns import table_of
from services.query.exports.compression import compressed, encoding_of
from services.query.exports.focus import CHARGED, FocusCharges
from services.query.exports.formats import CsvWriter, JsonLinesWriter, Writer
from services.query.exports.pages import PAGE_ROWS, PatientWarehouse, pages_of
from services.query.exports.parquet import ParquetWriter
from services.query.exports.question import ExportQuestion, export_question
from services.query.exports.stream import export_stream
from services.query.http.auth import Reader
from services.query.http.csv import block_lines, file_facts, header_text
from services.query.reports.sealed import Shares, run_with_shares, sealed
from services.sql.measures import MEASURES
from services.sql.names import names_of
from services.sql.nodes import Listing, Report
from services.sql.sort import OLDEST_FIRST

_COUNTED: Final = ("attempts", "unpriced_requests")


class _Start(msgspec.Struct, frozen=True, kw_only=True):
    """What was known when the export began."""

    seal: SealView
    total_rows: int | None  # None where counting took too long
    unpriced_requests: int | None


async def export(request: Request, body: ExportRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """All requests that fulfil a filter, the oldest first, in one response of any length; or what they cost.

    Whatever ends a response before its time, be it an error here, ends it without its last chunk: no HTTP client takes
    it for a whole one. With `checkpoints` it can be gone on with.
    """
    secret = await service.secrets.of(CURSORS)
    question = export_question(body, organization_id, service.clock.now(), secret)
    start, warnings = await service.names.beside(
        organization_id,
        names_of(question.named, [column.key for column in question.columns if column.key is not None]),
        _start(question, service),
        is_empty=lambda found: not found.total_rows,
    )
    writer = _writer(body, question, start, service)
    cursor_of = partial(question.cursor_of, secret=secret)
    stream = export_stream(
        _batches(body, question, service), writer, cursor_of, rows_before=question.rows_before, limit=body.limit
    )
    stream = _in_its_slot(stream, organization_id, service)
    first = await anext(stream)  # so that what is wrong from the beginning has a status of its own
    encoding = None if body.format is ExportFormat.PARQUET else encoding_of(request.headers.get("accept-encoding", ""))
    parts = _after(first, stream)
    headers = {
        "Content-Disposition": f'attachment; filename="requests.{writer.extension}"',
        "Farebox-Seal": header_text(start.seal.model_dump()),
        "Farebox-Total-Rows": header_text(start.total_rows),
        "Farebox-Unpriced-Requests": header_text(start.unpriced_requests),
        "Farebox-Warnings": header_text(warnings),
        "Vary": "Accept-Encoding",
    }
    if encoding is not None:
        headers["Content-Encoding"] = encoding
        parts = compressed(parts, encoding)
    return StreamingResponse(parts, headers=headers, media_type=writer.media_type)


async def _start(question: ExportQuestion, service: Service) -> _Start:
    """The seal first: rows may be newer than it, and never older. Raises: StoreUnavailable when there is no seal."""
    seal = await service.seals.current()
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=question.organization_id,
        where=question.where,
        measures=tuple(MEASURES[name] for name in _COUNTED),
    )
    try:
        shares, total, _ = await run_with_shares(report, service.warehouse)
    except Unavailable:
        return _Start(seal=sealed(seal, Shares()), total_rows=None, unpriced_requests=None)
    requests, unpriced = (total.figures[name] for name in _COUNTED)
    return _Start(seal=sealed(seal, shares), total_rows=requests, unpriced_requests=unpriced)


def _batches(body: ExportRequest, question: ExportQuestion, service: Service) -> AsyncIterator[Batch]:
    warehouse = PatientWarehouse(service.warehouse)
    is_focus = body.format is ExportFormat.FOCUS
    listing = Listing(
        table=CHARGED if is_focus else table_of(question.columns),
        organization_id=question.organization_id,
        where=question.where,
        order_by=OLDEST_FIRST,
        limit=PAGE_ROWS,
    )
    pages = pages_of(listing, question.after, warehouse, most=body.limit)
    if is_focus:
        charges = FocusCharges(question.organization_id, service, question.zone, body.charge_period)
        return charges.batches(pages, warehouse)
    return request_batches(pages, question.columns, question.organization_id, service, warehouse)


def _writer(body: ExportRequest, question: ExportQuestion, start: _Start, service: Service) -> Writer:
    names: Sequence[str] = [column.name for column in question.columns]
    if body.format is ExportFormat.JSONL:
        return JsonLinesWriter(names, checkpoints=body.checkpoints)
    continues = question.after is not None
    if body.format is ExportFormat.FOCUS:
        return CsvWriter(COLUMNS, checkpoints=body.checkpoints, continues=continues)
    bounds, rows = (question.start, question.until), "all" if body.limit is None else f"at most {body.limit}"
    facts = file_facts("requests", bounds, body.time_zone, rows, service.shipped.release, start.seal)
    if body.format is ExportFormat.PARQUET:
        return ParquetWriter(question.columns, facts)
    return CsvWriter(names, block_lines(facts), checkpoints=body.checkpoints, continues=continues)


async def _in_its_slot(stream: AsyncIterator[bytes], organization_id: str, service: Service) -> AsyncIterator[bytes]:
    """Raises: Busy, and what `stream` raises."""
    with service.exports.slot(organization_id):
        async for part in stream:
            yield part


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part
