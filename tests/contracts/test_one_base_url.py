"""Helicone's clients know one base URL: logged calls are taken by both services, and the proxy names where to query."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from helicone_helpers import HeliconeManualLogger

from schemas.event import ExchangeEvent, decode_event
from schemas.key import Permission
from services.domain.enrich import to_record
from services.domain.logging_api.event import LOG_PATHS
from services.domain.logging_api.typed import TYPED_PATH
from services.proxy.app import QUERIES
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.journal.source import JournalSource
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.logged_calls import CHAT, a_log
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.proxy_rig import SECRET, Rig, rig
from tests.servers.querying import Client, QueryService, query_service


@pytest.fixture
def writer(embedded_warehouse: ClickHouseWarehouse, tmp_path: Path, organization_id: str) -> Any:
    with query_service(embedded_warehouse, tmp_path) as service:
        yield Client(service, organization_id, service.key(organization_id, Permission.READ_WRITE))


def posted(service: QueryService, path: str, payload: object, key: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    connection.request("POST", path, body, {"Authorization": f"Bearer {key}", "Helicone-User-Id": "user-1"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text, {name.lower(): value for name, value in response.getheaders()}


def logged(service: QueryService) -> list[ExchangeEvent]:
    async def taken() -> list[ExchangeEvent]:
        source = JournalSource(service.journal)
        deliveries = await source.take(max_events=100, max_bytes=2**30, wait_s=0)
        await source.close()
        return [decode_event(delivery.payload) for delivery in deliveries]

    return asyncio.run(taken())


def test_a_call_that_is_logged_to_the_query_service_is_durable_when_ok_is_said(writer: Client) -> None:
    ids = []
    for path in LOG_PATHS:
        status, text, headers = posted(writer.service, path, a_log(), writer.key)
        assert (status, text) == (200, "ok"), path
        ids.append(headers["helicone-id"])
    events = logged(writer.service)
    assert [event.request.request_id for event in events] == ids
    row, _ = to_record(events[0], ShippedPrices())
    assert (row.organization_id, row.user_id, row.cost_usd) == (writer.organization_id, "user-1", Decimal("0.00024"))


def test_helicones_own_logger_needs_the_address_of_the_query_service_only(writer: Client) -> None:
    clock = writer.service.clock
    clock.advance(seconds=(datetime.now(UTC) - clock.now()).total_seconds())  # the logger reports the real time
    logger = HeliconeManualLogger(api_key=writer.key, logging_endpoint=f"http://127.0.0.1:{writer.service.port}")

    def call(recorder: Any) -> Any:
        recorder.append_results(CHAT)
        return CHAT

    logger.log_request({"model": "gpt-4o-mini", "messages": []}, call, {"Helicone-User-Id": "u"}, provider="openai")
    (event,) = logged(writer.service)
    assert (event.request.provider, event.request.tags.user_id) == ("OPENAI", "u")


def test_a_log_without_a_good_key_is_refused_and_one_that_is_wrong_says_where(writer: Client) -> None:
    reader = writer.service.key(writer.organization_id, Permission.READ)
    for key, expected in (("", 401), ("sk-helicone-not-one-of-ours", 401), (reader, 403)):
        assert posted(writer.service, "/custom/v1/log", a_log(), key)[0] == expected
    status, text, _ = posted(writer.service, "/custom/v1/log", b"{}", writer.key)
    assert (status, "providerRequest" in json.loads(text)["error"]["message"]) == (400, True)
    assert logged(writer.service) == []


FAULTS = [
    (b"{}", "providerRequest"),
    ({**a_log(), "providerRequest": {"url": 1}}, "providerRequest.url"),
    (a_log(status=7), "providerResponse.status"),
    (b"[", ""),
]


@pytest.mark.parametrize(("payload", "field"), FAULTS)
def test_the_typed_route_names_the_field_of_a_fault_on_both_services(
    writer: Client, payload: object, field: str
) -> None:
    status, text, _ = posted(writer.service, TYPED_PATH, payload, writer.key)
    refusal = json.loads(text)
    assert (status, refusal["isValid"]) == (400, False)
    assert [fault["field"] for fault in refusal["errors"]] == [field]
    assert refusal["errors"][0]["message"]


def test_healthcheck_gets_a_response(writer: Client) -> None:
    assert writer.ask("/healthcheck") == (200, {"status": "healthy :)"})


@pytest.fixture
async def proxy() -> AsyncIterator[Rig]:
    async with rig(query_url="https://costs.example/api/") as one:
        yield one


@pytest.mark.anyio
async def test_the_proxy_names_the_address_of_every_query(proxy: Rig, embedded_service: QueryService) -> None:
    documentation = await asyncio.to_thread(embedded_service.ask, "/openapi.json", key="")
    paths = [path for path in documentation[1]["paths"] if path.startswith("/v1/")]
    assert {path for path in paths if any(path.startswith(query) for query in QUERIES)} == set(paths)
    async with httpx.AsyncClient(base_url=proxy.url, trust_env=False, verify=TRUSTS_NOBODY) as client:
        for path in paths:
            response = await client.post(path, json={"filter": "all"}, headers={"Authorization": SECRET})
            message = response.json()["error"]["message"]
            assert (response.status_code, "https://costs.example/api" in message) == (421, True), path
        typed = await client.post(TYPED_PATH, content=b"{}", headers={"Authorization": f"Bearer {SECRET}"})
    assert (typed.status_code, typed.json()["errors"][0]["field"]) == (400, "providerRequest")
    assert proxy.provider.heads == []
