"""Budgets in a running proxy: what is refused, on every route, and what is counted."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.budget import Budget, BudgetAction, BudgetMode, Claim, Override, Segment, UnknownCost
from schemas.event import Outcome
from services.domain.enrich import to_record
from services.proxy.budgets.use import BudgetStores
from services.proxy.rate_limits import LimitStores
from services.stores.budgets.redis_counters import RedisCounters
from services.stores.budgets.sqlite_counters import SqliteCounters
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.limits.memory_limits import MemoryLimits
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.budgets import KnownBudgets, a_budget, a_claim, a_reservation
from tests.builders.records import chat_response
from tests.servers.proxy_rig import Rig, rig
from tests.servers.scripted_provider import Do, http_response

pytestmark = pytest.mark.anyio

CHAT = "/oai/v1/chat/completions"
PLAIN: dict[str, Any] = {
    "model": "gpt-4o-2024-08-06",
    "max_tokens": 1_000,
    "messages": [{"role": "user", "content": "Hello!"}],
}
ANSWER = http_response(chat_response(model="gpt-4o-2024-08-06", prompt=10_000, cached=0, completion=1_000))  # $0.035
STATUS = {"Helicone-Budget-Status": "true"}
USD = 10**9
# A thousand tokens beside one for each byte of the body at $2.50, and a thousand at $10, for a million.
BOUND = Decimal(1_000 + len(json.dumps(PLAIN, separators=(",", ":")))) * Decimal("2.5e-6") + Decimal("0.01")


class Budgeted:
    """A proxy with budgets, and their counters."""

    def __init__(self, proxy: Rig, rows: KnownBudgets, counters: SqliteCounters) -> None:
        self.proxy = proxy
        self.rows = rows
        self.counters = counters

    async def post(self, *, path: str = CHAT, body: Any = PLAIN, **headers: str) -> httpx.Response:
        named = {name if name.startswith("_") else name.replace("_", "-"): value for name, value in headers.items()}
        async with self.proxy.client() as client:
            return await client.post(path, json=body, headers=named)

    async def counted(self, budget: Budget, usd: str, value: str = "") -> bool:
        """Whether so many US dollars are, soon, and nothing is reserved beside them."""
        for _ in range(200):
            [state] = await self.counters.read([now_claim(budget, value).counter])
            if (state.spent_nano, state.reserved_nano) == (int(Decimal(usd) * USD), 0):
                return True
            await asyncio.sleep(0.01)
        raise AssertionError(state)

    async def spend(self, budget: Budget, usd: str, value: str = "") -> None:
        """As another proxy did."""
        claim = now_claim(budget, value)
        await self.counters.settle(a_reservation([claim], 0), int(Decimal(usd) * USD), 4_000_000_000)


def now_claim(budget: Budget, value: str = "") -> Claim:
    return a_claim(budget, value, at=datetime.now(UTC))


@asynccontextmanager
async def budgeted(folder: Path, *budgets: Budget, **options: Any) -> AsyncIterator[Budgeted]:
    rows, counters = KnownBudgets(*budgets), SqliteCounters(folder / "budgets.sqlite")
    stores = LimitStores(levels=MemoryLimits(), budgets=BudgetStores(rows=rows, counters=counters))
    async with rig(limit_stores=stores, **options) as proxy:
        proxy.provider.script = [ANSWER]
        yield Budgeted(proxy, rows, counters)
    await counters.close()


async def test_what_a_request_cost_is_counted_and_the_rest_of_its_bound_given_back(tmp_path: Path) -> None:
    budget = a_budget("5")
    async with budgeted(tmp_path, budget) as it:
        got = await it.post(**STATUS)
        assert got.status_code == 200
        assert got.headers["Helicone-Budget-Limit"] == "5"
        assert Decimal(got.headers["Helicone-Budget-Remaining"]) == 5 - BOUND
        assert 0 < int(got.headers["Helicone-Budget-Reset"]) <= 31 * 86_400
        assert await it.counted(budget, "0.035")
        assert b"helicone" not in b"".join(it.proxy.provider.heads).lower()


async def test_a_used_up_budget_refuses_by_name_until_it_resets_and_the_row_says_so(tmp_path: Path) -> None:
    budget = a_budget("5", name="free tier", segment=Segment.USER, where={"usertier": "free"})
    free = {"Helicone_Property_UserTier": "free"}
    async with budgeted(tmp_path, budget) as it:
        await it.spend(budget, "5", "user-1")
        got = await it.post(Helicone_User_Id="user-1", **free, **STATUS)
        assert got.status_code == 429
        told = got.json()
        assert told["error"]["code"] == got.headers["X-Helicone-Error"] == "budget_exceeded"
        assert "'free tier' of this user is used up" in told["message"]
        assert (told["budget"]["id"], told["budget"]["spent_usd"]) == (budget.id, 5.0)
        resets_at = datetime.fromisoformat(told["budget"]["resets_at"])
        assert abs(resets_at - datetime.now(UTC) - timedelta(seconds=int(got.headers["Retry-After"]))).seconds <= 2
        assert got.headers["Helicone-Budget-Remaining"] == "0"
        assert it.proxy.provider.heads == []
        others = [await it.post(Helicone_User_Id="user-2", **free), await it.post(Helicone_User_Id="user-1")]
        assert [one.status_code for one in others] == [200, 200]
        in_body = await it.post(body=PLAIN | {"user": "user-1"}, **free)
        assert in_body.status_code == 429, "as the row has the user"
        event = (await it.proxy.events(4))[0]
        record, _ = to_record(event, ShippedPrices())
        assert (event.response.outcome, record.cost_usd) == (Outcome.REFUSED, Decimal(0))
        assert record.properties["farebox-budget"] == "free tier"
        assert record.properties["farebox-budget-status"] == "blocked"


# Every way by which a request leaves for a provider.
ROUTES: dict[str, tuple[str, dict[str, str], Any]] = {
    "route": (CHAT, {}, PLAIN),
    "another provider": ("/anthropic/v1/messages", {}, PLAIN | {"model": "claude-3-5-haiku-20241022"}),
    "model in the path": ("/google/v1beta/models/gemini-2.0-flash:generateContent", {}, {"contents": []}),
    "stream": (CHAT, {}, PLAIN | {"stream": True}),
    "gateway": ("/v1/gateway/oai/v1/chat/completions", {}, PLAIN),
    "custom target": ("/gateway/v1/chat/completions", {"Helicone_Target_URL": "https://api.openai.com"}, PLAIN),
    "cache miss": (CHAT, {"Helicone_Cache_Enabled": "true"}, PLAIN),
    "retry": (CHAT, {"Helicone_Retry_Enabled": "true", "Helicone_Retry_Num": "3"}, PLAIN),
    "rate limit": (CHAT, {"Helicone_RateLimit_Policy": "100;w=60"}, PLAIN),
    "unknown model": (CHAT, {}, PLAIN | {"model": "nobody-knows"}),
    "unreadable body": (CHAT, {}, [1]),
    "unknown path": ("/oai/v1/something/new", {}, PLAIN),
}


@pytest.mark.parametrize("path", ROUTES)
async def test_no_route_escapes(path: str, tmp_path: Path) -> None:
    url, headers, body = ROUTES[path]
    budget = a_budget("5")
    cache = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with budgeted(tmp_path, budget, cache=cache) as it:
        await it.spend(budget, "5")
        got = await it.post(path=url, body=body, **headers)
        assert (got.status_code, got.headers.get("X-Helicone-Error")) == (429, "budget_exceeded")
        assert it.proxy.provider.heads == []
    await cache.close()


async def test_what_costs_nothing_passes(tmp_path: Path) -> None:
    budget = a_budget("5")
    cache = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with budgeted(tmp_path, budget, cache=cache) as it:
        cached = {"Helicone_Cache_Enabled": "true"}
        assert (await it.post(**cached)).status_code == 200
        assert await it.counted(budget, "0.035")
        await it.spend(budget, "5")
        for _ in range(50):
            hit = await it.post(**cached)
            if hit.status_code == 200:
                break
            await asyncio.sleep(0.02)
        assert hit.headers["Helicone-Cache"] == "HIT"
        async with it.proxy.client() as client:
            assert (await client.get("/oai/v1/models")).status_code == 200
        mock = {"__helicone-mock-response": json.dumps({"id": "chatcmpl-1", "choices": []})}
        assert (await it.post(**mock)).status_code == 200
        assert await it.counted(budget, "5.035")
    await cache.close()


async def test_a_request_that_does_not_fit_beside_those_under_way_may_try_again_at_once(tmp_path: Path) -> None:
    budget = a_budget("0.02")
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.script = [0.3, ANSWER]
        first = asyncio.create_task(it.post())
        await asyncio.sleep(0.15)
        got = await it.post()
        assert (got.status_code, got.headers["Retry-After"]) == (429, "1")
        assert "requests under way" in got.json()["message"]
        assert (await first).status_code == 200


@pytest.mark.parametrize(
    ("script", "counted"),
    [
        ([http_response(b'{"error":{}}', status="500 Oh")], "0"),
        # What broke off may have been billed: it counts as what was reserved, until the ledger is read.
        ([Do.RESET], f"{BOUND}"),
    ],
)
async def test_a_failed_request_gives_back_what_it_had_reserved(
    script: list[Any], counted: str, tmp_path: Path
) -> None:
    budget = a_budget("5")
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.script = script
        assert (await it.post()).status_code >= 500
        assert await it.counted(budget, counted)


async def test_each_attempt_is_reserved_and_all_are_settled_together(tmp_path: Path) -> None:
    budget = a_budget("5")
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.script = [http_response(b"{}", status="500 Oh")]
        sending = asyncio.create_task(it.post(Helicone_Retry_Enabled="true", Helicone_Retry_Min_Timeout="50"))
        while not it.proxy.provider.heads:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        it.proxy.provider.script = [ANSWER]
        assert (await sending).status_code == 200
        assert len(it.proxy.provider.heads) == 2
        assert await it.counted(budget, "0.035")


async def test_a_request_is_not_refused_for_what_its_own_free_attempts_had_reserved(tmp_path: Path) -> None:
    budget = a_budget(f"{BOUND * 3 / 2}")
    async with budgeted(tmp_path, budget) as it:
        failed = http_response(b"{}", status="500 Oh")
        it.proxy.provider.scripts = [[failed], [failed], [ANSWER]]
        got = await it.post(Helicone_Retry_Enabled="true", Helicone_Retry_Min_Timeout="50")
        assert (got.status_code, got.headers["Helicone-Attempts"]) == (200, "3")
        assert await it.counted(budget, "0.035")


async def test_a_client_that_disconnects_leaves_nothing_reserved(tmp_path: Path) -> None:
    budget = a_budget("5")
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.script = [0.3, ANSWER]
        with pytest.raises(httpx.ReadTimeout):
            async with it.proxy.client() as client:
                await client.post(CHAT, json=PLAIN, timeout=0.15)
        await it.proxy.events(1)
        assert await it.counted(budget, "0.035"), "it was billed all the same"


async def test_what_keeps_its_cost_unknown_counts_as_what_was_reserved_and_its_row_says_so(tmp_path: Path) -> None:
    budget = a_budget("5")
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.script = [0.3, ANSWER]
        leaving = {"Helicone-On-Disconnect": "cancel", "Helicone-Property-Farebox-Budget": "none"}
        with pytest.raises(httpx.ReadTimeout):
            async with it.proxy.client() as client:
                await client.post(CHAT, json=PLAIN, headers=leaving, timeout=0.15)
        [event] = await it.proxy.events(1)
        assert await it.counted(budget, f"{BOUND}")
        unknown, _ = to_record(event, ShippedPrices())
        assert (unknown.cost_usd, unknown.budget_reserved_usd, unknown.properties) == (None, BOUND, {})
        await it.post()
        known, _ = to_record((await it.proxy.events(2))[1], ShippedPrices())
        assert (known.cost_usd, known.budget_reserved_usd) == (Decimal("0.035"), BOUND)


async def test_an_attempt_of_unknown_cost_counts_beside_the_one_that_responds(tmp_path: Path) -> None:
    budget = a_budget("5")
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.scripts = [[Do.RESET], [ANSWER]]
        got = await it.post(Helicone_Retry_Enabled="true", Helicone_Retry_Min_Timeout="50")
        assert (got.status_code, got.headers["Helicone-Attempts"]) == (200, "2")
        assert await it.counted(budget, f"{BOUND + Decimal('0.035')}")


async def test_a_client_that_leaves_between_two_attempts_is_counted_the_first_one_once(tmp_path: Path) -> None:
    budget = a_budget("5")
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.script = [Do.RESET]
        retries = {"Helicone-Retry-Enabled": "true", "Helicone-Retry-Min-Timeout": "5000"}
        async with it.proxy.client() as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(CHAT, json=PLAIN, headers=retries, timeout=0.3)
        first, request = await it.proxy.events(2)
        assert (first.request.reserved_nano, request.request.reserved_nano) == (int(BOUND * USD), 0)
        assert await it.counted(budget, f"{BOUND}")


async def test_a_shadow_refuses_nothing_and_says_what_it_would_have_done(tmp_path: Path) -> None:
    budget = a_budget("0.001", mode=BudgetMode.SHADOW, name="planned")
    async with budgeted(tmp_path, budget) as it:
        assert (await it.post()).status_code == 200
        record, _ = to_record(await it.proxy.event(), ShippedPrices())
        assert record.properties["farebox-budget-status"] == "shadow"
        assert it.proxy.metrics.get("proxy_budget_shadow_total") == 1
        assert await it.counted(budget, "0.035")


async def test_a_used_up_budget_falls_back_to_its_cheaper_model(tmp_path: Path) -> None:
    fallback = a_budget("5", action=BudgetAction.FALLBACK, fallback_model="gpt-4o-mini", name="thrifty")
    wall = a_budget("6", name="wall")
    async with budgeted(tmp_path, fallback, wall) as it:
        it.proxy.provider.script = [
            http_response(chat_response(model="gpt-4o-mini-2024-07-18", prompt=1_000, cached=0, completion=100))
        ]
        await it.spend(fallback, "5")
        got = await it.post()
        assert (got.status_code, got.headers["Helicone-Budget-Fallback"]) == (200, "gpt-4o-mini")
        assert json.loads(it.proxy.provider.bodies[0]) == PLAIN | {"model": "gpt-4o-mini"}
        record, _ = to_record(await it.proxy.event(), ShippedPrices())
        assert (record.request_model, record.model) == ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18")
        assert record.properties["farebox-budget-status"] == "fallback"
        assert record.cost_usd == Decimal("0.00021")
        assert await it.counted(wall, "0.00021")
        cannot = [
            await it.post(body=PLAIN | {"model": "gpt-4o-mini"}),  # no cheaper one
            await it.post(Helicone_Model_Override="gpt-4o"),
            await it.post(path="/google/v1beta/models/gemini-2.0-flash:generateContent", body={"contents": []}),
        ]
        assert {one.status_code for one in cannot} == {429}
        await it.spend(wall, "6")
        got = await it.post()
        assert (got.status_code, got.json()["budget"]["name"]) == (429, "wall")


async def test_a_cheaper_model_is_charged_by_its_own_price_also_where_its_response_names_none(tmp_path: Path) -> None:
    budget = a_budget("5", action=BudgetAction.FALLBACK, fallback_model="gpt-4o-mini")
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.script = [http_response(chat_response(model="", prompt=1_000, cached=0, completion=100))]
        await it.spend(budget, "5")
        assert (await it.post()).status_code == 200
        record, _ = to_record(await it.proxy.event(), ShippedPrices())
        assert (record.request_model, record.model) == ("gpt-4o-2024-08-06", "gpt-4o-mini")
        assert record.cost_usd == Decimal("0.00021")


async def test_the_response_of_a_cheaper_model_is_not_cached_as_that_of_the_dear_one(tmp_path: Path) -> None:
    budget = a_budget("5", action=BudgetAction.FALLBACK, fallback_model="gpt-4o-mini")
    cache = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**24)
    async with budgeted(tmp_path, budget, cache=cache) as it:
        await it.spend(budget, "5")
        for _ in range(2):
            got = await it.post(Helicone_Cache_Enabled="true")
            assert (got.headers["Helicone-Budget-Fallback"], got.headers["Helicone-Cache"]) == ("gpt-4o-mini", "MISS")
            await asyncio.sleep(0.2)
        assert len(it.proxy.provider.heads) == 2
    await cache.close()


async def test_a_request_of_unknown_cost_passes_or_not_as_its_budget_says(tmp_path: Path) -> None:
    body = PLAIN | {"model": "nobody-knows"}
    async with budgeted(tmp_path, a_budget("5")) as it:
        assert (await it.post(body=body)).status_code == 200
        it.rows.set(a_budget("5", unknown_cost=UnknownCost.BLOCK))
        for _ in range(300):
            got = await it.post(body=body)
            if got.status_code == 429:
                break
            await asyncio.sleep(0.02)
        assert got.headers["X-Helicone-Error"] == "budget_unknown_cost"


@pytest.mark.parametrize("override", ["nobody-knows", "gpt-4o-mini"])
async def test_a_client_that_chooses_the_model_it_is_charged_by_reserves_no_less(override: str, tmp_path: Path) -> None:
    async with budgeted(tmp_path, a_budget("5")) as it:
        got = await it.post(Helicone_Model_Override=override, **STATUS)
        assert Decimal(got.headers["Helicone-Budget-Remaining"]) == 5 - BOUND
    async with budgeted(tmp_path, a_budget("5", unknown_cost=UnknownCost.BLOCK)) as it:
        got = await it.post(Helicone_Model_Override=override)
        assert (got.status_code, got.headers["X-Helicone-Error"]) == (429, "budget_unknown_cost")
        assert (await it.post()).status_code == 200


@pytest.mark.parametrize(
    ("sent", "options", "charged_by"),
    [
        ("gpt-4o-2024-08-06", {}, "gpt-4o-2024-08-06"),
        ("gpt-4o-2024-08-06", {"mode": BudgetMode.SHADOW}, "gpt-4o-mini"),
        ("gpt-4o-2024-08-06", {"action": BudgetAction.NOTIFY}, "gpt-4o-mini"),
        ("our-own-deployment", {}, "gpt-4o-mini"),  # without it nobody knew its price
    ],
)
async def test_what_was_sent_counts_where_a_budget_acts_and_not_what_its_client_says(
    sent: str, options: dict[str, Any], charged_by: str, tmp_path: Path
) -> None:
    budget = a_budget("5", **options)
    costs = {"gpt-4o-2024-08-06": "0.035", "gpt-4o-mini": "0.0021"}  # 10,000 tokens and 1,000
    async with budgeted(tmp_path, budget) as it:
        it.proxy.provider.script = [http_response(chat_response(model=sent, prompt=10_000, cached=0, completion=1_000))]
        assert (await it.post(body=PLAIN | {"model": sent}, Helicone_Model_Override="gpt-4o-mini")).status_code == 200
        record, _ = to_record(await it.proxy.event(), ShippedPrices())
        assert (record.model, record.cost_usd) == (charged_by, Decimal(costs[charged_by]))
        assert await it.counted(budget, costs[charged_by])


async def test_a_new_budget_and_an_override_act_within_seconds(tmp_path: Path) -> None:
    budget = a_budget("5")
    async with budgeted(tmp_path) as it:
        await it.spend(budget, "5")
        assert (await it.post()).status_code == 200
        it.rows.set(budget)
        statuses = []
        for _ in range(40):
            statuses.append((await it.post()).status_code)
            if statuses[-1] == 429:
                break
            await asyncio.sleep(0.1)
        assert statuses[-1] == 429
        raised = Override(limit_usd=Decimal(50), until=datetime.now(UTC) + timedelta(hours=1))
        it.rows.set(a_budget("5", id=budget.id, override=raised))
        await asyncio.sleep(2.2)
        await it.post()
        await asyncio.sleep(0.1)
        assert (await it.post()).status_code == 200


@pytest.mark.parametrize("failure", ["open", "closed"])
async def test_without_counters_requests_pass_or_not_as_the_operator_says(failure: str, tmp_path: Path) -> None:
    rows, counters = KnownBudgets(a_budget("5")), RedisCounters("redis://127.0.0.1:1", timeout_s=0.2)
    stores = LimitStores(levels=MemoryLimits(), budgets=BudgetStores(rows=rows, counters=counters))
    async with rig(limit_stores=stores, budgets_failure=failure) as proxy:
        proxy.provider.script = [ANSWER]
        it = Budgeted(proxy, rows, SqliteCounters(tmp_path / "unused"))
        got = await it.post()
        if failure == "open":
            assert (got.status_code, got.headers["Helicone-Budget-Skipped"]) == (200, "unavailable")
        else:
            assert (got.status_code, got.headers["Retry-After"]) == (503, "1")
        assert proxy.metrics.get("proxy_budget_skipped_total") == 1
        await it.counters.close()
    await counters.close()


async def test_closed_also_means_until_the_ledger_was_read(tmp_path: Path) -> None:
    async with budgeted(tmp_path, a_budget("5"), budgets_failure="closed") as it:
        assert (await it.post()).status_code == 503


async def test_a_large_body_is_sent_whole_and_counts(tmp_path: Path) -> None:
    budget = a_budget("5")
    body = PLAIN | {"messages": [{"role": "user", "content": "x" * (9 * 2**20)}]}
    async with budgeted(tmp_path, budget) as it:
        assert (await it.post(body=body)).status_code == 200
        assert json.loads(it.proxy.provider.bodies[0]) == body
        assert await it.counted(budget, "0.035")
        await it.spend(budget, "5")
        with contextlib.suppress(httpx.NetworkError):  # the connection ends before all of the body was read
            assert (await it.post(body=body)).status_code == 429
        assert len(it.proxy.provider.heads) == 1
