"""Facts that cannot be had later: from a real proxy's sockets, through the log, to rows, filters, reports and CSV."""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.event import ExchangeEvent, encode_event
from schemas.key import Permission
from schemas.record import RequestRecord
from schemas.tables import ATTRIBUTION
from services.domain.enrich import to_record
from services.hashing import KeyedHashes
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.memory import ManualClock, MemoryLog, MemorySource
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.migrations.run import migrate_state
from services.stores.state.secrets import SqlSecrets
from services.telemetry.metrics import Metrics
from services.worker.loop import Flush, run_worker
from tests.builders.logged_calls import CHAT, GENERATED, MESSAGE_EVENTS, a_log, as_events
from tests.builders.price_rows import known
from tests.builders.records import TIMESTAMP, an_event
from tests.contracts.test_one_base_url import logged, posted
from tests.contracts.test_query_csv import lines_of
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.proxy_rig import SECRET, Rig, SharedSecrets, key_id_of, rig
from tests.servers.querying import LIST, Client, query_service
from tests.servers.scripted_provider import chunked, http_response
from tests.servers.warehouses import rows_of
from tests.support.working import work_through

KEY = "sk-canary-provider-key-of-a-team"
ORGANIZATION = "OpenAI-Organization: org-of-the-response\r\nopenai-project: proj_1\r\n"
PRICES = ShippedPrices()

Call = tuple[str, dict[str, str], dict[str, Any], bytes]  # path, headers, body, the provider's response
CALLS: Mapping[str, Call] = {
    "OPENAI": (
        "/oai/v1/chat/completions",
        {"Authorization": f"Bearer {KEY}", "OpenAI-Organization": "org-of-the-request"},
        {"model": "gpt-4o-mini", "messages": [], "user": "u"},
        http_response(json.dumps(CHAT).encode(), more=f"x-request-id: req_openai\r\n{ORGANIZATION}"),
    ),
    "ANTHROPIC": (
        "/anthropic/v1/messages",
        {"x-api-key": KEY, "anthropic-workspace-id": "wrkspc_1"},
        {"model": "claude-sonnet-4-0", "messages": [], "stream": True},
        chunked(
            as_events(MESSAGE_EVENTS).encode(), more="request-id: req_011\r\nanthropic-organization-id: 5f1c-acme\r\n"
        ),
    ),
    "GROQ": (
        "/groq/openai/v1/chat/completions",
        {"Authorization": f"Bearer {KEY}"},
        {"model": "llama-3.3-70b-versatile", "messages": []},
        http_response(json.dumps(CHAT | {"id": "chatcmpl-groq-1", "model": "llama-3.3-70b-versatile"}).encode()),
    ),
}
FACTS: Mapping[str, dict[str, str]] = {
    "OPENAI": {
        "provider_organization": "org-of-the-response",
        "provider_project": "proj_1",
        "provider_request_id": "req_openai",
        "provider_response_id": "chatcmpl-1",
        "response_model": "gpt-4o-mini-2024-07-18",
    },
    "ANTHROPIC": {
        "provider_organization": "5f1c-acme",
        "provider_project": "wrkspc_1",
        "provider_request_id": "req_011",
        "provider_response_id": "msg_1",
        "response_model": "claude-sonnet-4-20250514",
    },
    "GROQ": {
        "provider_organization": "",
        "provider_project": "",
        "provider_request_id": "chatcmpl-groq-1",
        "provider_response_id": "chatcmpl-groq-1",
        "response_model": "llama-3.3-70b-versatile",
    },
}


async def calls(organization_id: str, **settings: Any) -> list[ExchangeEvent]:
    async with rig(proxy_id="proxy-7", clock=ManualClock(TIMESTAMP), **settings) as proxy:
        proxy.keys.known[SECRET] = (organization_id, Permission.READ_WRITE)
        for path, headers, body, response in CALLS.values():
            proxy.provider.script = [response]
            await _call(proxy, path, headers, body)
        return await proxy.events(len(CALLS))


async def _call(proxy: Rig, path: str, headers: Mapping[str, str], body: object) -> None:
    async with httpx.AsyncClient(base_url=proxy.url, timeout=10, trust_env=False, verify=TRUSTS_NOBODY) as client:
        got = await client.post(path, json=body, headers={"Helicone-Auth": f"Bearer {SECRET}", **headers})
    assert got.status_code == 200, got.text


def loaded() -> KeyedHashes:
    hashes = KeyedHashes(SharedSecrets())
    asyncio.run(hashes.load())
    return hashes


def test_every_fact_of_a_call_is_in_its_row_and_can_be_filtered_grouped_and_exported(client: Client) -> None:
    events = asyncio.run(calls(client.organization_id))
    work_through(client.service.warehouse, [encode_event(event) for event in events], hashes=loaded())
    rows = {row["provider"]: row for row in client.page(filter_json="all")}
    assert rows.keys() == CALLS.keys()
    for provider, row in rows.items():
        assert {name: row[name] for name in FACTS[provider]} == FACTS[provider]
        assert (row["key_id"], row["proxy_id"]) == (key_id_of(SECRET), "proxy-7")
    assert len({row["provider_key_hash"] for row in rows.values()}) == 1, "one key, in two headers"
    assert len({row["request_fingerprint"] for row in rows.values()}) == 3
    in_csv = {line["provider"]: line for line in lines_of(client, LIST, {"filter": "all"})}
    for name in ("key_id", *ATTRIBUTION):
        values = {provider: row[name] for provider, row in rows.items()}
        assert {provider: line[name] for provider, line in in_csv.items()} == values
        _is_filtered_and_grouped(client, name, values)


def _is_filtered_and_grouped(client: Client, name: str, values: Mapping[str, str]) -> None:
    for value in set(values.values()):
        found = client.page(filter_json={"request_response_rmt": {name: {"equals": value}}})
        assert {row["provider"] for row in found} == {one for one in values if values[one] == value}, (name, value)
    report = client.report(measures=["requests"], by=[{"column": name}])
    counted = {row["by"][0] or "": row["measures"]["requests"] for row in report["rows"]}
    assert counted == {value: list(values.values()).count(value) for value in values.values()}


@pytest.mark.parametrize("omitted", ["none", "both"])
def test_omitted_bodies_leave_the_same_facts(omitted: str, organization_id: str) -> None:
    hashes = loaded()
    rows = [
        to_record(event, PRICES, hashes.key)[0] for event in asyncio.run(calls(organization_id, omit_bodies=omitted))
    ]
    stored = [to_record(event, PRICES, hashes.key)[0] for event in asyncio.run(calls(organization_id))]
    assert [facts_in(row) for row in rows] == [facts_in(row) for row in stored]
    assert all(row.request_fingerprint for row in rows)


def facts_in(row: RequestRecord) -> dict[str, str]:
    return {name: getattr(row, name) for name in ATTRIBUTION}


def test_the_same_prompt_has_the_same_fingerprint_through_the_proxy_and_in_a_log(organization_id: str) -> None:
    async def both() -> list[ExchangeEvent]:
        async with rig() as proxy:
            proxy.keys.known[SECRET] = (organization_id, Permission.READ_WRITE)
            requested = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}
            await _call(proxy, "/oai/v1/chat/completions", {}, requested | {"user": "u", "seed": 5})
            for omit in ("false", "true"):
                headers = {"Authorization": f"Bearer {SECRET}", "Helicone-Omit-Request": omit}
                await _call(proxy, "/oai/v1/log", headers, a_log(requested=dict(reversed(requested.items()))))
            return await proxy.events(3)

    key = loaded().key
    assert len({to_record(event, PRICES, key)[0].request_fingerprint for event in asyncio.run(both())}) == 1


def test_a_logged_call_has_what_its_client_logged(organization_id: str) -> None:
    meta = {"Authorization": f"Bearer {KEY}", "OpenAI-Project": "proj_1", "openai-organization": 7}
    openai = a_log(meta=meta)
    openai["providerResponse"]["headers"] = {"X-Request-Id": "req_1", "openai-organization": "acme"}
    url = "https://aiplatform.googleapis.com/v1/projects/acme-prod/locations/eu/models/gemini-2.5-flash:generateContent"
    google = a_log(url=f"{url}?key={KEY}", response=GENERATED | {"responseId": "Ab-9"})
    odd = a_log()
    odd["providerResponse"]["headers"] = ["x-request-id"]

    async def taken() -> list[ExchangeEvent]:
        async with rig(proxy_id="logs-1") as proxy:
            proxy.keys.known[SECRET] = (organization_id, Permission.READ_WRITE)
            for path, payload in (("/oai/v1/log", openai), ("/googleapis/v1/log", google), ("/oai/v1/log", odd)):
                await _call(proxy, path, {"Authorization": f"Bearer {SECRET}"}, payload)
            events = await proxy.events(3)
            assert KEY.encode() not in proxy.everything_logged()
            return events

    first, second, third = (facts_in(to_record(event, PRICES)[0]) for event in asyncio.run(taken()))
    assert first["provider_key_hash"] == second["provider_key_hash"] != ""
    assert (first["provider_organization"], first["provider_project"]) == ("acme", "proj_1")
    assert (first["provider_request_id"], first["provider_response_id"]) == ("req_1", "chatcmpl-1")
    assert (second["provider_project"], second["provider_response_id"]) == ("acme-prod", "Ab-9")
    assert (third["provider_key_hash"], third["provider_request_id"], third["proxy_id"]) == ("", "chatcmpl-1", "logs-1")


def test_the_query_service_hashes_what_is_logged_to_it(
    embedded_warehouse: ClickHouseWarehouse, tmp_path: Path, organization_id: str
) -> None:
    with query_service(embedded_warehouse, tmp_path) as service:
        key = service.key(organization_id, Permission.READ_WRITE)
        payload = a_log(meta={"Authorization": f"Bearer {KEY}"})
        assert posted(service, "/oai/v1/log", payload, key)[:2] == (200, "ok")
        (event,) = logged(service)
    assert re.fullmatch("[0-9a-f]{16}", event.request.account.key_hash)
    assert event.request.proxy_id == "query-1"
    assert KEY.encode() not in encode_event(event)


def test_no_credential_is_anywhere(
    embedded_warehouse: ClickHouseWarehouse, organization_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("Authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token")
    every = {name: f"{KEY}-{name}" for name in names} | {"Proxy-Authorization": KEY}

    async def reported() -> bytes:
        async with rig() as proxy:
            proxy.keys.known[SECRET] = (organization_id, Permission.READ_WRITE)
            for path, _, body, response in CALLS.values():
                proxy.provider.script = [response]
                await _call(proxy, f"{path}?key={KEY}", every, body)
            proxy.provider.script = [http_response(b"{}", status="401 Unauthorized", more=f"x-api-key: {KEY}\r\n")]
            async with proxy.client() as client:
                await client.post("/oai/v1/chat/completions", json={}, headers=every)
            await proxy.events(len(CALLS) + 1)
            return proxy.everything_logged()

    with caplog.at_level(logging.DEBUG):
        kept = asyncio.run(reported())
    assert KEY.encode() not in kept
    work_through(
        embedded_warehouse, [encode_event(event) for event in asyncio.run(calls(organization_id))], hashes=loaded()
    )
    assert KEY not in repr(rows_of(embedded_warehouse, organization_id))
    ours = [record for record in caplog.records if record.name.startswith("farebox")]  # the test's client logs too
    assert KEY not in repr([vars(record) for record in ours])


def test_processes_that_share_a_state_database_hash_alike(state_url: str) -> None:
    async def hashed() -> tuple[bytes, str]:
        secrets = SqlSecrets(state_url)
        hashes = KeyedHashes(secrets)
        try:
            return await hashes.load(), hashes.of_credential(b"Bearer sk-one")
        finally:
            await secrets.close()

    asyncio.run(migrate_state(state_url))
    first, second = asyncio.run(hashed()), asyncio.run(hashed())
    assert first == second
    assert (len(first[0]), len(first[1])) == (32, 16)


def test_no_call_passes_before_the_secret_could_be_read_and_none_is_held_up_after() -> None:
    async def story() -> None:
        secrets = SharedSecrets()
        async with rig(secrets=secrets) as proxy, proxy.client() as client:
            secrets.unreachable = True
            assert (await client.post("/oai/v1/x", json={})).status_code == 503
            assert proxy.provider.heads == []
            secrets.unreachable = False
            assert (await client.post("/oai/v1/x", json={})).status_code == 200
            secrets.unreachable = True
            assert (await client.post("/oai/v1/x", json={})).status_code == 200
            hashes = {event.request.account.key_hash for event in await proxy.events(2)}
            assert len(hashes) == 1
            assert hashes != {""}

    asyncio.run(story())


def test_a_process_is_named_by_its_host_and_port_unless_it_has_a_name() -> None:
    async def recorded(**settings: Any) -> str:
        async with rig(**settings) as proxy:
            await _call(proxy, "/oai/v1/x", {}, {})
            return (await proxy.event()).request.proxy_id

    assert asyncio.run(recorded(proxy_id="eu-1")) == "eu-1"
    host, _, port = asyncio.run(recorded()).rpartition(":")
    assert (bool(host), port.isdigit()) == (True, True)


def test_the_worker_waits_for_the_secret_rather_than_leave_fingerprints_out(
    embedded_warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    async def story() -> None:
        log, metrics, secrets, stop = MemoryLog(), Metrics(), SharedSecrets(), asyncio.Event()
        log.entries.append(encode_event(an_event(organization_id=organization_id)))
        source, flush = MemorySource(log), Flush(max_rows=10, max_bytes=2**20, max_age_s=0.01)
        secrets.unreachable = True
        work = run_worker(
            source, embedded_warehouse, known(), metrics, flush=flush, stop=stop, hashes=KeyedHashes(secrets)
        )
        worker = asyncio.create_task(work)
        while not metrics.get("worker_retries_total"):  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
        assert await source.backlog() == 1
        secrets.unreachable = False
        while await source.backlog():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        stop.set()
        await worker

    asyncio.run(asyncio.wait_for(story(), 30))
    (row,) = rows_of(embedded_warehouse, organization_id)
    assert row["request_fingerprint"]
