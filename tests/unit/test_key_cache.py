"""Whose key it is: what is cached, for how long, and what happens while the store is unavailable."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.errors import Busy, ExpiredKey, Forbidden, StoreUnavailable, Unauthenticated
from schemas.key import KeyOwner, Permission
from services.auth_cache import AuthCachePolicy
from services.proxy.exchange.key_cache import POLICY, ApiKeyCache, AuthResult
from services.stores.clock import SystemClock
from tests.builders.records import ORGANIZATION
from tests.servers.proxy_rig import SECRET, Keys, key_id_of

BEARER = f"Bearer {SECRET}".encode()
OWNER = KeyOwner(organization_id=ORGANIZATION, key_id=key_id_of(SECRET))
Results = list[AuthResult]


class Time:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time() -> Time:
    return Time()


async def result_of(cache: ApiKeyCache, auth_header: bytes | None = BEARER) -> AuthResult:
    results: Results = []
    cache.check(auth_header, results.append)
    await asyncio.sleep(0.01)
    (only,) = results
    return only


def run(
    story: Callable[[Keys, ApiKeyCache], Coroutine[Any, Any, None]],
    *,
    time: Time | None = None,
    policy: AuthCachePolicy = POLICY,
) -> None:
    async def played() -> None:
        store = Keys()
        cache = ApiKeyCache(store, policy, clock=SystemClock(), now_s=time or Time())
        await story(store, cache)
        await cache.close()

    asyncio.run(played())


def test_a_valid_key_is_looked_up_once_a_minute_in_the_background(time: Time) -> None:
    async def story(store: Keys, cache: ApiKeyCache) -> None:
        for seconds, requested in [(0, 1), (59, 1), (60, 2), (61, 2), (119, 2)]:
            time.now_s = 1000.0 + seconds
            results: Results = []
            cache.check(BEARER, results.append)
            assert (results == [OWNER]) == (seconds > 0)  # at once, but for the first time
            await asyncio.sleep(0.01)
            assert store.requested == requested

    run(story, time=time)


def test_a_revoked_key_is_refused_after_a_minute_and_one_request(time: Time) -> None:
    async def story(store: Keys, cache: ApiKeyCache) -> None:
        assert await result_of(cache) == OWNER
        store.known.clear()
        time.now_s += 61
        assert await result_of(cache) == OWNER
        assert isinstance(await result_of(cache), Unauthenticated)

    run(story, time=time)


def test_a_key_that_was_idle_for_long_is_looked_up_before_it_is_used(time: Time) -> None:
    async def story(store: Keys, cache: ApiKeyCache) -> None:
        assert await result_of(cache) == OWNER
        store.known.clear()
        time.now_s += 121
        assert isinstance(await result_of(cache), Unauthenticated)

    run(story, time=time)


def test_known_keys_work_however_long_the_store_is_unavailable(time: Time) -> None:
    async def story(store: Keys, cache: ApiKeyCache) -> None:
        assert await result_of(cache) == OWNER
        store.unreachable = True
        for _ in range(5):
            time.now_s += 100_000
            assert await result_of(cache) == OWNER
        assert isinstance(await result_of(cache, b"Bearer sk-helicone-somebody"), StoreUnavailable)

    run(story, time=time)


def test_an_outage_prolongs_no_key_that_expires(time: Time) -> None:
    async def story(store: Keys, cache: ApiKeyCache) -> None:
        store.expires_at = datetime.now(UTC) + timedelta(milliseconds=100)
        assert isinstance(await result_of(cache), KeyOwner)
        store.unreachable = True
        await asyncio.sleep(0.1)
        time.now_s += 121
        assert isinstance(await result_of(cache), ExpiredKey)

    run(story, time=time)


def test_an_unknown_key_works_seconds_after_it_was_made(time: Time) -> None:
    async def story(store: Keys, cache: ApiKeyCache) -> None:
        known, store.known = store.known, {}
        assert isinstance(await result_of(cache), Unauthenticated)
        store.known = known
        assert isinstance(await result_of(cache), Unauthenticated)
        time.now_s += 5
        assert await result_of(cache) == OWNER

    run(story, time=time)


@pytest.mark.parametrize("permission", list(Permission))
def test_a_key_for_reading_may_not_write_and_every_other_may(permission: Permission) -> None:
    async def story(store: Keys, cache: ApiKeyCache) -> None:
        store.known[SECRET] = (ORGANIZATION, permission)
        result = await result_of(cache)
        assert isinstance(result, Forbidden) if permission is Permission.READ else result == OWNER

    run(story)


def test_unknown_keys_neither_fill_the_memory_nor_flood_the_store() -> None:
    policy = replace(POLICY, max_rejected=10, max_unknown_lookups=4)

    async def story(store: Keys, cache: ApiKeyCache) -> None:
        for batch in range(10):
            results: Results = []
            for number in range(8):
                cache.check(b"Bearer sk-helicone-%d-%d" % (batch, number), results.append)
            await asyncio.sleep(0.005)
            assert [type(each) for each in results] == [Busy] * 4 + [Unauthenticated] * 4
        assert store.requested == 40
        assert isinstance(await result_of(cache, b"Bearer sk-helicone-9-3"), Unauthenticated)
        assert store.requested == 40, "the latest are cached"
        assert isinstance(await result_of(cache, b"Bearer sk-helicone-0-3"), Unauthenticated)
        assert store.requested == 41, "the oldest are evicted"

    run(story, policy=policy)


def test_wrong_keys_do_not_evict_a_good_one() -> None:
    policy = replace(POLICY, max_valid=10, max_rejected=10)

    async def story(store: Keys, cache: ApiKeyCache) -> None:
        assert await result_of(cache) == OWNER
        results: Results = []
        for number in range(100):
            cache.check(b"Bearer sk-helicone-%d" % number, results.append)
        await asyncio.sleep(0.01)
        store.unreachable = True
        assert await result_of(cache) == OWNER
        assert len(results) == 100

    run(story, policy=policy)


def test_a_good_key_is_looked_up_again_however_many_unknown_ones_are(time: Time) -> None:
    policy = replace(POLICY, max_unknown_lookups=4)

    async def story(store: Keys, cache: ApiKeyCache) -> None:
        assert await result_of(cache) == OWNER
        time.now_s += 1000
        store.slow_s = 0.005
        results: Results = []
        for number in range(8):
            cache.check(b"Bearer sk-helicone-%d" % number, results.append)
        assert await result_of(cache) == OWNER

    run(story, time=time, policy=policy)


def test_a_key_takes_one_place_however_it_is_spelled() -> None:
    async def story(store: Keys, cache: ApiKeyCache) -> None:
        store.known["sk-helicone-other"] = (ORGANIZATION, Permission.WRITE)
        await result_of(cache, b"Bearer sk-helicone-other")
        for spaces in range(1, 20):
            for scheme in (b"bearer", b"Bearer"):
                assert await result_of(cache, scheme + b" " * spaces + SECRET.encode()) == OWNER
        await result_of(cache, b"Bearer sk-helicone-other")
        assert store.requested == 2

    run(story, policy=replace(POLICY, max_valid=2))
