"""Rate limits in a running proxy: the cases of Helicone's own token-bucket suite, and those that it leaves open."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.event import Outcome
from schemas.price import CostState
from services.domain.enrich import to_record
from services.proxy.rate_limits import LimitStores
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.limits.redis_limits import RedisLimits
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import chat_response
from tests.servers.proxy_rig import Rig, rig
from tests.servers.redis import RedisProcess
from tests.servers.scripted_provider import http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
PLAIN = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}
POLICY = "Helicone-RateLimit-Policy"
MOCK = {"__helicone-mock-response": json.dumps({"id": "chatcmpl-1", "choices": []})}
ANSWER = http_response(chat_response(model="gpt-4o-2024-08-06", prompt=10_000, cached=0, completion=1_000))  # 3.5 cents


@pytest.fixture
async def proxy() -> AsyncIterator[Rig]:
    async with rig() as running:
        running.provider.script = [ANSWER]
        yield running


def segment(policy: str, **more: str) -> dict[str, str]:
    """A bucket of a test's own."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    return {POLICY: f"{policy};s={name}", f"Helicone-Property-{name}": "value", **more}


async def post(proxy: Rig, headers: dict[str, str], *, body: Any = PLAIN) -> httpx.Response:
    async with proxy.client() as client:
        return await client.post(CHAT, json=body, headers=headers)


async def settled(proxy: Rig, headers: dict[str, str], remaining: str) -> httpx.Response:
    """The first response that shows what earlier ones have spent: they are settled behind their clients' backs."""
    for _ in range(400):
        got = await post(proxy, headers)
        if got.headers.get("Helicone-RateLimit-Remaining") == remaining:
            return got
        await asyncio.sleep(0.02)
    raise AssertionError(got.headers)


@pytest.mark.parametrize("more", [{}, MOCK])
async def test_requests_pass_up_to_the_quota_in_a_burst_and_then_get_429(proxy: Rig, more: dict[str, str]) -> None:
    headers = segment("5;w=60", **more)
    got = [await post(proxy, headers) for _ in range(7)]
    assert [one.status_code for one in got] == [200] * 5 + [429] * 2
    assert [one.headers["Helicone-RateLimit-Remaining"] for one in got] == ["4", "3", "2", "1", "0", "0", "0"]
    assert {one.headers["Helicone-RateLimit-Limit"] for one in got} == {"5"}
    assert all(one.headers["Helicone-RateLimit-Policy"].startswith("5;w=60;s=test-") for one in got)
    assert len(proxy.provider.heads) == (0 if more else 5)
    assert POLICY.lower().encode() not in b"".join(proxy.provider.heads).lower()


async def test_a_refusal_can_be_read_by_machines_and_is_recorded_and_costs_nothing(proxy: Rig) -> None:
    headers = segment("1;w=120")
    await post(proxy, headers)
    got = await post(proxy, headers)
    assert got.status_code == 429
    body = got.json()
    assert "rate limit" in body["message"]
    assert body["error"]["code"] == got.headers["X-Helicone-Error"] == "rate_limited"
    assert 0 < int(got.headers["Helicone-RateLimit-Reset"]) <= 120
    assert 100 < int(got.headers["Retry-After"]) <= 120
    assert got.headers["Helicone-Status"] == "failed"
    _, event = await proxy.events(2)
    assert got.headers["Helicone-Id"] == event.request.request_id
    assert (event.response.outcome, event.response.status) == (Outcome.REFUSED, 429)
    record, _ = to_record(event, ShippedPrices())
    assert (record.cost_usd, record.cost_state) == (Decimal(0), CostState.FREE)
    assert record.properties["helicone-rate-limit-status"] == "bucket_rate_limited"
    assert proxy.metrics.get("proxy_limit_refused_total") == 1


async def test_users_and_values_of_properties_have_buckets_of_their_own(proxy: Rig) -> None:
    for name, policy in (("Helicone-User-Id", "3;w=60;s=user"), ("Helicone-Property-tenant-id", "3;w=60;s=tenant-id")):
        one, other = ({POLICY: policy, name: f"{uuid.uuid4()}"} for _ in range(2))
        assert [(await post(proxy, one)).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert (await post(proxy, other)).headers["Helicone-RateLimit-Remaining"] == "2"


@pytest.mark.parametrize(
    ("policy", "reason", "code"),
    [
        ("10;w=30", "invalid_policy", "invalid_rate_limit"),
        ("nonsense", "invalid_policy", "invalid_rate_limit"),
        ("1;w=60;s=user", "missing_segment", "missing_rate_limit_segment"),
        ("1;w=60;s=tenant", "missing_segment", "missing_rate_limit_segment"),
    ],
)
async def test_a_limit_that_cannot_be_applied_is_said_or_refused(policy: str, reason: str, code: str) -> None:
    async with rig() as proxy:
        for _ in range(2):
            got = await post(proxy, {POLICY: policy})
            assert (got.status_code, got.headers["Helicone-RateLimit-Skipped"]) == (200, reason)
            assert "Helicone-RateLimit-Limit" not in got.headers
        assert proxy.metrics.get("proxy_limit_skipped_total") == 2
    async with rig(limits_failure="closed") as proxy:
        got = await post(proxy, {POLICY: policy})
        assert (got.status_code, got.json()["error"]["code"]) == (400, code)
        assert proxy.provider.heads == []


@pytest.mark.parametrize("policy", ["10;w=31536000;u=cents", "31000;w=31536000;u=tokens"])
async def test_costs_and_tokens_are_taken_out_when_they_are_known(proxy: Rig, policy: str) -> None:
    headers, passed = segment(policy), 0
    for _ in range(400):
        got = await post(proxy, headers)
        if got.status_code == 429:
            break
        passed += 1
        await asyncio.sleep(0.02)
    assert (got.status_code, got.headers["Helicone-RateLimit-Remaining"]) == (429, "0")
    assert passed >= 3, "two of them leave something"


async def test_what_an_exchange_cost_is_what_the_bucket_loses(proxy: Rig) -> None:
    headers = segment("100;w=31536000;u=cents")
    got = await post(proxy, headers)
    assert got.headers["Helicone-RateLimit-Remaining"] == "100"
    record, _ = to_record((await proxy.events(1))[0], ShippedPrices())
    assert record.cost_usd == Decimal("0.035")
    proxy.provider.script = [http_response(b'{"error":{}}', status="400 Bad Request")]
    got = await settled(proxy, headers, "96")  # of 96.5
    assert got.status_code == 400


async def test_requests_without_the_header_have_no_limit_and_no_headers(proxy: Rig) -> None:
    got = await post(proxy, {})
    assert got.status_code == 200
    assert not [name for name in got.headers if "ratelimit" in name]


async def test_hits_of_the_cache_use_nothing_of_a_limit(tmp_path: Path) -> None:
    cache = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with rig(cache=cache, cache_timeout_s=5) as proxy:
        proxy.provider.script = [ANSWER]
        headers = segment("1;w=60") | {"Helicone-Cache-Enabled": "true"}
        assert (await post(proxy, headers)).headers["Helicone-Cache"] == "MISS"
        while not proxy.metrics.get("proxy_cache_saved_total"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        for _ in range(3):
            assert (await post(proxy, headers)).headers["Helicone-Cache"] == "HIT"
        other = PLAIN | {"seed": 1}
        assert (await post(proxy, headers, body=other)).status_code == 429
        assert (
            await post(proxy, segment("1;w=60") | {"Helicone-Cache-Enabled": "true"}, body=other)
        ).status_code == 200
    await cache.close()


async def test_replicas_share_their_buckets(redis: RedisProcess) -> None:
    stores = [LimitStores(levels=RedisLimits(redis.url, timeout_s=5)) for _ in range(2)]
    async with (
        rig(limit_stores=stores[0], limits_timeout_s=5) as one,
        rig(limit_stores=stores[1], limits_timeout_s=5) as other,
    ):
        headers = segment("20;w=3600")
        async with one.client() as left, other.client() as right:
            clients = [left, right]
            got = await asyncio.gather(
                *(clients[number % 2].post(CHAT, json=PLAIN, headers=headers) for number in range(40))
            )
        assert sorted(response.status_code for response in got) == [200] * 20 + [429] * 20
        assert len(one.provider.heads) + len(other.provider.heads) == 20
    for store in stores:
        await store.levels.close()


@pytest.mark.parametrize(("failure", "status"), [("open", 200), ("closed", 503)])
async def test_a_server_that_is_unavailable_lets_pass_or_refuses(failure: str, status: int) -> None:
    gone = RedisLimits("redis://127.0.0.1:1", timeout_s=0.2)
    async with rig(limit_stores=LimitStores(levels=gone), limits_failure=failure) as proxy:
        big = PLAIN | {"padding": "x" * 300_000}  # more than is held while the bucket decides
        for body in (PLAIN, big):
            got = await post(proxy, segment("5;w=60"), body=body)
            assert got.status_code == status
            if failure == "open":
                assert got.headers["Helicone-RateLimit-Skipped"] == "unavailable"
        assert proxy.metrics.get("proxy_limit_skipped_total") == 2
        assert proxy.metrics.get("proxy_limit_errors_total") >= 1
        assert len(proxy.provider.heads) == (2 if failure == "open" else 0)
