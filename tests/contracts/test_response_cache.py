"""Both response caches keep what they are given, forget what is old, and say so when they cannot."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.cache import CacheKey
from schemas.errors import InvalidSetting, StoreUnavailable
from services.ports.cache import ResponseCache
from services.stores.cache.redis_cache import RedisCache
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.factory import open_response_cache
from tests.servers.redis import RedisProcess

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "redis"])
async def cache(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ResponseCache]:
    opened: ResponseCache = (
        SqliteCache(tmp_path / "not/there/cache.sqlite", max_bytes=2**20)
        if request.param == "sqlite"
        else RedisCache(request.getfixturevalue("redis").url, timeout_s=5)
    )
    yield opened
    await opened.close()


@pytest.fixture
def key(organization_id: str) -> CacheKey:
    return CacheKey(organization_id=organization_id, digest=organization_id.encode().hex())


async def save(cache: ResponseCache, key: CacheKey, payload: bytes, *, slots: int = 1, draw: int = 0) -> int:
    return await cache.save(key, payload, slots=slots, draw=draw, lifetime_s=60)


async def found(cache: ResponseCache, key: CacheKey, *, slots: int = 1, draw: int = 0) -> bytes | None:
    hit = await cache.find(key, slots=slots, draw=draw)
    return None if hit is None else hit.payload


async def test_what_was_saved_is_found_and_a_later_one_replaces_it(cache: ResponseCache, key: CacheKey) -> None:
    assert await found(cache, key) is None
    for payload in (b"one", b"\0\xff two"):
        assert await save(cache, key, payload) == 0
        assert await found(cache, key) == payload
        assert await cache.read(key, 0) == payload


async def test_a_bucket_serves_only_when_it_is_full_and_then_what_was_drawn(
    cache: ResponseCache, key: CacheKey
) -> None:
    for slot, payload in enumerate((b"a", b"b", b"c")):
        assert await found(cache, key, slots=3, draw=0) is None
        assert await save(cache, key, payload, slots=3, draw=2) == slot
    assert [await found(cache, key, slots=3, draw=draw) for draw in range(3)] == [b"a", b"b", b"c"]
    assert await save(cache, key, b"d", slots=3, draw=1) == 1, "of a full one the drawn slot is replaced"
    assert await found(cache, key, slots=3, draw=1) == b"d"
    assert await found(cache, key, slots=2, draw=0) == b"a", "a smaller bucket is a part of it"


async def test_a_response_lives_as_long_as_its_request_said(cache: ResponseCache, key: CacheKey) -> None:
    await cache.save(key, b"short", slots=1, draw=0, lifetime_s=1)
    assert await found(cache, key) == b"short"
    await asyncio.sleep(1.1)
    assert await found(cache, key) is None


async def test_an_organization_is_cleared_and_no_other(cache: ResponseCache, key: CacheKey) -> None:
    other = CacheKey(organization_id=f"{key.organization_id}*", digest=key.digest + "0")
    await save(cache, other, b"theirs")
    for slot in range(3):
        await save(cache, key, b"x" * 100, slots=3, draw=slot)
    cleared = await cache.clear(key.organization_id)
    assert (cleared.entries, cleared.size_bytes) == (3, 300)
    assert await found(cache, key) is None
    assert await found(cache, other) == b"theirs"
    assert (await cache.clear(key.organization_id)).entries == 0


@pytest.mark.parametrize("url", ["redis://127.0.0.1:x", "redis://127.0.0.1:99999"])
async def test_an_address_that_is_none_is_a_wrong_setting_or_an_unavailable_cache(url: str, key: CacheKey) -> None:
    with pytest.raises((InvalidSetting, StoreUnavailable)):
        await RedisCache(url, timeout_s=1).read(key, 0)


def test_no_cache_is_opened_where_there_is_to_be_none() -> None:
    assert open_response_cache("off", max_bytes=1, timeout_s=1) is None


# SQLite


async def test_above_its_size_what_was_not_used_for_longest_is_deleted(tmp_path: Path) -> None:
    now_s = 1000.0
    cache = SqliteCache(tmp_path / "cache.sqlite", max_bytes=10_000, now_s=lambda: now_s)
    keys = [CacheKey(organization_id="o", digest=f"{number:02}") for number in range(11)]
    for one in keys[:10]:
        now_s += 1
        await save(cache, one, b"x" * 1000)
    now_s += 1
    assert await found(cache, keys[0]) is not None
    now_s += 1
    await save(cache, keys[10], b"x" * 1000)
    kept = [number for number, one in enumerate(keys) if await found(cache, one) is not None]
    await cache.close()
    assert kept == [0, *range(3, 11)], "nine tenths of the size stay, and what was used stays longer"


async def test_the_file_is_private_and_what_was_cleared_is_not_in_it(tmp_path: Path, key: CacheKey) -> None:
    file = tmp_path / "cache.sqlite"
    cache = SqliteCache(file, max_bytes=2**20)
    await save(cache, key, b"canary-of-a-response" * 1000)
    assert file.stat().st_mode & 0o777 == 0o600
    await cache.clear(key.organization_id)
    assert not holds(tmp_path, b"canary")
    await cache.close()


def holds(folder: Path, text: bytes) -> bool:
    return any(text in file.read_bytes() for file in folder.iterdir())


async def test_a_damaged_file_is_replaced_by_an_empty_one(tmp_path: Path, key: CacheKey) -> None:
    file = tmp_path / "cache.sqlite"
    file.write_bytes(b"this is no database" * 1000)
    cache = SqliteCache(file, max_bytes=2**20)
    assert await save(cache, key, b"one") == 0
    assert await found(cache, key) == b"one"
    await cache.close()


async def test_a_file_that_cannot_be_had_or_is_locked_is_an_unavailable_cache(tmp_path: Path, key: CacheKey) -> None:
    nowhere = SqliteCache("/proc/nowhere/cache.sqlite", max_bytes=1)
    with pytest.raises(StoreUnavailable):
        await found(nowhere, key)
    await nowhere.close()
    cache = SqliteCache(tmp_path / "cache.sqlite", max_bytes=2**20)
    await save(cache, key, b"one")
    locking = sqlite3.connect(tmp_path / "cache.sqlite", isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await save(cache, key, b"two")
    assert await found(cache, key) == b"one", "readers do not wait for who writes"
    locking.close()
    await cache.close()


# Redis


async def test_one_of_many_processes_leads_and_the_others_learn_where_the_response_is(
    redis: RedisProcess, key: CacheKey
) -> None:
    caches = [RedisCache(redis.url, timeout_s=5) for _ in range(10)]
    leads = [await one.lead(key, str(number), lease_s=5) for number, one in enumerate(caches)]
    assert leads == [True] + [False] * 9
    assert await caches[1].led_slot(key) == (True, None)
    await caches[1].end_lead(key, "1", 7, remember_s=5)
    assert await caches[1].led_slot(key) == (True, None), "only who leads may end it"
    await caches[0].end_lead(key, "0", 7, remember_s=5)
    assert await caches[1].led_slot(key) == (False, 7)
    for one in caches:
        await one.close()


async def test_a_lead_ends_with_its_lease_unless_it_is_renewed(redis: RedisProcess, key: CacheKey) -> None:
    cache = RedisCache(redis.url, timeout_s=5)
    assert await cache.lead(key, "one", lease_s=0.2)
    await cache.renew_lead(key, "one", lease_s=5)
    await cache.renew_lead(key, "two", lease_s=0.001)
    await asyncio.sleep(0.3)
    assert not await cache.lead(key, "two", lease_s=5)
    await cache.end_lead(key, "one", None, remember_s=5)
    assert await cache.lead(key, "two", lease_s=0.05)
    await asyncio.sleep(0.1)
    assert await cache.lead(key, "three", lease_s=5)
    await cache.close()
