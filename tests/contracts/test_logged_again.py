"""A key that may only write cannot rewrite what was charged: not at the proxy, and not in the warehouse."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import httpx
import msgspec
import pytest

from schemas.event import Delivery, ExchangeEvent, RequestTags, encode_event
from schemas.key import Permission
from services.domain.omission import without_bodies
from services.domain.pricing.price_book import PriceBookHistory
from services.ports.warehouse import AmendableWarehouse
from services.proxy import log_conflicts
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.memory import MemoryLog, MemorySource
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import Metrics
from services.worker.loop import MAX_DEAD_LETTERS, Flush, run_worker
from services.worker.rows import MAX_LOGS
from services.worker.rows import rows_of as piece_of
from tests.builders.logged_calls import CHAT, a_log
from tests.builders.price_rows import known
from tests.builders.records import REQUEST_ID, TIMESTAMP, an_event, chat_response
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.proxy_rig import SECRET, Rig, key_id_of, rig
from tests.servers.querying import Client
from tests.servers.warehouses import rows_of
from tests.support.working import work_through

FORGED = CHAT | {"usage": CHAT["usage"] | {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}}


def a_logged(organization_id: str, *, hours: float = 0, key_id: str = "key-1", prompt: int = 1000) -> ExchangeEvent:
    return an_event(
        organization_id=organization_id,
        response_body=chat_response(prompt=prompt, cached=0),
        recorded_at=TIMESTAMP + timedelta(hours=hours),
        key_id=key_id,
        logged=True,
    )


def worked(
    warehouse: AmendableWarehouse, events: Sequence[ExchangeEvent], *, rows: int = 1000
) -> tuple[MemoryLog, Metrics]:
    """One worker over `events`, in batches of `rows`: its log with dead letters, and its metrics."""
    log, metrics = MemoryLog(), Metrics()

    async def work() -> None:
        stop = asyncio.Event()
        log.entries.extend(map(encode_event, events))
        source = MemorySource(log)
        flush = Flush(max_rows=rows, max_bytes=2**30, max_age_s=0.01)
        worker = asyncio.create_task(run_worker(source, warehouse, known(), metrics, flush=flush, stop=stop))
        while await source.backlog():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
        stop.set()
        await worker

    asyncio.run(asyncio.wait_for(work(), 60))
    return log, metrics


# In the end


@pytest.mark.parametrize("rows", [1, 1000])
def test_a_log_over_a_request_that_passed_is_dead_lettered_and_changes_nothing(
    warehouse: ClickHouseWarehouse, organization_id: str, rows: int
) -> None:
    passed = an_event(organization_id=organization_id, recorded_at=TIMESTAMP, key_id="key-1")
    forged = a_logged(organization_id, hours=1, prompt=1)
    log, metrics = worked(warehouse, [passed, forged], rows=rows)
    (row,) = rows_of(warehouse, organization_id)
    assert (row["prompt_tokens"], row["key_id"], row["first_logged_us"], row["replaced"]) == (600, "key-1", 0, "")
    (letter,) = log.dead_letters.values()
    assert (letter.code, "no log replaces it" in letter.reason) == ("log_conflict", True)
    assert metrics.get("worker_log_conflicts_total") == 1


def test_many_conflicts_do_not_stop_the_worker(embedded_warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    passed = an_event(organization_id=organization_id, recorded_at=TIMESTAMP)
    forged = [a_logged(organization_id, hours=1 + number / 1000) for number in range(MAX_DEAD_LETTERS + 50)]
    log, _ = worked(embedded_warehouse, [passed, *forged])
    assert len(log.dead_letters) == len(forged)


@pytest.mark.parametrize("rows", [1, 1000])
def test_a_request_that_passed_wins_over_logs_whichever_comes_first(
    warehouse: ClickHouseWarehouse, organization_id: str, rows: int
) -> None:
    passed = an_event(organization_id=organization_id, recorded_at=TIMESTAMP)
    logs = [a_logged(organization_id, hours=hours, key_id=key) for hours, key in ((1, "key-1"), (2, "key-2"))]
    for number, order in enumerate(permutations([passed, *logs])):
        work_through(warehouse, [encode_event(_of(event, f"{organization_id}-{number}")) for event in order], rows=rows)
        (row,) = rows_of(warehouse, f"{organization_id}-{number}")
        assert (row["prompt_tokens"], row["first_logged_us"]) == (600, 0), order


def _of(event: ExchangeEvent, organization_id: str) -> ExchangeEvent:
    return an_event(
        organization_id=organization_id,
        response_body=event.response.body,
        recorded_at=event.recorded_at,
        key_id=event.request.key_id,
        logged=event.request.logged,
    )


def test_logs_that_are_delivered_again_in_any_order_change_no_response(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    events = [
        a_logged(organization_id, prompt=100),
        a_logged(organization_id, hours=1, key_id="key-2", prompt=1),
        a_logged(organization_id, hours=2, prompt=200),
        a_logged(organization_id, hours=30, prompt=2),
    ]
    work_through(warehouse, list(map(encode_event, events)))
    before = rows_of(warehouse, organization_id)
    assert [(row["prompt_tokens"], row["key_id"]) for row in before] == [(200, "key-1")]
    assert before[0]["replaced"].count("written_at") == 1
    for order in permutations(events):
        work_through(warehouse, list(map(encode_event, order)), rows=2)
        assert rows_of(warehouse, organization_id) == before


def test_of_two_logs_of_one_key_the_later_counts_in_whatever_order_they_come(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    logs = [a_logged(organization_id, prompt=100), a_logged(organization_id, hours=2, prompt=200)]
    for number, order in enumerate((logs, logs[::-1])):
        its = f"{organization_id}-{number}"
        work_through(warehouse, [encode_event(_of(event, its)) for event in order])
        (row,) = rows_of(warehouse, its)
        assert row["prompt_tokens"] == 200


OMITTED = RequestTags(omit_request=True, omit_response=True)


@pytest.mark.first_on_server
@pytest.mark.parametrize("rows", [1, 1000])
@pytest.mark.parametrize("logged", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
def test_bodies_that_are_omitted_take_the_place_of_those_that_were_logged_before(
    warehouse: ClickHouseWarehouse, organization_id: str, rows: int, *, logged: bool, is_first: bool
) -> None:
    log = a_logged(organization_id)
    omitted = a_logged(organization_id, hours=1)
    request = msgspec.structs.replace(omitted.request, tags=OMITTED, logged=logged)
    events = [log, without_bodies(msgspec.structs.replace(omitted, request=request))]
    worked(warehouse, events[::-1] if is_first else events, rows=rows)
    (kept,) = rows_of(warehouse, organization_id, "request_response_body")
    assert (kept["request_body"], kept["response_body"]) == ("", "")


def test_many_logs_are_kept_in_several_pieces() -> None:
    entries = [encode_event(a_logged(str(number))) for number in range(MAX_LOGS + 1)]
    batch = [Delivery(payload=entry, position="") for entry in entries]
    books = PriceBookHistory(ShippedPrices())
    assert [piece_of(batch, start, books).end for start in (0, MAX_LOGS)] == [MAX_LOGS, MAX_LOGS + 1]


# What is shown


def test_what_a_log_replaced_is_shown_on_its_row(client: Client) -> None:
    logs = [a_logged(client.organization_id, prompt=prompt, hours=hours) for hours, prompt in ((0, 1000), (1, 2000))]
    worked(client.service.warehouse, logs)
    where = {"request_response_rmt": {"key_id": {"equals": "key-1"}, "is_logged": {"equals": True}}}
    (row,) = client.page(where)
    assert (row["key_id"], row["is_logged"], row["prompt_tokens"]) == ("key-1", True, 2000)
    assert row["updated_at"] == "2026-11-01T13:00:00.123Z"
    # 1000 x 0.15 + 200 x 0.60 dollars per million, https://platform.openai.com/docs/pricing
    (stood,) = row["replaced"]
    assert (stood["written_at"], stood["cost_usd"]) == ("2026-11-01T12:00:00.123Z", Decimal("0.00027"))


# At once


@pytest.fixture
async def proxy(embedded_warehouse: ClickHouseWarehouse, organization_id: str) -> AsyncIterator[Rig]:
    async with rig(warehouse=embedded_warehouse) as one:
        one.keys.known = {
            SECRET: (organization_id, Permission.WRITE),
            "sk-helicone-another": (organization_id, Permission.WRITE),
        }
        yield one


async def log(proxy: Rig, reply: Any, key: str = SECRET) -> httpx.Response:
    payload = a_log(response=reply, meta={"Helicone-Request-Id": REQUEST_ID})
    async with httpx.AsyncClient(base_url=proxy.url, timeout=10, trust_env=False, verify=TRUSTS_NOBODY) as client:
        return await client.post("/oai/v1/log", json=payload, headers={"Authorization": f"Bearer {key}"})


async def keep(warehouse: ClickHouseWarehouse, *events: ExchangeEvent) -> None:
    await asyncio.to_thread(work_through, warehouse, list(map(encode_event, events)))


@pytest.mark.anyio
async def test_a_log_over_a_request_that_passed_is_a_conflict(
    proxy: Rig, embedded_warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    await keep(embedded_warehouse, an_event(organization_id=organization_id))
    reply = await log(proxy, FORGED)
    assert (reply.status_code, "no log replaces it" in reply.text) == (409, True)
    assert await proxy.events(0) == []


@pytest.mark.anyio
async def test_a_log_over_the_log_of_another_key_is_a_conflict_and_over_its_own_is_not(
    proxy: Rig, embedded_warehouse: ClickHouseWarehouse
) -> None:
    assert (await log(proxy, CHAT)).status_code == 200
    (first,) = await proxy.events(1)
    assert (first.request.key_id, first.request.logged) == (key_id_of(SECRET), True)
    await keep(embedded_warehouse, first)
    reply = await log(proxy, FORGED, "sk-helicone-another")
    assert (reply.status_code, "another key" in reply.text) == (409, True)
    assert (await log(proxy, FORGED)).status_code == 200


@pytest.mark.anyio
async def test_while_the_warehouse_is_slow_or_closed_a_log_is_taken_and_left_to_the_worker(
    embedded_warehouse: ClickHouseWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = ClickHouseWarehouse(embedded_warehouse.url, query_timeout_s=1)
    await closed.close()
    async with rig(warehouse=closed) as proxy:
        assert (await log(proxy, CHAT)).status_code == 200
    monkeypatch.setattr(log_conflicts, "LOOK_UP_S", 0.0)
    async with rig(warehouse=embedded_warehouse) as proxy:
        assert (await log(proxy, CHAT)).status_code == 200


@pytest.mark.anyio
async def test_the_key_that_sent_a_request_is_in_its_event() -> None:
    async with rig() as proxy, proxy.client() as client:
        await client.post("/oai/v1/embeddings", json={"input": str(uuid.uuid4())})
        event = await proxy.event()
        assert (event.request.key_id, event.request.logged) == (key_id_of(SECRET), False)
