"""Both stores of rate limits count alike, in one step, and say so when they cannot."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from schemas.errors import InvalidSetting, StoreUnavailable
from schemas.limit import LimitPolicy, LimitUnit, RateLimit
from services.ports.limits import LimitStore
from services.stores.factory import open_limits
from services.stores.limits.memory_limits import MemoryLimits
from services.stores.limits.redis_limits import RedisLimits
from tests.servers.redis import RedisProcess

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[LimitStore]:
    url = "memory" if request.param == "memory" else request.getfixturevalue("redis").url
    opened = open_limits(url, timeout_s=5)
    yield opened
    await opened.close()


def limit(
    organization_id: str, quota: str, *, window_s: int = 10_000, unit: LimitUnit = LimitUnit.REQUEST
) -> RateLimit:
    return RateLimit(policy=LimitPolicy(quota=Decimal(quota), window_s=window_s, unit=unit), bucket=organization_id)


async def test_so_many_requests_pass_at_once_as_the_bucket_holds(store: LimitStore, organization_id: str) -> None:
    got = [await store.take(limit(organization_id, "3")) for _ in range(5)]
    assert [taken.allowed for taken in got] == [True, True, True, False, False]
    assert [round(taken.level) for taken in got] == [2, 1, 0, 0, 0]


async def test_a_bucket_of_less_than_one_lets_no_request_pass(store: LimitStore, organization_id: str) -> None:
    assert not (await store.take(limit(organization_id, "0.5"))).allowed


async def test_the_bucket_fills_again(store: LimitStore, organization_id: str) -> None:
    small = limit(organization_id, "1", window_s=1)
    assert (await store.take(small)).allowed
    assert not (await store.take(small)).allowed
    await asyncio.sleep(1.1)
    assert (await store.take(small)).allowed


async def test_what_was_spent_is_taken_out_even_where_there_is_less(store: LimitStore, organization_id: str) -> None:
    cents = limit(organization_id, "2", unit=LimitUnit.CENTS)
    assert (await store.take(cents)).level == 2
    await store.spend(cents, 1.87)
    got = await store.take(cents)
    assert (got.allowed, round(got.level, 2)) == (True, 0.13)
    await store.spend(cents, 5)
    got = await store.take(cents)
    assert (got.allowed, round(got.level, 1)) == (False, -4.9)


async def test_a_changed_quota_keeps_the_level_up_to_the_new_one(store: LimitStore, organization_id: str) -> None:
    await store.take(limit(organization_id, "5"))
    assert round((await store.take(limit(organization_id, "2"))).level) == 1
    assert round((await store.take(limit(organization_id, "50"))).level) == 0


async def test_replicas_together_allow_no_request_too_many(redis: RedisProcess, organization_id: str) -> None:
    replicas = [RedisLimits(redis.url, timeout_s=5) for _ in range(2)]
    shared = limit(organization_id, "40")
    got = await asyncio.gather(*(replicas[number % 2].take(shared) for number in range(100)))
    assert sum(taken.allowed for taken in got) == 40
    for replica in replicas:
        await replica.close()


async def test_a_server_that_is_not_there_is_unavailable_and_its_password_is_not_said() -> None:
    gone = RedisLimits("redis://user:canary@127.0.0.1:1", timeout_s=0.2)
    with pytest.raises(StoreUnavailable) as error:
        await gone.take(limit("one", "1"))
    assert "canary" not in str(error.value)
    with pytest.raises(InvalidSetting):
        RedisLimits("redis://host:port", timeout_s=1)


async def test_memory_forgets_full_buckets_first_and_then_those_not_used_for_longest() -> None:
    now_s = [0.0]
    store = MemoryLimits(max_buckets=10, now_s=lambda: now_s[0])
    for number in range(5):
        await store.take(limit(f"early {number}", "1", window_s=60))
    now_s[0] = 100.0
    for number in range(100):
        await store.take(limit(f"late {number}", "1", window_s=60))
    assert not (await store.take(limit("late 99", "1", window_s=60))).allowed
    assert (await store.take(limit("late 1", "1", window_s=60))).allowed, "forgotten long since"
