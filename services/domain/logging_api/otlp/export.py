"""One export of spans -> the events of the calls in it, and what is reported back of the others.

A call's id comes from its trace and its span, so that an export that is sent again replaces what it was.
"""

import uuid
from collections.abc import Callable, Generator
from datetime import datetime
from typing import Final

import msgspec

from schemas.errors import InvalidRequest, Rejected
from schemas.event import ExchangeEvent
from services.domain.gen_ai.protobuf import varint
from services.domain.logging_api.event import LoggedBy, call_steps
from services.domain.logging_api.otlp import document, protobuf
from services.domain.logging_api.otlp.call import logged_call
from services.domain.logging_api.otlp.span import Span

OTLP_PATHS: Final = ("/v1/trace/log", "/v1/trace/log-python", "/v1/traces")  # Helicone's two, and OpenTelemetry's
MAX_SPANS: Final = 10_000

_TRACE_ID_BYTES: Final = 16
_MAX_NAME_CHARACTERS: Final = 100


class Export(msgspec.Struct, frozen=True, kw_only=True):
    events: tuple[ExchangeEvent, ...]
    ignored: int  # spans that are no calls of models
    rejected: int  # calls that could not be taken
    reason: str  # of the first of these


def export_steps(
    payload: bytes,
    by: LoggedBy,
    *,
    is_json: bool,
    draw_id: Callable[[], str],
    now: datetime,
    capture_bytes: int,
) -> Generator[None, None, Export]:
    """Yields where other work may run. `draw_id` makes the id of a span that has none.

    Raises: InvalidRequest, which names what is wrong, also where no call of the export can be taken.
    """
    spans = document.spans_in(payload) if is_json else protobuf.spans_in(payload)
    events: list[ExchangeEvent] = []
    seen, rejected, reason = 0, 0, ""
    for span in spans:
        seen += 1
        if seen > MAX_SPANS:
            raise InvalidRequest(f"an export may have {MAX_SPANS} spans")
        if span.is_call:
            try:
                id_ = _id_of(span) or draw_id()
                steps = call_steps(logged_call(span), by, drawn_id=id_, now=now, capture_bytes=capture_bytes)
                events.append((yield from steps))
            except Rejected as error:
                rejected += 1
                reason = reason or f"span {span.name[:_MAX_NAME_CHARACTERS]!r}: {error}"
        yield
    if rejected and not events:
        raise InvalidRequest(reason)
    return Export(events=tuple(events), ignored=seen - rejected - len(events), rejected=rejected, reason=reason)


def _id_of(span: Span) -> str:
    """'' without one."""
    if len(span.trace_id) != _TRACE_ID_BYTES or not span.span_id:
        return ""
    return str(uuid.uuid5(uuid.UUID(bytes=span.trace_id), span.span_id.hex()))


def export_response(export: Export, *, is_json: bool) -> bytes:
    """An ExportTraceServiceResponse: empty when all were taken."""
    if is_json:
        partial = {"rejectedSpans": str(export.rejected), "errorMessage": export.reason}
        return msgspec.json.encode({"partialSuccess": partial} if export.rejected else {})
    if not export.rejected:
        return b""
    reason = export.reason.encode()
    partial_success = b"\x08" + varint(export.rejected) + b"\x12" + varint(len(reason)) + reason
    return b"\x0a" + varint(len(partial_success)) + partial_success
