"""Logged calls from a real client's HTTP request to the row they become, through the journal."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from helicone_helpers import HeliconeManualLogger

from schemas.errors import BrokerUnavailable
from schemas.event import ExchangeEvent, Outcome, decode_event
from schemas.key import Permission
from schemas.log_entry import LogEntry
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.statement import Statement
from services.domain.enrich import to_record
from services.proxy import log_intake as manual_log
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.durability import DurabilityAck
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import Metrics
from tests.builders.logged_calls import CHAT, CHUNKS, GENERATED, MESSAGE, MESSAGE_EVENTS, a_log, as_events, as_lines
from tests.builders.records import ORGANIZATION, REQUEST_ID, TIMESTAMP
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.proxy_rig import SECRET, Rig, head, rig

pytestmark = pytest.mark.anyio

KEY = {"Authorization": f"Bearer {SECRET}"}
CUSTOM, OPENAI, ANTHROPIC, GOOGLE = "/custom/v1/log", "/oai/v1/log", "/anthropic/v1/log", "/googleapis/v1/log"
PRICES = ShippedPrices()


class Books:
    """A proxy before a journal, and clients that log."""

    def __init__(self, proxy: Rig, journal: Path) -> None:
        self.proxy = proxy
        self._journal = journal

    async def log(self, path: str, payload: Any, headers: dict[str, str] = KEY) -> tuple[int, str]:
        """The status, and the text of the error or the id of the call."""
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        async with httpx.AsyncClient(
            base_url=self.proxy.url, timeout=10, trust_env=False, verify=TRUSTS_NOBODY
        ) as client:
            response = await client.post(path, content=content, headers=headers)
        if response.status_code != 200:
            return response.status_code, response.json()["error"]["message"]
        assert (response.text, response.headers["content-type"]) == ("ok", "text/plain; charset=utf-8")
        return 200, response.headers["helicone-id"]

    async def events(self) -> list[ExchangeEvent]:
        """All that are in the journal at this timestamp."""
        source = JournalSource(self._journal)
        taken = await source.take(max_events=1000, max_bytes=2**30, wait_s=0)
        await source.close()
        return [decode_event(delivery.payload) for delivery in taken]

    async def row(self) -> RequestRecord:
        (event,) = await self.events()
        return to_record(event, PRICES)[0]


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    sink = JournalSink(tmp_path / "journal.sqlite", metrics=Metrics())
    try:
        async with rig(sink=sink) as proxy:
            yield Books(proxy, tmp_path / "journal.sqlite")
            assert proxy.provider.heads == []  # no provider may see any of this
    finally:
        await sink.close()


LOGS: dict[str, tuple[str, dict[str, Any], str, str, bool]] = {
    "a chat": (OPENAI, a_log(), "gpt-4o-mini-2024-07-18", "0.00024", False),
    "a chat without a provider": (CUSTOM, a_log(), "gpt-4o-mini-2024-07-18", "0.00024", False),
    "a chat's stream as sent": (OPENAI, a_log(text=as_events(CHUNKS)), "gpt-4o-mini-2024-07-18", "0.00024", True),
    "a chat's stream as lines": (CUSTOM, a_log(text=as_lines(CHUNKS)), "gpt-4o-mini-2024-07-18", "0.00024", True),
    "a message": (ANTHROPIC, a_log(response=MESSAGE), "claude-sonnet-4-20250514", "0.010575", False),
    "a message's stream as lines": (
        CUSTOM,
        a_log(text=as_lines(MESSAGE_EVENTS)),
        "claude-sonnet-4-20250514",
        "0.010575",
        True,
    ),
    "a message under its provider's name": (
        CUSTOM,
        a_log(response=MESSAGE, provider="anthropic"),
        "claude-sonnet-4-20250514",
        "0.010575",
        False,
    ),
    # 1000 x 0.30 + (100 + 50 thoughts) x 2.50 dollars per million, https://ai.google.dev/gemini-api/docs/pricing
    "what Gemini generated": (GOOGLE, a_log(response=GENERATED), "gemini-2.5-flash", "0.000675", False),
    "a trace": (
        "/v1/trace/custom/v1/log",
        a_log(started="2026-11-01T12:00:00.123Z", ended="1793534400973"),
        "gpt-4o-mini-2024-07-18",
        "0.00024",
        False,
    ),
    "a trace on the newer path": ("/v1/trace/custom/log/", a_log(), "gpt-4o-mini-2024-07-18", "0.00024", False),
}


@pytest.mark.parametrize("name", LOGS)
async def test_a_logged_call_is_in_the_log_when_ok_is_said_and_costs_what_it_would_have_through_the_proxy(
    books: Books, name: str
) -> None:
    path, log, model, cost, streamed = LOGS[name]
    status, request_id = await books.log(path, log)
    row = await books.row()
    assert (status, row.request_id, row.organization_id) == (200, request_id, ORGANIZATION)
    assert (row.model, row.cost_usd, row.cost_state) == (model, Decimal(cost), CostState.PRICED)
    assert (row.request_created_at, row.latency_ms, row.is_stream) == (TIMESTAMP, 850, streamed)
    assert books.proxy.metrics.get("proxy_logged_total") == 1


async def test_headers_become_tags_and_keep_their_spelling(books: Books) -> None:
    tags = {
        "Helicone-User-Id": "user-123",
        "Helicone-Property-UserTier": "premium",
        "Helicone-Session-Id": "s-1",
        "Helicone-Request-Id": REQUEST_ID.upper(),
    }
    status, request_id = await books.log(OPENAI, a_log(meta={"Helicone-Property-Feature": "chat"}), KEY | tags)
    row = await books.row()
    assert (status, request_id, row.request_id) == (200, REQUEST_ID, REQUEST_ID)
    assert (row.user_id, row.session_id) == ("user-123", "s-1")
    assert row.property_spellings == ["UserTier", "Feature"]


async def test_a_call_that_is_logged_twice_is_one_row(
    books: Books, embedded_warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    books.proxy.keys.known[SECRET] = (organization_id, Permission.WRITE)
    for _ in range(2):
        assert await books.log(OPENAI, a_log(meta={"Helicone-Request-Id": REQUEST_ID})) == (200, REQUEST_ID)
    rows = [to_record(event, PRICES) for event in await books.events()]
    (first, _), (second, _) = rows
    times = {name: getattr(second, name) for name in ("version", "first_logged_us", "logged_us")}
    again = msgspec.structs.replace(first, **times)
    assert again == second
    await embedded_warehouse.insert([record for record, _ in rows], [kept for _, kept in rows if kept is not None])
    sql = "SELECT count() AS n, sum(cost_usd) AS usd FROM request_response_rmt FINAL WHERE organization_id = {o:String}"
    found = await embedded_warehouse.query(Statement(sql=sql, parameters={"o": organization_id}))
    assert found == [{"n": 1, "usd": Decimal("0.00024")}]


async def test_an_error_that_is_logged_is_free(books: Books) -> None:
    await books.log(OPENAI, a_log(status=429, response={"error": {"message": "slow down"}}))
    row = await books.row()
    assert (row.status, row.outcome, row.cost_usd) == (429, Outcome.PROVIDER_ERROR, Decimal(0))


async def test_the_largest_log_is_taken_and_its_bodies_are_cut_as_those_that_pass_the_proxy(books: Books) -> None:
    log = json.dumps(a_log(text="x" * (9 * 2**20))).encode()
    status, _ = await books.log(OPENAI, log + b" " * (manual_log.MAX_BYTES - len(log)))
    row = await books.row()
    assert (status, row.response_bytes) == (200, 9 * 2**20)
    assert books.proxy.metrics.get("proxy_bodies_truncated_total") == 1


# The clients


async def test_the_python_client_logs_calls(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    headers = {"Helicone-User-Id": "user-123"}
    client = HeliconeManualLogger(api_key=SECRET, headers=headers, logging_endpoint=books.proxy.url)
    requested = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}
    more = {"Helicone-Property-Feature": "chat"}
    await asyncio.to_thread(
        client.log_request, requested, lambda recorder: recorder.append_results(CHAT), more, provider="openai"
    )
    await asyncio.to_thread(
        client.log_request, requested, lambda recorder: recorder.append_results(MESSAGE), provider="anthropic"
    )
    tool = {"_type": "tool", "toolName": "weather", "input": {"city": "Oslo"}}
    await asyncio.to_thread(client.log_request, tool, lambda recorder: recorder.append_results({"degrees": 3}))

    data = {"_type": "data", "name": "orders", "query": "of today"}
    await asyncio.to_thread(client.log_request, data, lambda recorder: recorder.append_results({"rows": 3}))

    chat, message, step, rows = [to_record(event, PRICES)[0] for event in await books.events()]
    assert (chat.provider, chat.cost_usd, chat.user_id) == ("OPENAI", Decimal("0.00024"), "user-123")
    assert chat.properties == {"feature": "chat"}
    assert (message.provider, message.cost_usd) == ("ANTHROPIC", Decimal("0.010575"))
    assert (step.model, step.cost_usd, step.cost_state) == ("tool:weather", Decimal(0), CostState.FREE)
    assert (rows.model, rows.cost_usd) == ("data:orders", Decimal(0))


async def test_the_python_client_logs_streams(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    client = HeliconeManualLogger(api_key=SECRET, logging_endpoint=books.proxy.url)

    def stream() -> None:
        builder = client.log_builder({"model": "gpt-4o-mini", "stream": True})
        for chunk in CHUNKS:
            builder.add_chunk(chunk)
        asyncio.run(builder.send_log())

    await asyncio.to_thread(stream)
    row = await books.row()
    assert (row.provider, row.cost_usd, row.is_stream) == ("CUSTOM", Decimal("0.00024"), True)
    assert row.time_to_first_token_ms is not None


NPM_STREAM = {
    "providerRequest": {
        "url": "custom-model-nopath",
        "json": {"model": "gpt-4o-mini", "stream": True, "messages": []},
        "meta": {},
    },
    "providerResponse": {"headers": {}, "status": -3, "json": {}, "textBody": as_lines(CHUNKS[:2])},
    "timing": {
        "startTime": {"seconds": 1793534400, "milliseconds": 123},
        "endTime": {"seconds": 1793534400, "milliseconds": 973},
        "timeToFirstToken": 120,
    },
}
NPM_SEARCH = {
    "providerRequest": {
        "url": "custom-model-nopath",
        "json": {"_type": "vector_db", "operation": "search", "text": "cost"},
        "meta": {},
    },
    "providerResponse": {"headers": {}, "status": 200, "json": {"_type": "vector_db", "hits": []}},
    "timing": {
        "startTime": {"seconds": 1793534400, "milliseconds": 123},
        "endTime": {"seconds": 1793534400, "milliseconds": 122},
    },
}


async def test_a_stream_that_was_cancelled_in_the_npm_client_has_an_unknown_cost(books: Books) -> None:
    assert (await books.log(CUSTOM, NPM_STREAM))[0] == 200
    row = await books.row()
    assert (row.status, row.outcome, row.time_to_first_token_ms) == (-3, Outcome.CLIENT_DISCONNECTED, 120)
    assert (row.model, row.cost_usd) == ("gpt-4o-mini-2024-07-18", None)


async def test_a_search_that_the_npm_client_logs_is_a_free_step(books: Books) -> None:
    assert (await books.log(CUSTOM, NPM_SEARCH))[0] == 200
    row = await books.row()
    assert (row.model, row.cost_usd, row.latency_ms) == ("vector_db", Decimal(0), 0)


async def test_litellm_logs_calls_and_its_key_in_the_payload_is_not_kept(books: Books) -> None:
    meta = {"Helicone-Auth": f"Bearer {SECRET}", "Helicone-User-Id": "user-123", "user_api_key_metadata": {}}
    log = a_log(url="https://api.openai.com/v1", meta=meta)
    log["providerResponse"]["headers"] = {"openai-version": "2020-10-01"}
    assert (await books.log(OPENAI, log))[0] == 200
    (event,) = await books.events()
    assert (event.request.target_url, event.request.tags.user_id) == ("https://api.openai.com/v1", "user-123")
    assert "canary" not in repr(event)


# Refusals


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({}, 401, "key is missing"),
        ({"Authorization": "Bearer sk-helicone-unknown"}, 401, "unknown or revoked"),
        ({"Authorization": SECRET}, 401, "Bearer <key>"),
        ({"Authorization": "Bearer sk-helicone-readonly"}, 403, "is read-only"),
        ({"Authorization": "Bearer sk-of-a-provider", "Helicone-Auth": f"Bearer {SECRET}"}, 200, ""),
    ],
)
async def test_only_a_key_that_may_write_logs_calls(
    books: Books, headers: dict[str, str], status: int, said: str
) -> None:
    books.proxy.keys.known["sk-helicone-readonly"] = (ORGANIZATION, Permission.READ)
    reported, text = await books.log(OPENAI, a_log(), headers)
    assert (reported, said in text) == (status, True)
    assert len(await books.events()) == (status == 200)
    assert books.proxy.metrics.get("proxy_refused_total") == (status != 200)


async def test_what_is_no_call_is_refused_by_name_and_leaves_nothing(books: Books) -> None:
    assert await books.log(CUSTOM, b"{") == (400, "the body is not a logged call: Input data was truncated")
    status, text = await books.log(CUSTOM, a_log(started="soon"))
    assert (status, "timing.startTime" in text) == (400, True)
    assert await books.events() == []


async def test_a_log_may_only_be_posted(books: Books) -> None:
    async with books.proxy.client() as client:
        response = await client.get(OPENAI)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_a_payload_that_is_announced_too_large_is_not_read(books: Books) -> None:
    got = await books.proxy.raw(head(OPENAI, f"Content-Length: {manual_log.MAX_BYTES + 1}", "Connection: close"))
    assert got.startswith(b"HTTP/1.1 413 ")
    assert b"Payload too large" in got


async def test_a_payload_that_grows_too_large_is_refused(books: Books) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 2**20

    async with books.proxy.client() as client:
        response = await client.post(OPENAI, content=pieces())
        assert (response.status_code, (await client.get("/healthz")).status_code) == (413, 200)


async def test_a_connection_goes_on_after_a_log_that_was_refused_unread(books: Books) -> None:
    refused = head(OPENAI, "Content-Length: 200000", key="sk-helicone-unknown")
    rest = b"x" * 200_000 + head("/healthz", "Connection: close", method="GET")
    got = await books.proxy.raw(refused, rest)
    assert got.startswith(b"HTTP/1.1 401 ")
    assert got.endswith(b'{"status":"ok"}\n')


async def test_a_client_that_leaves_midway_has_logged_nothing(books: Books) -> None:
    reader, writer = await books.proxy.connect()
    writer.write(head(OPENAI, "Content-Length: 100") + b"{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    assert await reader.read() == b""
    assert (await books.log(OPENAI, a_log()))[0] == 200
    assert len(await books.events()) == 1


async def test_a_payload_that_does_not_come_in_time_is_refused(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual_log, "BODY_S", 0.1)
    got = await books.proxy.raw(head(OPENAI, "Content-Length: 100", "Connection: close") + b"{")
    assert got.startswith(b"HTTP/1.1 408 ")


async def test_logs_beyond_what_memory_may_hold_wait_and_are_then_refused_with_retry_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual_log, "MAX_ARRIVING_BYTES", 20_000)
    monkeypatch.setattr(manual_log, "UNCOUNTED_BYTES", 0)
    monkeypatch.setattr(manual_log, "WAIT_S", 0.2)
    async with rig() as proxy:
        books = Books(proxy, tmp_path / "journal.sqlite")
        for _ in range(5):
            assert (await books.log(OPENAI, a_log(text="x" * 9000)))[0] == 200
        reader, writer = await proxy.connect()
        writer.write(head(OPENAI, "Content-Length: 9000") + b" " * 8000)
        async with asyncio.timeout(10):
            while (response := await books.log(OPENAI, a_log(text="x" * 9000)))[0] == 200:
                pass  # until the proxy has read the other one
            assert response == (503, "too many logs arrive at once; try again")
            waiting = asyncio.create_task(books.log(OPENAI, a_log(text="x" * 9000)))
            await asyncio.sleep(0.05)
            writer.close()
            assert await reader.read() == b""
            assert (await waiting)[0] == 200


async def test_a_key_that_cannot_be_checked_is_a_503(books: Books) -> None:
    books.proxy.keys.unreachable = True
    status, text = await books.log(OPENAI, a_log())
    assert (status, "try again" in text) == (503, True)


class HeldSink:
    """Takes events, and leaves it to the test whether they become durable."""

    def __init__(self) -> None:
        self.promise = DurabilityAck(asyncio.get_running_loop())
        self.came = asyncio.Event()

    def publish(self, event: LogEntry) -> DurabilityAck:
        assert isinstance(event, ExchangeEvent)
        assert event.request.organization_id == ORGANIZATION
        self.came.set()
        return self.promise

    async def close(self) -> None: ...


@pytest.mark.parametrize("durability", ["relaxed", "standard", "strict"])
async def test_ok_waits_for_the_event_log_in_every_durability(tmp_path: Path, durability: str) -> None:
    sink = HeldSink()
    async with rig(sink=sink, durability=durability) as proxy:
        logging = asyncio.create_task(Books(proxy, tmp_path).log(OPENAI, a_log()))
        await sink.came.wait()
        await asyncio.sleep(0.1)
        assert not logging.done()
        sink.promise.settle()
        assert (await logging)[0] == 200


async def test_a_call_that_the_event_log_gave_up_is_a_503(tmp_path: Path) -> None:
    sink = HeldSink()
    async with rig(sink=sink) as proxy:
        logging = asyncio.create_task(Books(proxy, tmp_path).log(OPENAI, a_log()))
        await sink.came.wait()
        sink.promise.fail(BrokerUnavailable("/secret/path is full"))
        assert await logging == (503, "the call could not be recorded; log it again")
