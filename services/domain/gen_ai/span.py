"""A row as a span of a client, and spans as one export.

Ids are made of the request's id, so that what is sent again is the same span: the trace of a call without a
`traceparent` has the request's id, and a span the second half of it. No body, header or key is in any.

Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Final

from schemas.record import RequestRecord
from schemas.timestamps import unix_us
from schemas.usage import CACHE_READ, CACHE_WRITE, COMPLETION, INPUT
from services.domain.gen_ai import protobuf
from services.domain.gen_ai.call import ModelCall, call_attributes, has_usage
from services.domain.gen_ai.protobuf import Attribute
from services.domain.gen_ai.trace_context import parse_traceparent

_CLIENT: Final = 3  # the kind
_ERROR: Final = 2  # the code of a status
_SAMPLED: Final = 1
_SPAN_ID: Final = slice(8, 16)  # of a UUID: the half that begins with its variant, so is never zero

_USAGE: Final = tuple(
    (name, attrgetter(*classes))
    for name, classes in (
        ("gen_ai.usage.input_tokens", INPUT),
        ("gen_ai.usage.output_tokens", (*COMPLETION, "reasoning_tokens", "citation_tokens")),
        ("gen_ai.usage.cache_read.input_tokens", CACHE_READ),
        ("gen_ai.usage.cache_creation.input_tokens", CACHE_WRITE),
    )
)


def encode_span(record: RequestRecord, call: ModelCall, traceparent: str) -> bytes | None:
    """None where the client's trace is one that nobody samples."""
    request_id = uuid.UUID(record.request_id).bytes
    context = parse_traceparent(traceparent)
    if context is not None and not context.is_sampled:
        return None
    client_request = uuid.UUID(record.attempt_of).bytes if record.attempt_of else request_id
    trace_id = client_request if context is None else context.trace_id
    parent = client_request[_SPAN_ID] if record.attempt_of else b"" if context is None else context.span_id
    start_ns = unix_us(record.request_created_at) * 1000
    end_ns = unix_us(record.request_created_at + timedelta(milliseconds=record.latency_ms)) * 1000
    return b"".join(
        (
            protobuf.message(1, trace_id),
            protobuf.message(2, request_id[_SPAN_ID]),
            protobuf.message(4, parent) if parent else b"",
            protobuf.text(5, f"{call.operation} {call.request_model}"[: protobuf.MAX_CHARACTERS]),
            protobuf.integer(6, _CLIENT),
            protobuf.fixed64(7, start_ns),
            protobuf.fixed64(8, end_ns),
            protobuf.attributes(9, span_attributes(record, call)),
            protobuf.message(15, protobuf.integer(3, _ERROR)) if call.error else b"",
            protobuf.fixed32(16, _SAMPLED),
        )
    )


def span_attributes(record: RequestRecord, call: ModelCall) -> dict[str, Attribute]:
    """OpenTelemetry's where it has a name, and our own behind `farebox.`. What is unknown has none."""
    found = call_attributes(call)
    found["gen_ai.system"] = call.provider  # as the conventions had it until 1.37, and many backends read it
    found["gen_ai.request.stream"] = record.is_stream
    found["farebox.cost.state"] = record.cost_state.value
    found["farebox.outcome"] = record.outcome.value
    if has_usage(record):
        found |= usage_attributes(record)
    if record.status > 0:
        found["http.response.status_code"] = record.status
    found |= {name: value for name, value in _measured(record) if value is not None}
    found |= {name: value for name, value in _texts(record) if value}
    for name in record.property_spellings:
        found[f"farebox.property.{name}"] = record.properties[name.lower()]
    return found


def usage_attributes(record: RequestRecord) -> dict[str, int]:
    """Tokens by OpenTelemetry's classes: cached ones are part of the input, reasoning of the output."""
    return {name: sum(counts(record)) for name, counts in _USAGE}


def _measured(record: RequestRecord) -> Iterator[tuple[str, float | None]]:
    first_ms = record.time_to_first_token_ms
    yield "gen_ai.response.time_to_first_chunk", None if first_ms is None else first_ms / 1000
    # OTLP has no decimals: the nearest there is.
    for name, usd in (("farebox.cost.usd", record.cost_usd), ("farebox.cache.saved_usd", record.cache_saved_usd)):
        yield name, None if usd is None else float(usd)


def _texts(record: RequestRecord) -> tuple[tuple[str, str], ...]:
    return (
        ("gen_ai.response.id", record.provider_response_id),
        ("gen_ai.conversation.id", record.session_id),
        ("user.id", record.user_id),
        ("farebox.request.id", record.request_id),
        ("farebox.organization.id", record.organization_id),
        ("farebox.key.id", record.key_id),
        ("farebox.prompt.id", record.prompt_id),
        ("farebox.session.name", record.session_name),
        ("farebox.session.path", record.session_path),
    )


def encode_traces(resource: bytes, scope: bytes, spans: Sequence[bytes]) -> bytes:
    """An ExportTraceServiceRequest."""
    scope_spans = protobuf.message(1, scope) + b"".join(protobuf.message(2, span) for span in spans)
    return protobuf.message(1, protobuf.message(1, resource) + protobuf.message(2, scope_spans))
