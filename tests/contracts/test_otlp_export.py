"""Calls sent to a receiver of OpenTelemetry, over real sockets: what it takes, and that nothing else depends on it."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from schemas.errors import Unavailable
from schemas.event import encode_event
from services.ports.otlp import Signal
from services.stores.clock import SystemClock
from services.stores.memory import MemoryLog, MemorySource
from services.stores.otlp_receiver import OtlpReceiver
from services.stores.upstream.dial import egress_proxy, trusting_context
from services.telemetry.metrics import Metrics
from services.worker import otlp_export
from services.worker.loop import Flush, run_worker
from services.worker.otlp_export import OtlpExport
from services.worker.span_queue import BATCH
from tests.builders.price_rows import known
from tests.builders.records import an_event
from tests.contracts.test_dial import an_egress_proxy
from tests.contracts.test_worker import InMemoryWarehouse
from tests.servers.processes import free_port
from tests.servers.proxy_rig import rig
from tests.servers.receivers import HttpReceiver, http_receiver
from tests.servers.scripted_provider import http_response

pytestmark = pytest.mark.anyio

SECRET = "receiver-canary-secret"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as one:
        yield one


def entries(amount: int, *, age: timedelta = timedelta(0)) -> list[bytes]:
    at = datetime.now(UTC) - age
    return [
        encode_event(an_event(request_id=f"01932c07-2a00-7000-8000-{number:012}", created_at=at, recorded_at=at))
        for number in range(1, amount + 1)
    ]


async def exported(
    urls: dict[str, str],
    entries: Sequence[bytes],
    *,
    timeout_s: float = 5.0,
    linger_s: float = 0.0,
    metrics_every_s: float = 60.0,
    max_bytes: int = 2**24,
    arrived: Callable[[], object] = lambda: True,
) -> tuple[Metrics, InMemoryWarehouse, float]:
    """A worker through `entries` beside its export. With how many seconds the worker took."""
    metrics, stop, log, warehouse = Metrics(), asyncio.Event(), MemoryLog(), InMemoryWarehouse()
    log.entries.extend(entries)
    source = MemorySource(log)
    headers = {"api-key": SECRET}
    target = OtlpReceiver(urls, headers=headers, tls=trusting_context(), timeout_s=timeout_s)
    export = OtlpExport(
        target,
        resource={"team": "search"},
        clock=SystemClock(),
        metrics=metrics,
        metrics_every_s=metrics_every_s,
        max_bytes=max_bytes,
    )
    running = asyncio.create_task(export.run())
    await asyncio.sleep(0)
    flush = Flush(max_rows=1000, max_bytes=2**30, max_age_s=0.01)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    worker = asyncio.create_task(run_worker(source, warehouse, known(), metrics, flush=flush, stop=stop, export=export))
    while await source.backlog():  # noqa: ASYNC110  what is waited for has no event
        await asyncio.sleep(0.01)
    stop.set()
    await worker
    took_s = loop.time() - began_s
    await asyncio.sleep(linger_s)
    async with asyncio.timeout(20):
        while not arrived():  # noqa: ASYNC110  as above
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await target.close()
    return metrics, warehouse, took_s


def both(receiver: HttpReceiver) -> dict[str, str]:
    return {"traces": f"{receiver.url}/v1/traces", "metrics": f"{receiver.url}/v1/metrics"}


def spans_in(receiver: HttpReceiver) -> list[Any]:
    exports = [ExportTraceServiceRequest.FromString(one.body) for one in receiver.received if one.path == "/v1/traces"]
    return [span for one in exports for span in one.resource_spans[0].scope_spans[0].spans]


async def test_every_call_arrives_as_a_span_and_in_the_metrics(receiver: HttpReceiver) -> None:
    metrics, _, _ = await exported(both(receiver), entries(700))
    assert len({span.span_id for span in spans_in(receiver)}) == 700
    (sums,) = [one for one in receiver.received if one.path == "/v1/metrics"]
    export = ExportMetricsServiceRequest.FromString(sums.body).resource_metrics[0]
    by_name = {metric.name: metric for metric in export.scope_metrics[0].metrics}
    assert by_name["gen_ai.client.operation.duration"].histogram.data_points[0].count == 700
    assert by_name["farebox.cost"].sum.data_points[0].as_double == pytest.approx(700 * 0.00024)
    assert {one.key: one.value.string_value for one in export.resource.attributes} == {
        "service.name": "farebox",
        "team": "search",
    }
    for one in receiver.received:
        assert (one.headers["content-type"], one.headers["api-key"]) == ("application/x-protobuf", SECRET)
        assert b"Hello!" not in one.body, "no bodies"
        assert SECRET.encode() not in one.body
    assert metrics.get("worker_otlp_sent_total") == 700
    assert metrics.get("worker_otlp_dropped_total") == 0


async def test_a_receiver_that_is_down_costs_nobody_a_row(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(otlp_export, "SPANS_EVERY_S", 0.01)
    url = f"http://127.0.0.1:{free_port()}/v1/traces?key={SECRET}"
    with caplog.at_level(logging.INFO):
        metrics, warehouse, _ = await exported({"traces": url}, entries(1000), linger_s=0.1, max_bytes=50_000)
    assert len(warehouse.rows) == 1000
    assert metrics.get("worker_otlp_dropped_total") >= 900 - BATCH, "spans of at least 500 bytes"
    assert metrics.get("worker_otlp_sent_total") == 0
    assert "unavailable" in caplog.text
    assert SECRET not in caplog.text + str([record.__dict__ for record in caplog.records])


async def test_a_slow_receiver_holds_up_no_worker(receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_export, "LEAVE_S", 0.05)
    monkeypatch.setattr(otlp_export, "SPANS_EVERY_S", 0.01)
    _, warehouse, took_s = await exported({"traces": f"{receiver.url}/slow"}, entries(1500), linger_s=0.05)
    receiver.release_slow()
    assert len(warehouse.rows) == 1500
    assert took_s < 20, "as long as /slow waits"


async def test_what_a_receiver_refuses_is_dropped_and_counted(receiver: HttpReceiver) -> None:
    receiver.responses = [(400, {}, b"no"), (400, {}, b"no")]
    metrics, warehouse, _ = await exported({"traces": f"{receiver.url}/v1/traces"}, entries(5))
    assert (metrics.get("worker_otlp_dropped_total"), metrics.get("worker_otlp_sent_total")) == (5, 0)
    assert len(warehouse.rows) == 5


async def test_what_a_busy_receiver_turns_away_is_sent_again(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp_export, "SPANS_EVERY_S", 0.01)
    receiver.responses = [(503, {}, b"")]
    metrics, _, _ = await exported({"traces": f"{receiver.url}/v1/traces"}, entries(5), linger_s=0.1)
    first, second = (one.body for one in receiver.received)
    assert first == second
    assert metrics.get("worker_otlp_sent_total") == 5


async def test_metrics_arrive_while_the_receiver_of_spans_is_down(receiver: HttpReceiver) -> None:
    urls = {"traces": f"http://127.0.0.1:{free_port()}", "metrics": f"{receiver.url}/v1/metrics"}
    await exported(urls, entries(5), metrics_every_s=0.01, arrived=lambda: receiver.received)


async def test_the_way_out_is_that_of_the_settings_and_not_of_the_environment(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "otel.test")
    urls = {"traces": "https://otel.test/v1/traces", "metrics": f"{receiver.url}/v1/metrics"}
    async with an_egress_proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (port, requests):
        egress = egress_proxy(f"http://user:{SECRET}@127.0.0.1:{port}", "")
        target = OtlpReceiver(urls, headers={}, tls=trusting_context(), egress=egress)
        with pytest.raises(Unavailable) as refused:
            await target.send(Signal.TRACES, b"export")
        assert await target.send(Signal.METRICS, b"export"), "no TLS, so no proxy"
        await target.close()
    assert requests[0].startswith(b"CONNECT otel.test:443 HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic " in requests[0]
    assert SECRET not in str(refused.value)


async def test_reading_what_was_generated_is_no_call(receiver: HttpReceiver) -> None:
    at, url = datetime.now(UTC), "https://api.openai.com/v1/responses"
    begun = an_event(target_url=url, created_at=at)
    again = an_event(target_url=f"{url}/resp_1", created_at=at, request_id="01932c07-2a00-7000-8000-000000000009")
    read = replace(again, request=replace(again.request, method="GET"))
    _, warehouse, _ = await exported(both(receiver), [encode_event(begun), encode_event(read)])
    assert len(warehouse.rows) == 2
    assert [span.span_id for span in spans_in(receiver)] == [UUID(begun.request.request_id).bytes[8:]]


async def test_a_log_that_is_read_again_is_not_sent_again(receiver: HttpReceiver) -> None:
    metrics, warehouse, _ = await exported(both(receiver), entries(3, age=timedelta(hours=2)))
    assert (len(warehouse.rows), receiver.received) == (3, [])
    assert metrics.get("worker_otlp_dropped_total") == 3


async def test_the_clients_trace_is_recorded_and_travels_on_untouched() -> None:
    async with rig() as proxy, proxy.client() as client:
        proxy.provider.script = [http_response(b"{}")]
        await client.post("/oai/v1/chat/completions", json={"model": "gpt-4o"}, headers={"traceparent": TRACEPARENT})
        assert (await proxy.event()).request.traceparent == TRACEPARENT
        assert f"traceparent: {TRACEPARENT}\r\n".encode() in proxy.provider.heads[0]
