"""Spans of OpenTelemetry: both encodings, which of them are calls, and what a call is read into."""

import contextlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1 import trace_pb2

from schemas.errors import InvalidRequest
from schemas.event import Outcome
from schemas.key import KeyTags
from services.domain.enrich import to_record
from services.domain.logging_api.event import LoggedBy, result_of
from services.domain.logging_api.otlp import document, protobuf
from services.domain.logging_api.otlp.export import Export, export_response, export_steps
from services.domain.logging_api.otlp.span import Span
from services.stores.shipped_prices.book import ShippedPrices

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
START_NS = int(NOW.timestamp()) * 10**9 + 250_000_000
TRACE_ID, SPAN_ID = bytes(range(16)), bytes(range(8))
PRICES = ShippedPrices()

# As OpenLLMetry wrote it when Helicone's package was made.
OLD: dict[str, Any] = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Hello!",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Hi.",
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.usage.prompt_tokens": 1000,
    "gen_ai.usage.completion_tokens": 200,
    "llm.usage.total_tokens": 1200,
    "gen_ai.usage.cache_read_input_tokens": 400,
    "llm.is_streaming": False,
    "llm.user": "user-1",
    "traceloop.association.properties.Helicone-Property-Feature": "chat",
    "traceloop.association.properties.Helicone-Session-Id": "session-1",
    "traceloop.association.properties.chat_id": 7,
}
OLD_COST_USD = Decimal("0.00024")  # by hand: 600 * 0.15 + 400 * 0.075 + 200 * 0.60 per million
# As OpenTelemetry's conventions have it.
NEW: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-20250514",
    "gen_ai.response.model": "claude-sonnet-4-20250514",
    "gen_ai.response.id": "msg_1",
    "gen_ai.usage.input_tokens": 3600,
    "gen_ai.usage.cache_read.input_tokens": 2000,
    "gen_ai.usage.cache_creation.input_tokens": 600,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Hello!"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Hi."}],"finish_reason":"stop"}]',
    "gen_ai.conversation.id": "conversation-1",
    "user.id": "user-2",
}
NEW_COST_USD = Decimal("0.01035")  # by hand: 1000 * 3 + 2000 * 0.30 + 600 * 3.75 + 300 * 15 per million


def any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    return AnyValue(string_value=value)


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=any_value(value)) for name, value in attributes.items()]


def a_span(attributes: dict[str, Any], **fields: Any) -> trace_pb2.Span:
    given: dict[str, Any] = {
        "name": "openai.chat",
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "start_time_unix_nano": START_NS,
        "end_time_unix_nano": START_NS + 1_500_000_000,
    }
    return trace_pb2.Span(**(given | fields), attributes=key_values(attributes))


def exported(*spans: trace_pb2.Span) -> bytes:
    scopes = [trace_pb2.ScopeSpans(spans=[span]) for span in spans]
    resource = trace_pb2.ResourceSpans(scope_spans=scopes)
    encoded: bytes = ExportTraceServiceRequest(resource_spans=[resource]).SerializeToString()
    return encoded


def as_document(attributes: dict[str, Any], **fields: Any) -> bytes:
    def value_of(value: Any) -> dict[str, Any]:
        match value:
            case bool():
                return {"boolValue": value}
            case int():
                return {"intValue": str(value)}
            case list():
                return {"arrayValue": {"values": [value_of(one) for one in value]}}
        return {"stringValue": value}

    span = {
        "name": "openai.chat",
        "traceId": TRACE_ID.hex(),
        "spanId": SPAN_ID.hex(),
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": START_NS + 1_500_000_000,
        "attributes": [{"key": name, "value": value_of(value)} for name, value in attributes.items()],
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span | fields]}]}]}).encode()


def read(payload: bytes, *, is_json: bool = False, **by: Any) -> Export:
    who = LoggedBy(organization_id="org-1", key_id="key-1", provider="CUSTOM", helicone_headers=[], **by)
    steps = export_steps(
        payload, who, is_json=is_json, draw_id=lambda: str(uuid.UUID(int=1)), now=NOW, capture_bytes=100_000
    )
    return result_of(steps)


@pytest.mark.parametrize("is_json", [False, True], ids=["protobuf", "JSON"])
def test_a_call_is_read_alike_from_both_encodings(is_json: bool) -> None:
    export = read(as_document(OLD) if is_json else exported(a_span(OLD)), is_json=is_json)
    (event,) = export.events
    record, bodies = to_record(event, PRICES)
    assert (record.provider, record.model, record.request_model) == ("OPENAI", "gpt-4o-mini-2024-07-18", "gpt-4o-mini")
    assert (record.prompt_tokens, record.prompt_cache_read_tokens, record.completion_tokens) == (600, 400, 200)
    assert record.cost_usd == OLD_COST_USD
    assert (record.user_id, record.session_id) == ("user-1", "session-1")
    assert record.properties == {"feature": "chat", "chat_id": "7"}
    assert record.property_spellings == ["Feature", "chat_id"], "as they were written, not as headers"
    assert record.request_created_at == NOW + timedelta(milliseconds=250)
    assert (record.latency_ms, record.status) == (1500, 200)
    assert record.request_id == str(uuid.uuid5(uuid.UUID(bytes=TRACE_ID), SPAN_ID.hex()))
    assert bodies is not None
    assert json.loads(bodies.request_body)["messages"][1] == {"role": "user", "content": "Hello!"}
    assert json.loads(bodies.response_body)["choices"][0]["message"] == {"role": "assistant", "content": "Hi."}


def test_todays_names_are_read_too() -> None:
    (event,) = read(exported(a_span(NEW))).events
    record, bodies = to_record(event, PRICES)
    assert (record.provider, record.provider_response_id) == ("ANTHROPIC", "msg_1")
    assert record.prompt_tokens == 1000
    assert (record.prompt_cache_read_tokens, record.prompt_cache_write_5m_tokens) == (2000, 600)
    assert record.cost_usd == NEW_COST_USD
    assert (record.user_id, record.session_id) == ("user-2", "conversation-1")
    assert bodies is not None
    assert json.loads(bodies.request_body)["messages"] == [{"role": "user", "content": "Hello!"}]


NO_CALLS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a step of a program": {"traceloop.span.kind": "workflow", "traceloop.entity.name": "x"},
    "a query of a database": {"db.system": "postgresql"},
    "an agent, which repeats its calls' usage": NEW | {"gen_ai.operation.name": "invoke_agent"},
    "a tool": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "x"},
    "an HTTP request": {"http.request.method": "POST", "server.address": "api.openai.com"},
}


@pytest.mark.parametrize("name", NO_CALLS)
def test_what_is_no_call_is_ignored_and_counted(name: str) -> None:
    export = read(exported(a_span(NO_CALLS[name]), a_span(OLD)))
    assert (len(export.events), export.ignored, export.rejected) == (1, 1, 0)


def test_without_usage_the_cost_is_unknown_and_an_error_costs_nothing() -> None:
    bare = {"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o-mini"}
    failed = trace_pb2.Status(code=trace_pb2.Status.STATUS_CODE_ERROR, message="no such model")
    unknown, refused = read(exported(a_span(bare), a_span(bare, status=failed))).events
    assert to_record(unknown, PRICES)[0].cost_usd is None
    record, bodies = to_record(refused, PRICES)
    assert (record.status, record.outcome) == (500, Outcome.PROVIDER_ERROR)
    assert record.cost_usd == 0
    assert bodies is not None
    assert "no such model" in bodies.response_body


def test_a_span_that_cannot_be_taken_is_named_and_holds_up_no_other() -> None:
    early = a_span(OLD, name="too early", start_time_unix_nano=5)
    export = read(exported(early, a_span(OLD)))
    assert (len(export.events), export.rejected) == (1, 1)
    assert export.reason.startswith("span 'too early': ")
    response = ExportTraceServiceResponse.FromString(export_response(export, is_json=False))
    assert (response.partial_success.rejected_spans, response.partial_success.error_message) == (1, export.reason)
    assert json.loads(export_response(export, is_json=True))["partialSuccess"]["rejectedSpans"] == "1"
    with pytest.raises(InvalidRequest, match="too early"):
        read(exported(early))


def test_tags_that_a_key_requires_are_required_of_spans() -> None:
    with pytest.raises(Exception, match="Team"):
        read(exported(a_span(OLD)), key_tags=KeyTags(required=("Team",)))


def test_a_full_success_is_an_empty_response() -> None:
    export = read(exported(a_span(OLD)))
    assert (export_response(export, is_json=False), export_response(export, is_json=True)) == (b"", b"{}")


MALFORMED: dict[str, tuple[bytes, bool]] = {
    "text": (b"hello", False),
    "a length beyond the end": (b"\x0a\x7f\x00", False),
    "a number without an end": (b"\x0a" + b"\xff" * 11, False),
    "a field of no kind": (b"\x0b", False),
    "half a JSON": (b'{"resourceSpans":[', True),
    "JSON of another shape": (b'{"resourceSpans":{}}', True),
    "an id that is no number": (as_document(OLD, traceId="xyz"), True),
    "a time that is none": (as_document(OLD, startTimeUnixNano="soon"), True),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_export_is_refused(name: str) -> None:
    payload, is_json = MALFORMED[name]
    with pytest.raises(InvalidRequest):
        read(payload, is_json=is_json)


def test_lists_and_objects_are_texts_and_too_deep_ones_are_refused() -> None:
    (span,) = protobuf.spans_in(exported(a_span({"a": [1, "x", True, {"b": -2.5}], "c": -7})))
    assert span.attributes == {"a": '[1,"x",true,{"b":-2.5}]', "c": -7}
    (same,) = document.spans_in(as_document({"a": [1, "x", True], "c": -7}))
    assert same.attributes == {"a": '[1,"x",true]', "c": -7}
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    for payload, is_json in ((exported(a_span({"a": deep})), False), (as_document({"a": deep}), True)):
        with pytest.raises(InvalidRequest, match="nested"):
            read(payload, is_json=is_json)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_export_or_are_refused(payload: bytes) -> None:
    for is_json in (False, True):
        with contextlib.suppress(InvalidRequest):
            read(payload, is_json=is_json)


@given(st.dictionaries(st.text(max_size=20), st.integers(-(2**63), 2**63 - 1) | st.text() | st.booleans(), max_size=5))
def test_attributes_come_out_as_they_went_in(attributes: dict[str, Any]) -> None:
    (span,) = protobuf.spans_in(exported(a_span(attributes)))
    assert span == Span(
        name="openai.chat",
        trace_id=TRACE_ID,
        span_id=SPAN_ID,
        start_ns=START_NS,
        end_ns=START_NS + 1_500_000_000,
        attributes=attributes,
    )
