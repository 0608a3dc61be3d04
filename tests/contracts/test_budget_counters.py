"""Both stores of counters do the same: no reservation is lost or counted twice, and no counter is ever negative."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from schemas.budget import BudgetAction, BudgetMode, Claim, LedgerSums, Period, Reservation
from schemas.errors import InvalidSetting, StoreUnavailable
from services.ports.budgets import BudgetCounters
from services.stores.budgets.names import name_of
from services.stores.budgets.redis_counters import RedisCounters
from services.stores.budgets.sqlite_counters import SqliteCounters
from services.stores.factory import open_budget_counters
from tests.builders.budgets import NOW, a_budget, a_claim, a_reservation
from tests.servers.redis import RedisProcess

pytestmark = pytest.mark.anyio

USD = 10**9
T0 = int(NOW.timestamp()) // 5 * 5


@pytest.fixture(params=["sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BudgetCounters]:
    is_file = request.param == "sqlite"
    url = f"sqlite:{tmp_path / 'budgets.sqlite'}" if is_file else request.getfixturevalue("redis").url
    opened = open_budget_counters(url, timeout_s=5)
    yield opened
    await opened.close()


async def spent_and_reserved(store: BudgetCounters, claim: Claim) -> tuple[int, int]:
    [state] = await store.read([claim.counter])
    return state.spent_nano, state.reserved_nano


async def reserved(store: BudgetCounters, claims: list[Claim], amount_nano: int, *, lease_s: int = 60) -> bool:
    return (await store.reserve(a_reservation(claims, amount_nano, lease_s=lease_s), claims)).granted


def sums(claim: Claim, nano: dict[str, dict[int, int]], sealed_s: int) -> LedgerSums:
    counter = claim.counter
    return LedgerSums(
        organization_id=counter.organization_id,
        budget_id=counter.budget_id,
        sealed_s=sealed_s,
        first_slot=counter.oldest_slot,
        forget_before=counter.oldest_slot - 86_400,
        kept_s=counter.kept_s,
        nano=nano,
    )


async def test_requests_pass_while_what_they_may_cost_fits_beside_what_others_may_cost(store: BudgetCounters) -> None:
    claim = a_claim(a_budget("5"))
    assert [await reserved(store, [claim], 2 * USD) for _ in range(3)] == [True, True, False]
    assert await reserved(store, [claim], USD), "exactly the rest"
    assert not await reserved(store, [claim], 0), "nothing is left, even for what may cost nothing"
    assert await spent_and_reserved(store, claim) == (0, 5 * USD)


async def test_a_settled_request_counts_what_it_cost_and_gives_back_the_rest(store: BudgetCounters) -> None:
    claim = a_claim(a_budget("5"))
    first = a_reservation([claim], 5 * USD)
    assert (await store.reserve(first, [claim])).granted
    await store.settle(first, 2 * USD, T0)
    assert await spent_and_reserved(store, claim) == (2 * USD, 0)
    second = a_reservation([claim], 3 * USD)
    assert (await store.reserve(second, [claim])).granted
    await store.settle(second, 4 * USD, T0)
    assert await spent_and_reserved(store, claim) == (6 * USD, 0), "what it truly cost, above the limit too"
    assert not await reserved(store, [claim], 1)


async def test_of_several_budgets_all_are_reserved_or_none(store: BudgetCounters) -> None:
    wide, narrow = a_claim(a_budget("5")), a_claim(a_budget("1"), "user-1")
    got = await store.reserve(a_reservation([wide, narrow], 2 * USD), [wide, narrow])
    assert (got.granted, got.fits) == (False, (True, False))
    assert await spent_and_reserved(store, wide) == (0, 0)
    got = await store.reserve(a_reservation([wide, narrow], USD), [wide, narrow])
    assert got.granted
    assert [state.reserved_nano for state in got.states] == [USD, USD]


@pytest.mark.parametrize("fields", [{"mode": BudgetMode.SHADOW}, {"action": BudgetAction.NOTIFY}])
async def test_a_budget_that_only_watches_counts_and_never_refuses(
    store: BudgetCounters, fields: dict[str, object]
) -> None:
    claim = a_claim(a_budget("1", **fields))
    got = [await store.reserve(a_reservation([claim], 2 * USD), [claim]) for _ in range(2)]
    assert [(one.granted, one.fits) for one in got] == [(True, (False,)), (True, (False,))]
    assert await spent_and_reserved(store, claim) == (0, 4 * USD)


async def test_a_request_whose_bound_is_unknown_reserves_nothing_and_counts_what_it_cost(store: BudgetCounters) -> None:
    claim = a_claim(a_budget("5"))
    settled, expiring = a_reservation([claim], 0), a_reservation([claim], 0, lease_s=0)
    for one in (settled, expiring):
        assert (await store.reserve(one, [claim])).granted
    await store.settle(settled, USD, T0)
    assert await spent_and_reserved(store, claim) == (USD, 0)


async def test_the_reservation_of_a_proxy_that_was_killed_ends_with_its_lease(store: BudgetCounters) -> None:
    claim = a_claim(a_budget("5"))
    killed, living = (a_reservation([claim], 2 * USD, lease_s=1) for _ in range(2))
    for one in (killed, living):
        assert (await store.reserve(one, [claim])).granted
    await asyncio.sleep(0.6)
    await store.renew([living])
    await asyncio.sleep(0.6)
    assert await spent_and_reserved(store, claim) == (0, 2 * USD)
    await store.renew([killed])
    assert await spent_and_reserved(store, claim) == (0, 2 * USD), "what has ended stays so"
    await store.settle(killed, USD, T0)  # it was only slow
    assert await spent_and_reserved(store, claim) == (USD, 2 * USD)


async def test_the_ledger_replaces_what_it_has_and_keeps_what_came_since(store: BudgetCounters) -> None:
    claim, other = (a_claim(a_budget("5", id="same"), value) for value in ("one", "other"))
    slot = claim.counter.slot
    for recorded_s in (T0, T0 + 5, T0 + 10):
        reservation = a_reservation([claim], USD)
        await store.reserve(reservation, [claim])
        await store.settle(reservation, USD, recorded_s)
    await store.rebuild(sums(claim, {"one": {slot: USD // 2}, "other": {slot: 3 * USD}}, T0 + 5))
    [state] = await store.read([claim.counter])
    assert (state.spent_nano, state.is_rebuilt, state.sealed_s) == (2 * USD + USD // 2, True, T0 + 5)
    assert state.recent_nano == 2 * USD
    assert await spent_and_reserved(store, other) == (3 * USD, 0)
    late = a_reservation([claim], USD)
    await store.reserve(late, [claim])
    await store.settle(late, USD, T0)  # the ledger had it already
    assert await spent_and_reserved(store, claim) == (2 * USD + USD // 2, 0)
    await store.rebuild(sums(claim, {"one": {slot: 9 * USD}}, T0))  # of a worker that was slow
    assert await spent_and_reserved(store, claim) == (2 * USD + USD // 2, 0)
    await store.rebuild(sums(claim, {}, T0 + 15))  # the rows were removed
    assert [one.recent_nano for one in await store.read([claim.counter])] == [0]
    assert await spent_and_reserved(store, claim) == (0, 0)
    assert await spent_and_reserved(store, other) == (0, 0)


async def test_requests_pass_while_a_budget_of_many_values_is_rebuilt(tmp_path: Path) -> None:
    worker, proxy = (SqliteCounters(tmp_path / "budgets.sqlite") for _ in range(2))
    claim = a_claim(a_budget("5", segment="user"), "one")
    spent = {str(number): {claim.counter.slot: USD} for number in range(3000)}
    rebuild = asyncio.create_task(worker.rebuild(sums(claim, spent | {"one": {claim.counter.slot: USD}}, T0)))
    await asyncio.sleep(0)
    await worker.read([claim.counter])  # what it does is done in its order
    assert await reserved(worker, [claim], USD)
    assert not rebuild.done()
    assert await reserved(proxy, [claim], USD)
    await rebuild
    assert await spent_and_reserved(proxy, claim) == (USD, 2 * USD)
    for store in (worker, proxy):
        await store.close()


async def test_a_counter_says_whether_the_ledger_was_ever_in_it(store: BudgetCounters) -> None:
    claim = a_claim(a_budget("5", segment="user"), "user-1")
    assert not (await store.reserve(a_reservation([claim], 1), [claim])).states[0].is_rebuilt
    await store.rebuild(sums(claim, {}, T0))
    assert (await store.reserve(a_reservation([claim], 1), [claim])).states[0].is_rebuilt


async def test_what_leaves_a_rolling_window_no_longer_counts(store: BudgetCounters) -> None:
    budget = a_budget("5", period=Period.ROLLING, window_s=3600)
    early, late = (a_claim(budget, at=NOW + timedelta(minutes=minutes)) for minutes in (0, 59))
    after = a_claim(budget, at=NOW + timedelta(minutes=62))
    for claim in (early, late):
        reservation = a_reservation([claim], USD)
        await store.reserve(reservation, [claim])
        await store.settle(reservation, USD, T0)
    assert [await spent_and_reserved(store, claim) for claim in (late, after)] == [(2 * USD, 0), (USD, 0)]


async def test_any_order_of_steps_leaves_the_sums_of_a_plain_model(store: BudgetCounters) -> None:
    for seed in range(4):
        draw = random.Random(seed)
        claims = [a_claim(a_budget("3", id=f"{uuid.uuid4()}"), value) for value in ("", "user")]
        live: dict[str, tuple[Reservation, list[Claim], int]] = {}
        spent = {claim.counter.budget_id: 0 for claim in claims}
        held = dict(spent)
        for _ in range(60):
            if draw.random() < 0.6 or not live:
                wanted, amount = draw.sample(claims, draw.randint(1, 2)), draw.randint(0, USD)
                reservation = a_reservation(wanted, amount)
                fits = all(
                    (left := 3 * USD - spent[one.counter.budget_id] - held[one.counter.budget_id]) > 0
                    and left >= amount
                    for one in wanted
                )
                assert (await store.reserve(reservation, wanted)).granted is fits
                if fits:
                    live[reservation.id] = reservation, wanted, amount
                for one in wanted if fits else ():
                    held[one.counter.budget_id] += amount
            else:
                reservation, wanted, amount = live.pop(draw.choice(sorted(live)))
                cost = draw.randint(0, amount)
                await store.settle(reservation, cost, T0)
                for one in wanted:
                    held[one.counter.budget_id] -= amount
                    spent[one.counter.budget_id] += cost
            for claim in claims:
                known = spent[claim.counter.budget_id], held[claim.counter.budget_id]
                assert await spent_and_reserved(store, claim) == known
                assert sum(known) <= 3 * USD


async def test_counters_in_which_nothing_is_left_leave_redis(redis: RedisProcess) -> None:
    store, client = RedisCounters(redis.url, timeout_s=5), Redis.from_url(redis.url, decode_responses=True)
    budget = a_budget("5", segment="user", organization_id=str(uuid.uuid4()))
    spends, reserves, killed, _ = claims = [a_claim(budget, value) for value in ("1", "2", "3", "4")]

    async def kept() -> list[int]:
        """How many keys each counter has, and how many counters the budget has."""
        keys = [key async for key in client.scan_iter("farebox:budget:*", count=1000)]
        [index] = [key for key in keys if key.endswith(f"i:{budget.id}")] or [""]
        counted = [sum(key.endswith(name_of(claim.counter)) for key in keys) for claim in claims]
        return [*counted, await client.scard(index)]

    slot = spends.counter.slot
    held, slow = a_reservation([reserves], USD), a_reservation([killed], USD, lease_s=1)
    await store.reserve(held, [reserves])
    await store.reserve(slow, [killed])
    await store.rebuild(sums(spends, {"1": {slot: USD}, "4": {slot: USD}}, T0))
    assert await kept() == [1, 3, 3, 1, 4]
    await asyncio.sleep(1.1)
    await store.rebuild(sums(spends, {"1": {slot: USD}}, T0 + 5))
    assert await kept() == [1, 3, 0, 0, 2]
    await store.settle(held, USD, T0 + 10)
    await store.rebuild(sums(spends, {}, T0 + 10))
    assert [await spent_and_reserved(store, one) for one in claims] == [(0, 0), (USD, 0), (0, 0), (0, 0)]
    assert await kept() == [0, 2, 0, 0, 1]
    await store.settle(slow, USD, T0 + 10)
    assert await kept() == [0, 2, 2, 0, 2], "it is rebuilt again"
    await store.close()
    await client.aclose()


async def test_replicas_together_reserve_no_dollar_too_many(redis: RedisProcess) -> None:
    replicas = [RedisCounters(redis.url, timeout_s=5) for _ in range(2)]
    claim = a_claim(a_budget("4"))
    got = await asyncio.gather(*(reserved(replicas[number % 2], [claim], USD // 10) for number in range(100)))
    assert sum(got) == 40
    for replica in replicas:
        await replica.close()


async def test_a_store_that_is_not_there_is_unavailable_and_its_password_is_not_said(tmp_path: Path) -> None:
    claim = a_claim(a_budget())
    for url in ("redis://user:canary@127.0.0.1:1", f"sqlite:{tmp_path}"):
        away = open_budget_counters(url, timeout_s=0.2)
        with pytest.raises(StoreUnavailable) as error:
            await away.read([claim.counter])
        assert "canary" not in str(error.value)
        await away.close()
    with pytest.raises(InvalidSetting):
        open_budget_counters("redis://:port", timeout_s=1)
