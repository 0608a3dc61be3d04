"""Traces of OpenTelemetry's SDKs, which a running proxy takes as Helicone's package for Python sends them."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from schemas.errors import BrokerUnavailable
from services.domain.enrich import to_record
from services.domain.logging_api.otlp.export import OTLP_PATHS
from services.proxy.log_intake import MAX_BYTES
from services.simulator.server import SimulatedProvider
from services.stores.shipped_prices.book import ShippedPrices
from tests.servers.proxy_rig import SECRET, Rig, rig
from tests.unit.test_otlp import OLD, a_span, as_document, exported

pytestmark = pytest.mark.anyio

PROTOBUF = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/x-protobuf"}
PATH = "/v1/trace/log-python"


@pytest.fixture
async def proxy() -> AsyncIterator[Rig]:
    async with rig() as running:
        yield running


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(seed=3) as running:
        yield running


async def post(proxy: Rig, payload: bytes, path: str = PATH, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=proxy.url, trust_env=False) as client:
        return await client.post(path, content=payload, headers=PROTOBUF | headers)


def a_traced_program(proxy_url: str, provider_url: str) -> None:
    """A step that calls a model, traced as Helicone's package sets it up."""
    exporter = OTLPSpanExporter(
        endpoint=f"{proxy_url}{PATH}", headers={"Authorization": f"Bearer {SECRET}"}, compression=Compression.Gzip
    )
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=traces)
    try:
        with (
            OpenAI(api_key="sk-provider", base_url=f"{provider_url}/v1") as client,
            traces.get_tracer("shop").start_as_current_span("reply to the customer"),
        ):
            client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "Where is my order?"}]
            )
    finally:
        instrumentor.uninstrument()
        traces.shutdown()


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")  # in the instrumentation
async def test_a_traced_program_needs_another_address_and_nothing_else(proxy: Rig, provider: SimulatedProvider) -> None:
    await asyncio.to_thread(a_traced_program, proxy.url, provider.url)
    event = await proxy.event()
    record, _ = to_record(event, ShippedPrices())
    billed = provider.ledger[-1]
    assert billed.usage is not None
    assert record.prompt_tokens + record.prompt_cache_read_tokens == (
        billed.usage.prompt_tokens + billed.usage.prompt_cache_read_tokens
    )
    assert record.completion_tokens + record.reasoning_tokens == (
        billed.usage.completion_tokens + billed.usage.reasoning_tokens
    )
    assert (record.provider, record.provider_response_id) == ("OPENAI", billed.id)
    assert record.cost_usd
    assert b"Where is my order?" in event.request.body
    assert proxy.metrics.get("proxy_spans_ignored_total") == 1, "the step around the call"
    assert proxy.metrics.get("proxy_logged_total") == 1


@pytest.mark.parametrize("path", OTLP_PATHS)
async def test_every_path_takes_both_encodings(proxy: Rig, path: str) -> None:
    first = await post(proxy, exported(a_span(OLD)), path)
    second = await post(proxy, as_document(OLD), f"{path}/", **{"Content-Type": "application/json; charset=utf-8"})
    assert [(one.status_code, one.headers["content-type"], one.content) for one in (first, second)] == [
        (200, "application/x-protobuf", b""),
        (200, "application/json", b"{}"),
    ]
    one, other = await proxy.events(2)
    assert one.request.request_id == other.request.request_id, "the same span is the same row"


async def test_what_is_wrong_is_said_and_the_rest_is_taken(proxy: Rig) -> None:
    early = a_span(OLD, name="too early", start_time_unix_nano=5)
    partly = await post(proxy, exported(early, a_span(OLD)))
    assert partly.status_code == 200
    assert ExportTraceServiceResponse.FromString(partly.content).partial_success.rejected_spans == 1
    refused = [
        await post(proxy, exported(early)),
        await post(proxy, b"hello"),
        await post(proxy, b"hello", **{"Content-Encoding": "gzip"}),
        await post(proxy, gzip.compress(exported(a_span(OLD))), **{"Content-Encoding": "compress"}),
        await post(proxy, exported(a_span(OLD)), Authorization="Bearer sk-helicone-wrong"),
        await post(proxy, bytes(MAX_BYTES + 1)),
    ]
    assert [one.status_code for one in refused] == [400, 400, 400, 400, 401, 413]
    messages = [json.loads(one.content)["error"]["message"] for one in refused]
    assert [
        words in message
        for words, message in zip(("too early", "protobuf", "Content-Encoding"), messages, strict=False)
    ] == [True] * 3
    await proxy.events(1)


async def test_properties_and_users_of_headers_hold_for_all_spans_of_an_export(proxy: Rig) -> None:
    await post(proxy, exported(a_span(OLD)), **{"Helicone-Property-Team": "search", "Helicone-User-Id": "user-9"})
    tags = (await proxy.event()).request.tags
    assert tags.user_id == "user-9"
    assert {name.lower() for name in tags.properties} == {"team", "feature", "chat_id"}


async def test_an_export_whose_events_are_lost_is_to_be_sent_again() -> None:
    class Lost:
        def publish(self, event: object) -> "asyncio.Future[None]":  # noqa: ARG002
            lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            lost.set_exception(BrokerUnavailable("full"))
            return lost

        async def close(self) -> None: ...

    async with rig(sink=Lost()) as proxy:
        assert (await post(proxy, exported(a_span(OLD)))).status_code == 503


async def test_a_large_export_is_taken_compressed(proxy: Rig) -> None:
    said = " ".join(map(str, range(3000)))
    spans = [a_span(OLD | {"gen_ai.prompt.1.content": said}, span_id=bytes([number] * 8)) for number in range(1, 30)]
    assert (await post(proxy, gzip.compress(exported(*spans)), **{"Content-Encoding": "gzip"})).status_code == 200
    assert len({event.request.request_id for event in await proxy.events(29)}) == 29
