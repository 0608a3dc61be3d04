"""Whose key it is: what is remembered, for how long, and what happens while the store is away."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from schemas.errors import Forbidden, StoreUnavailable, Unauthenticated
from schemas.key import KeyOwner, Permission
from services.proxy.exchange import key_cache as keys
from services.proxy.exchange.key_cache import ApiKeyCache, AuthResult
from tests.builders import ORGANIZATION
from tests.proxy_rig import SECRET, Keys, key_id_of

BEARER = f"Bearer {SECRET}".encode()
OWNER = KeyOwner(organization_id=ORGANIZATION, key_id=key_id_of(SECRET))
Told = list[AuthResult]


class Time:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    passing = Time()
    monkeypatch.setattr(keys, "monotonic", passing)
    return passing


async def verdict(ring: ApiKeyCache, bearer: bytes | None = BEARER) -> AuthResult:
    told: Told = []
    ring.check(bearer, told.append)
    await asyncio.sleep(0.01)
    (only,) = told
    return only


def run(story: Callable[[Keys, ApiKeyCache], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        store = Keys()
        ring = ApiKeyCache(store)
        await story(store, ring)
        await ring.close()

    asyncio.run(told())


def test_a_good_key_is_asked_for_once_a_minute_and_nobody_waits_for_that(time: Time) -> None:
    async def story(store: Keys, ring: ApiKeyCache) -> None:
        for seconds, asked in [(0, 1), (59, 1), (60, 2), (61, 2), (119, 2)]:
            time.now_s = 1000.0 + seconds
            told: Told = []
            ring.check(BEARER, told.append)
            assert (told == [OWNER]) == (seconds > 0)  # at once, but for the first time
            await asyncio.sleep(0.01)
            assert store.asked == asked

    run(story)


def test_a_revoked_key_is_refused_after_a_minute_and_one_request(time: Time) -> None:
    async def story(store: Keys, ring: ApiKeyCache) -> None:
        assert await verdict(ring) == OWNER
        store.known.clear()
        time.now_s += 61
        assert await verdict(ring) == OWNER
        assert isinstance(await verdict(ring), Unauthenticated)

    run(story)


def test_a_key_that_rested_for_long_is_asked_for_before_it_is_used(time: Time) -> None:
    async def story(store: Keys, ring: ApiKeyCache) -> None:
        assert await verdict(ring) == OWNER
        store.known.clear()
        time.now_s += 121
        assert isinstance(await verdict(ring), Unauthenticated)

    run(story)


def test_known_keys_work_however_long_the_store_is_away(time: Time) -> None:
    async def story(store: Keys, ring: ApiKeyCache) -> None:
        assert await verdict(ring) == OWNER
        store.away = True
        for _ in range(5):
            time.now_s += 100_000
            assert await verdict(ring) == OWNER
        assert isinstance(await verdict(ring, b"Bearer sk-helicone-somebody"), StoreUnavailable)

    run(story)


def test_an_unknown_key_works_seconds_after_it_was_made(time: Time) -> None:
    async def story(store: Keys, ring: ApiKeyCache) -> None:
        known, store.known = store.known, {}
        assert isinstance(await verdict(ring), Unauthenticated)
        store.known = known
        assert isinstance(await verdict(ring), Unauthenticated)
        time.now_s += 5
        assert await verdict(ring) == OWNER

    run(story)


@pytest.mark.parametrize("permission", list(Permission))
def test_a_key_for_reading_may_not_write_and_every_other_may(permission: Permission) -> None:
    async def story(store: Keys, ring: ApiKeyCache) -> None:
        store.known[SECRET] = (ORGANIZATION, permission)
        told = await verdict(ring)
        assert isinstance(told, Forbidden) if permission is Permission.READ else told == OWNER

    run(story)


def test_unknown_keys_neither_fill_the_memory_nor_flood_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_REFUSED", 10)
    monkeypatch.setattr(keys, "MAX_UNKNOWN_LOOKUPS", 4)

    async def story(store: Keys, ring: ApiKeyCache) -> None:
        for batch in range(10):
            told: Told = []
            for number in range(8):
                ring.check(b"Bearer sk-helicone-%d-%d" % (batch, number), told.append)
            await asyncio.sleep(0.005)
            assert [type(each) for each in told] == [StoreUnavailable] * 4 + [Unauthenticated] * 4
        assert store.asked == 40
        assert len(ring._refused) == 10

    run(story)


def test_wrong_keys_do_not_evict_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_GOOD", 10)
    monkeypatch.setattr(keys, "MAX_REFUSED", 10)

    async def story(store: Keys, ring: ApiKeyCache) -> None:
        assert await verdict(ring) == OWNER
        told: Told = []
        for number in range(100):
            ring.check(b"Bearer sk-helicone-%d" % number, told.append)
        await asyncio.sleep(0.01)
        store.away = True
        assert await verdict(ring) == OWNER
        assert len(told) == 100

    run(story)


def test_a_good_key_is_looked_up_again_however_many_unknown_ones_are(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MAX_UNKNOWN_LOOKUPS", 4)

    async def story(store: Keys, ring: ApiKeyCache) -> None:
        assert await verdict(ring) == OWNER
        time.now_s += 1000
        store.slow_s = 0.005
        told: Told = []
        for number in range(8):
            ring.check(b"Bearer sk-helicone-%d" % number, told.append)
        assert await verdict(ring) == OWNER

    run(story)


def test_a_key_takes_one_place_however_it_is_spelled() -> None:
    async def story(store: Keys, ring: ApiKeyCache) -> None:
        for spaces in range(1, 20):
            for scheme in (b"bearer", b"Bearer"):
                assert await verdict(ring, scheme + b" " * spaces + SECRET.encode()) == OWNER
        assert (store.asked, len(ring._good)) == (1, 1)

    run(story)
