"""Retries in a running proxy, over sockets: what is tried again, when, and what becomes of failed attempts."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from time import monotonic
from typing import Any

import httpx
import pytest

from schemas.event import Outcome
from schemas.price import CostState
from services.domain.enrich import to_record
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import chat_response
from tests.servers.proxy_rig import Rig, head, rig
from tests.servers.scripted_provider import Do, Step, chunked, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
PLAIN = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}
ANSWER = http_response(chat_response(model="gpt-4o-2024-08-06", prompt=10_000, cached=0, completion=1_000))
RETRY = {"Helicone-Retry-Enabled": "true", "Helicone-Retry-Min-Timeout": "1", "Helicone-Retry-Max-Timeout": "5"}
BUSY = http_response(b'{"error":{"message":"slow down"}}', status="429 Too Many Requests")
BROKEN = http_response(b'{"error":{"message":"sorry"}}', status="503 Service Unavailable")
GAVE_UP = http_response(b"upstream timed out", status="504 Gateway Timeout", content_type="text/plain")
BILLED = http_response(
    chat_response(model="gpt-4o-2024-08-06", prompt=1_000, cached=0, completion=0), status="500 Internal Server Error"
)


@pytest.fixture
async def proxy() -> AsyncIterator[Rig]:
    async with rig(first_byte_timeout_s=1) as running:
        running.provider.script = [ANSWER]
        yield running


async def post(proxy: Rig, *scripts: list[Step], headers: dict[str, str] = RETRY, body: Any = PLAIN) -> httpx.Response:
    """The response where each request to the provider gets the next of `scripts`, and all further ones the last."""
    proxy.provider.scripts = list(scripts)
    async with proxy.client() as client:
        return await client.post(CHAT, json=body, headers=headers)


@pytest.mark.parametrize("failure", [[BUSY], [BROKEN], [GAVE_UP], [Do.RESET], [Do.CLOSE], [Do.HANG]])
async def test_a_failed_attempt_is_tried_again_and_its_client_sees_the_response_alone(
    proxy: Rig, failure: list[Step]
) -> None:
    got = await post(proxy, failure, failure, [ANSWER])
    assert (got.status_code, got.headers["Helicone-Attempts"]) == (200, "3")
    assert got.headers["Helicone-Status"] == "success"
    assert len(set(proxy.provider.bodies)) == 1
    assert len(proxy.provider.bodies) == 3
    assert b"helicone-retry" not in b"".join(proxy.provider.heads).lower()
    assert proxy.metrics.get("proxy_retries_total") == 2


@pytest.mark.parametrize(
    ("failure", "rows"), [(BUSY, 1), (BROKEN, 1), (GAVE_UP, 2), (BILLED, 2), (Do.RESET, 2), (Do.HANG, 2)]
)
async def test_attempts_that_may_have_been_billed_have_rows_of_their_own(proxy: Rig, failure: Step, rows: int) -> None:
    got = await post(proxy, [failure], [ANSWER])
    *attempts, last = await proxy.events(rows)
    assert last.request.request_id == got.headers["Helicone-Id"]
    assert last.request.attempt_of is None
    assert last.response.outcome is Outcome.COMPLETED
    for attempt in attempts:
        assert attempt.request.attempt_of == last.request.request_id
        assert attempt.request.request_id != last.request.request_id
        assert attempt.request.body == last.request.body
        assert last.request.created_at <= attempt.request.created_at
        assert attempt.recorded_at is not None
        assert attempt.response.request_sent


async def test_the_cost_of_a_call_is_that_of_all_its_attempts(proxy: Rig) -> None:
    await post(proxy, [BILLED], [GAVE_UP], [ANSWER])
    records = [to_record(event, ShippedPrices())[0] for event in await proxy.events(3)]
    assert [(one.cost_usd, one.cost_state) for one in records] == [
        (Decimal("0.0025"), CostState.PRICED),
        (None, CostState.NO_USAGE),
        (Decimal("0.035"), CostState.PRICED),
    ]


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "404 Not Found", "200 OK", "302 Found"])
async def test_what_another_attempt_would_not_change_is_passed_on(proxy: Rig, status: str) -> None:
    got = await post(proxy, [http_response(b"{}", status=status)], [ANSWER])
    assert got.status_code == int(status[:3])
    assert len(proxy.provider.heads) == 1
    assert got.headers["Helicone-Attempts"] == "1"


async def test_the_last_failure_is_passed_on(proxy: Rig) -> None:
    got = await post(proxy, [BROKEN], headers=RETRY | {"Helicone-Retry-Num": "2"})
    assert (got.status_code, got.headers["Helicone-Attempts"]) == (503, "3")
    assert got.json()["error"]["message"] == "sorry"
    event = await proxy.event()
    assert (event.response.status, event.response.outcome) == (503, Outcome.PROVIDER_ERROR)


async def test_the_last_failure_to_connect_is_an_error_of_the_gateway_and_free() -> None:
    async with rig(openai_url="http://127.0.0.1:9") as alone, alone.client() as client:
        got = await client.post(CHAT, json=PLAIN, headers=RETRY | {"Helicone-Retry-Num": "2"})
        assert got.status_code == 502
        event = await alone.event()
        assert not event.response.request_sent
        assert alone.metrics.get("proxy_retries_total") == 2


@pytest.mark.parametrize("value", ["false", "0", "no", "off", "", "FALSE"])
async def test_a_no_asks_for_no_retries_whatever_the_numbers_are(proxy: Rig, value: str) -> None:
    got = await post(proxy, [BROKEN], headers={"Helicone-Retry-Enabled": value, "Helicone-Retry-Num": "x"})
    assert got.status_code == 503
    assert "Helicone-Attempts" not in got.headers
    assert len(proxy.provider.heads) == 1


async def test_a_stream_that_breaks_off_is_not_asked_for_again(proxy: Rig) -> None:
    stream = chunked(b'data: {"choices":[]}\n\n', end=b"")
    proxy.provider.scripts = [[stream, 0.05, Do.RESET], [ANSWER]]
    async with proxy.client() as client, client.stream("POST", CHAT, json=PLAIN, headers=RETRY) as got:
        assert got.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            await got.aread()
    assert (await proxy.event()).response.outcome is Outcome.UPSTREAM_ERROR
    assert len(proxy.provider.heads) == 1


async def test_what_the_provider_asks_for_by_retry_after_is_waited(proxy: Rig) -> None:
    asked = http_response(b"{}", status="429 Too Many Requests", more="Retry-After: 1\r\n")
    began_s = monotonic()
    got = await post(proxy, [asked], [ANSWER], headers=RETRY | {"Helicone-Retry-Max-Timeout": "1000"})
    assert got.status_code == 200
    assert monotonic() - began_s >= 0.99


@pytest.mark.parametrize(
    ("asked", "skipped"), [("Retry-After: 3600", "retry_after"), ("Retry-After-Ms: 60000", "retry_after")]
)
async def test_a_longer_wait_than_the_client_allows_is_no_retry(proxy: Rig, asked: str, skipped: str) -> None:
    refusal = http_response(b"{}", status="429 Too Many Requests", more=f"{asked}\r\n")
    got = await post(proxy, [refusal], [ANSWER])
    assert (got.status_code, got.headers["Helicone-Retry-Skipped"]) == (429, skipped)
    assert proxy.metrics.get("proxy_retries_skipped_total") == 1


async def test_no_attempt_begins_that_would_be_behind_the_deadline() -> None:
    async with rig(total_timeout_s=2) as running:
        slow = RETRY | {"Helicone-Retry-Min-Timeout": "5000", "Helicone-Retry-Max-Timeout": "5000"}
        got = await post(running, [BROKEN], [ANSWER], headers=slow)
        assert (got.status_code, got.headers["Helicone-Retry-Skipped"]) == (503, "deadline")


async def test_a_body_too_large_to_be_kept_is_sent_once_and_the_client_is_told(proxy: Rig) -> None:
    large = {**PLAIN, "padding": "x" * (9 * 2**20)}
    got = await post(proxy, [BROKEN], [ANSWER], body=large)
    assert (got.status_code, got.headers["Helicone-Retry-Skipped"]) == (503, "body_too_large")
    assert len(proxy.provider.bodies[0]) > 9 * 2**20
    assert proxy.metrics.get("proxy_retries_skipped_total") == 1
    assert (await post(proxy, [Do.RESET], [ANSWER], body=large)).status_code == 502
    assert proxy.metrics.get("proxy_retries_skipped_total") == 2


async def test_large_bodies_are_sent_again_whole(proxy: Rig) -> None:
    large = {**PLAIN, "padding": "x" * (3 * 2**20)}
    got = await post(proxy, [Do.RESET], [BROKEN], [ANSWER], body=large)
    assert got.status_code == 200
    assert [json.loads(one) == large for one in proxy.provider.bodies] == [True] * 3


async def test_after_a_row_of_failures_a_server_is_not_retried_until_it_responds_again(proxy: Rig) -> None:
    assert (await post(proxy, [BROKEN])).headers["Helicone-Attempts"] == "5"  # the fifth failure opened the circuit
    assert proxy.metrics.get("proxy_circuits_opened_total") == 1
    got = await post(proxy, [BROKEN])
    assert (got.headers["Helicone-Attempts"], got.headers["Helicone-Retry-Skipped"]) == ("1", "circuit_open")
    assert (await post(proxy, [ANSWER])).status_code == 200
    assert (await post(proxy, [BROKEN], [ANSWER])).headers["Helicone-Attempts"] == "2"


async def test_a_client_that_disconnects_between_attempts_ends_them(proxy: Rig) -> None:
    proxy.provider.scripts = [[BROKEN], [ANSWER]]
    _, writer = await proxy.connect()
    body = json.dumps(PLAIN).encode()
    lines = ("Helicone-Retry-Enabled: true", "Helicone-Retry-Min-Timeout: 500", f"Content-Length: {len(body)}")
    writer.write(head(CHAT, *lines) + body)
    while proxy.metrics.get("proxy_retries_total") == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    writer.close()
    event = await proxy.event()
    assert event.response.outcome is Outcome.CLIENT_DISCONNECTED
    assert not event.response.request_sent
    await asyncio.sleep(0.8)
    assert len(proxy.provider.heads) == 1


@pytest.mark.parametrize("after", [[BROKEN], [ANSWER]])
async def test_the_attempt_of_a_client_that_disconnected_is_read_on_and_is_the_last(
    proxy: Rig, after: list[Step]
) -> None:
    proxy.provider.scripts = [[BROKEN], [0.3, *after], [ANSWER]]
    _, writer = await proxy.connect()
    body = json.dumps(PLAIN).encode()
    lines = (*(f"{name}: {value}" for name, value in RETRY.items()), f"Content-Length: {len(body)}")
    writer.write(head(CHAT, *lines) + body)
    while len(proxy.provider.heads) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    writer.close()
    await asyncio.sleep(0.5)
    event = await proxy.event()
    assert (event.response.outcome, event.response.drained) == (Outcome.CLIENT_DISCONNECTED, True)
    assert event.response.status == (503 if after == [BROKEN] else 200)
    assert len(proxy.provider.heads) == 2


async def test_a_body_that_comes_slowly_is_sent_whole_by_every_attempt(proxy: Rig) -> None:
    """The provider responds before the request is whole."""
    proxy.provider.scripts = [[BROKEN], [ANSWER]]
    body = json.dumps(PLAIN).encode()
    lines = (*(f"{name}: {value}" for name, value in RETRY.items()), f"Content-Length: {len(body)}")
    parts = [body[at : at + 10] for at in range(0, len(body), 10)]
    got = await proxy.raw(head(CHAT, *lines, "Connection: close"), *parts)
    assert got.startswith(b"HTTP/1.1 200")
    assert proxy.provider.bodies == [body, body]


async def test_what_waits_for_its_next_attempt_at_a_stop_is_recorded() -> None:
    async with rig(grace_s=1) as running:
        running.provider.scripts = [[GAVE_UP], [ANSWER]]
        body = json.dumps(PLAIN).encode()
        _, writer = await running.connect()
        lines = ("Helicone-Retry-Enabled: true", "Helicone-Retry-Min-Timeout: 9000", f"Content-Length: {len(body)}")
        writer.write(head(CHAT, *lines) + body)
        while running.metrics.get("proxy_retries_total") == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    attempt, call = await running.events(2)
    assert attempt.request.attempt_of == call.request.request_id
    assert (call.response.outcome, call.response.request_sent) == (Outcome.TIMED_OUT, False)
    writer.close()
