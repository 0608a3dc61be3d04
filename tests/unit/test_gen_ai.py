"""Rows as OpenTelemetry has them, read back by OpenTelemetry's own classes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as names
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics as metric_names

from schemas.errors import InvalidSetting
from schemas.event import Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.usage import UsageSource
from services.domain.gen_ai import protobuf
from services.domain.gen_ai.call import model_call
from services.domain.gen_ai.metrics import MAX_SERIES, CallMetrics
from services.domain.gen_ai.span import encode_span, encode_traces
from services.domain.gen_ai.trace_context import parse_traceparent
from services.domain.providers.catalog import PROVIDERS
from services.settings.processes import WorkerSettings
from tests.builders.records import REQUEST_ID, TIMESTAMP, a_record

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
START_NS = int(TIMESTAMP.timestamp() * 1000) * 10**6
RESOURCE = protobuf.attributes(1, {"service.name": "farebox"})


def attributes_of(found: Any) -> dict[str, Any]:
    def value(one: KeyValue) -> Any:
        return getattr(one.value, str(one.value.WhichOneof("value")))

    return {one.key: value(one) for one in found}


def span_of(record: RequestRecord, traceparent: str = "") -> Any:
    call = model_call(record)
    assert call is not None
    span = encode_span(record, call, traceparent)
    if span is None:
        return None
    export = ExportTraceServiceRequest.FromString(encode_traces(RESOURCE, protobuf.text(1, "farebox"), [span]))
    assert attributes_of(export.resource_spans[0].resource.attributes) == {"service.name": "farebox"}
    return export.resource_spans[0].scope_spans[0].spans[0]


def metrics_of(*records: RequestRecord) -> dict[str, Any]:
    sums = CallMetrics(began_ns=1)
    for record in records:
        call = model_call(record)
        assert call is not None
        sums.add(record, call)
    found = sums.encode(RESOURCE, b"", 2)
    assert found is not None
    export = ExportMetricsServiceRequest.FromString(found)
    return {metric.name: metric for metric in export.resource_metrics[0].scope_metrics[0].metrics}


def test_a_call_is_a_span_with_its_usage_and_its_cost_by_the_names_of_the_conventions() -> None:
    span = span_of(a_record(session_id="s-1", key_id="k-1", provider_response_id="chatcmpl-1"))
    assert (span.name, span.kind, span.status.code) == ("chat gpt-4o-mini", 3, 0)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (START_NS, START_NS + 850 * 10**6)
    assert attributes_of(span.attributes) == {
        names.GEN_AI_OPERATION_NAME: "chat",
        names.GEN_AI_PROVIDER_NAME: "openai",
        names.GEN_AI_SYSTEM: "openai",
        names.GEN_AI_REQUEST_MODEL: "gpt-4o-mini",
        names.GEN_AI_REQUEST_STREAM: False,
        names.GEN_AI_RESPONSE_MODEL: "gpt-4o-mini-2024-07-18",
        names.GEN_AI_RESPONSE_ID: "chatcmpl-1",
        names.GEN_AI_CONVERSATION_ID: "s-1",
        names.GEN_AI_USAGE_INPUT_TOKENS: 1000,
        names.GEN_AI_USAGE_OUTPUT_TOKENS: 200,
        names.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 400,
        names.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: 0,
        "server.address": "api.openai.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "user.id": "user-123",
        "farebox.request.id": REQUEST_ID,
        "farebox.organization.id": "org-1",
        "farebox.key.id": "k-1",
        "farebox.outcome": "completed",
        "farebox.cost.usd": 0.00024,
        "farebox.cost.state": "priced",
        "farebox.property.Feature": "chat",
        "farebox.property.UserTier": "premium",
    }


def test_what_is_unknown_has_no_attribute() -> None:
    record = a_record(cost_usd=None, cost_state=CostState.UNKNOWN_MODEL, usage_source=UsageSource.ESTIMATED)
    found = attributes_of(span_of(record).attributes)
    assert not {name for name in found if name.startswith("gen_ai.usage.") or name == "farebox.cost.usd"}
    assert found["farebox.cost.state"] == CostState.UNKNOWN_MODEL


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"outcome": Outcome.PROVIDER_ERROR, "status": 429}, "429"),
        ({"outcome": Outcome.COMPLETED, "status": 500}, "500"),  # a stream that failed
        ({"outcome": Outcome.TIMED_OUT, "status": -2}, "timed_out"),
        ({"outcome": Outcome.CLIENT_DISCONNECTED, "status": -3}, "client_disconnected"),
        ({"outcome": Outcome.CACHED}, ""),
    ],
)
def test_an_error_is_the_status_that_the_provider_refused_with_or_how_the_call_ended(
    changes: dict[str, Any], error: str
) -> None:
    span = span_of(a_record(**changes))
    assert attributes_of(span.attributes).get("error.type", "") == error
    assert span.status.code == (2 if error else 0)


def test_a_call_without_a_trace_has_that_of_its_request() -> None:
    span = span_of(a_record())
    assert span.trace_id.hex() == REQUEST_ID.replace("-", "")
    assert (span.span_id, span.parent_span_id) == (span.trace_id[8:], b"")


def test_a_call_belongs_to_the_trace_of_its_client_and_an_attempt_to_its_request() -> None:
    attempt_id = "01932c07-2a00-7000-8000-000000000009"
    header = f"00-{TRACE}-{PARENT}-01"
    call, attempt = span_of(a_record(), header), span_of(a_record(request_id=attempt_id, attempt_of=REQUEST_ID), header)
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT)
    assert (attempt.trace_id.hex(), attempt.parent_span_id) == (TRACE, call.span_id)
    assert attempt.span_id != call.span_id
    assert span_of(a_record(), f"00-{TRACE}-{PARENT}-00") is None, "a trace that is not sampled"


@pytest.mark.parametrize(
    "header",
    [
        *("", "00", f"00-{TRACE}-{PARENT}", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-more"),
        *(f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{PARENT}-01"),
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
    ],
)
def test_a_trace_parent_that_is_not_valid_is_none(header: str) -> None:
    assert parse_traceparent(header) is None


def test_later_versions_of_the_header_are_read_as_far_as_they_are_known() -> None:
    assert parse_traceparent(f"01-{TRACE}-{PARENT}-03-more") is not None


@pytest.mark.parametrize(
    ("provider", "url", "operation", "name"),
    [
        ("OPENAI", "https://api.openai.com/v1/chat/completions", "chat", "openai"),
        ("OPENAI", "https://api.openai.com/v1/responses", "chat", "openai"),
        ("OPENAI", "https://api.openai.com/v1/completions", "text_completion", "openai"),
        ("GROQ", "https://api.groq.com/openai/v1/embeddings", "embeddings", "groq"),
        ("AZURE", "https://a.openai.azure.com/openai/deployments/d/embeddings", "embeddings", "azure.ai.openai"),
        ("GOOGLE", "https://g.googleapis.com/v1/models/m:streamGenerateContent", "generate_content", "gcp.gen_ai"),
        ("AWS", "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse", "chat", "aws.bedrock"),
        ("own.example.com", "http://own.example.com:8000/v1/images/generations", "image_generation", "own.example.com"),
    ],
)
def test_operations_and_providers_have_the_names_of_the_conventions(
    provider: str, url: str, operation: str, name: str
) -> None:
    call = model_call(a_record(provider=provider, target_url=url))
    assert call is not None
    assert (call.operation, call.provider) == (operation, name)


def test_every_known_name_of_a_provider_is_that_of_the_conventions() -> None:
    known = {one.value for one in names.GenAiProviderNameValues}
    ours = {provider.otel_name or provider.name.lower() for provider in PROVIDERS}
    assert known - ours == {"gcp.vertex_ai", "gcp.gemini", "ibm.watsonx.ai"}


@pytest.mark.parametrize(
    "changes", [{"logged_us": 5}, {"model": "", "request_model": ""}, {"outcome": Outcome.REFUSED}]
)
def test_logged_calls_and_what_called_no_model_are_not_sent(changes: dict[str, Any]) -> None:
    """What came as a span and was sent as one would come again."""
    assert model_call(a_record(**changes)) is None


def test_metrics_are_histograms_of_time_and_tokens_and_sums_of_cost() -> None:
    streamed = a_record(is_stream=True, time_to_first_token_ms=200)
    unpriced = a_record(cost_usd=None, cost_state=CostState.UNKNOWN_MODEL, usage_source=UsageSource.NONE)
    hit = a_record(outcome=Outcome.CACHED, cost_usd=Decimal(0))
    found = metrics_of(a_record(), streamed, unpriced, hit)
    (duration,) = found[metric_names.GEN_AI_CLIENT_OPERATION_DURATION].histogram.data_points
    assert (duration.count, duration.sum) == (3, pytest.approx(2.55))
    assert duration.explicit_bounds[:2] == [0.01, 0.02]
    assert len(duration.bucket_counts) == len(duration.explicit_bounds) + 1
    assert duration.bucket_counts[list(duration.explicit_bounds).index(1.28)] == 3
    (first,) = found[metric_names.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK].histogram.data_points
    assert (first.count, first.sum) == (1, 0.2)
    tokens = found[metric_names.GEN_AI_CLIENT_TOKEN_USAGE].histogram
    by_type = {attributes_of(one.attributes)["gen_ai.token.type"]: (one.count, one.sum) for one in tokens.data_points}
    assert by_type == {"input": (2, 2000), "output": (2, 400)}
    (cost,) = found["farebox.cost"].sum.data_points
    assert (cost.as_double, found["farebox.cost"].unit) == (0.00048, "USD")
    assert found["farebox.cost.unknown"].sum.data_points[0].as_int == 1
    assert {metric.histogram.aggregation_temporality for metric in found.values() if metric.HasField("histogram")} == {
        2
    }
    assert attributes_of(duration.attributes)["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"


def test_names_that_clients_choose_cannot_make_metrics_without_end() -> None:
    found = metrics_of(*(a_record(request_model=f"model-{number}") for number in range(MAX_SERIES + 50)))
    points = found["gen_ai.client.operation.duration"].histogram.data_points
    assert len(points) == MAX_SERIES + 1
    assert sum(point.count for point in points) == MAX_SERIES + 50


def test_the_standard_variables_switch_it_on_and_nothing_else_does() -> None:
    assert WorkerSettings.from_environ({}).otlp_urls() == {}
    standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%3Db, x=1"}
    settings = WorkerSettings.from_environ(
        standard | {"OTEL_SERVICE_NAME": "costs", "OTEL_RESOURCE_ATTRIBUTES": "service.name=no,team=search"}
    )
    assert settings.otlp_urls() == {"traces": "http://c:4318/v1/traces", "metrics": "http://c:4318/v1/metrics"}
    assert settings.otlp_header_values() == {"api-key": "a=b", "x": "1"}
    resource = {"service.name": "costs", "service.instance.id": "worker-1", "team": "search"}
    assert settings.otlp_resource("worker-1") == resource
    own = WorkerSettings.from_environ(standard | {"FAREBOX_OTLP_ENDPOINT": "http://own:1"})
    assert own.otlp_urls()["traces"] == "http://own:1/v1/traces"
    only_traces = WorkerSettings.from_environ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/otel"})
    assert only_traces.otlp_urls() == {"traces": "https://c/otel"}


UNUSABLE = [
    ("OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ("OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
    ("OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:port"),
    ("OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%0D%0Ab"),
    ("OTLP_RESOURCE_ATTRIBUTES", "OTEL_RESOURCE_ATTRIBUTES", "team"),
]


@pytest.mark.parametrize(("setting", "variable", "value"), UNUSABLE)
def test_a_variable_that_is_meant_for_other_programs_stops_nothing_and_a_setting_that_is_wrong_is_refused(
    setting: str, variable: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", variable: value}
    assert WorkerSettings.from_environ(standard).otlp_urls() == {}
    assert [vars(record)["variable"] for record in caplog.records] == [variable]
    assert value not in str([vars(record) for record in caplog.records])
    own = WorkerSettings.from_environ(standard | {"FAREBOX_OTLP_ENDPOINT": "http://own:1"})
    assert own.otlp_urls() == {"traces": "http://own:1/v1/traces", "metrics": "http://own:1/v1/metrics"}
    with pytest.raises(InvalidSetting, match=f"setting FAREBOX_{setting} is malformed"):
        WorkerSettings.from_environ({f"FAREBOX_{setting}": value})


@pytest.mark.parametrize(
    ("switches", "signals"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, []),
        ({"OTEL_TRACES_EXPORTER": "none"}, ["metrics"]),
        ({"OTEL_METRICS_EXPORTER": "none"}, ["traces"]),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": "console, otlp"}, ["traces", "metrics"]),
        ({"OTEL_SDK_DISABLED": "true", "FAREBOX_OTLP_ENDPOINT": "http://own:1"}, ["traces", "metrics"]),
    ],
)
def test_the_standard_variables_switch_off_what_they_switch_on(switches: dict[str, str], signals: list[str]) -> None:
    standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/t"}
    assert list(WorkerSettings.from_environ(standard | switches).otlp_urls()) == signals


def test_a_span_begins_and_ends_when_its_call_did() -> None:
    span = span_of(a_record(request_created_at=TIMESTAMP + timedelta(milliseconds=1), latency_ms=0))
    assert span.start_time_unix_nano == span.end_time_unix_nano == START_NS + 10**6
