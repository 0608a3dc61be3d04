"""A ResponseCache in Valkey or Redis, for any number of processes.

A response is one value that expires by itself; how much memory all may take, and that what was not used for longest
goes first, is the server's own setting (`maxmemory`, `maxmemory-policy allkeys-lru`). Names of keys hold hashes only.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from schemas.cache import CacheKey, Cleared, Found
from schemas.errors import InvalidSetting, StoreUnavailable

_PREFIX: Final = "farebox:cache"
_LEADS: Final = "leads:"  # the value of a lead that is held, before its holder
_SCANNED: Final = 500  # keys looked at in one call

# Only who still holds the lead may change it.
_RENEW: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('pexpire', KEYS[1], ARGV[2]) end"
_END: Final = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return end
if ARGV[2] == '' then redis.call('del', KEYS[1]) else redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
"""
# The first free slot and what goes there, in one step.
_SAVE: Final = """
local slot = tonumber(ARGV[2])
for place, key in ipairs(KEYS) do
  if redis.call('exists', key) == 0 then slot = place - 1 break end
end
redis.call('set', KEYS[slot + 1], ARGV[1], 'EX', ARGV[3])
return slot
"""
_FIND: Final = """
for _, key in ipairs(KEYS) do if redis.call('exists', key) == 0 then return false end end
return redis.call('get', KEYS[tonumber(ARGV[1]) + 1])
"""


class RedisCache:
    """Connects when first used."""

    shared = True

    def __init__(self, url: str, *, timeout_s: float, max_connections: int = 64) -> None:
        """Raises: InvalidSetting."""
        try:
            pool = BlockingConnectionPool.from_url(  # commands wait for a connection, instead of failing
                url,
                max_connections=max_connections,
                timeout=timeout_s,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise InvalidSetting(f"cache_url: {error}") from None
        self._redis = Redis(connection_pool=pool)

    async def find(self, key: CacheKey, *, slots: int, draw: int) -> Found | None:
        if slots == 1:
            payload = await self.read(key, 0)
        else:
            payload = await self._run(_FIND, _bucket(key, slots), draw)
        return None if payload is None else Found(slot=draw, payload=payload)

    async def read(self, key: CacheKey, slot: int) -> bytes | None:
        async with _translated():
            return cast("bytes | None", await self._redis.get(_name(key, slot)))

    async def save(self, key: CacheKey, payload: bytes, *, slots: int, draw: int, lifetime_s: int) -> int:
        return int(await self._run(_SAVE, _bucket(key, slots), payload, draw, lifetime_s))

    async def lead(self, key: CacheKey, leader: str, *, lease_s: float) -> bool:
        async with _translated():
            return bool(await self._redis.set(_lead(key), _LEADS + leader, nx=True, px=round(lease_s * 1000)))

    async def renew_lead(self, key: CacheKey, leader: str, *, lease_s: float) -> None:
        await self._run(_RENEW, [_lead(key)], _LEADS + leader, round(lease_s * 1000))

    async def end_lead(self, key: CacheKey, leader: str, slot: int | None, *, remember_s: float) -> None:
        where = "" if slot is None else str(slot)
        await self._run(_END, [_lead(key)], _LEADS + leader, where, round(remember_s * 1000))

    async def led_slot(self, key: CacheKey) -> tuple[bool, int | None]:
        async with _translated():
            value = cast("bytes | None", await self._redis.get(_lead(key)))
        if value is None or value.startswith(_LEADS.encode()):
            return value is not None, None
        return False, int(value)

    async def clear(self, organization_id: str) -> Cleared:
        entries = size_bytes = 0
        async with _translated():
            async for names in self._names(f"{_folder(organization_id)}:*"):
                pipeline = self._redis.pipeline(transaction=False)
                for name in names:
                    pipeline.strlen(name)
                size_bytes += sum(await pipeline.execute())
                entries += int(await self._redis.unlink(*names))
        return Cleared(entries=entries, size_bytes=size_bytes)

    async def _names(self, pattern: str) -> AsyncIterator[list[bytes]]:
        cursor = 0
        while True:
            cursor, names = await self._redis.scan(cursor, match=pattern, count=_SCANNED)
            if names:
                yield cast("list[bytes]", names)
            if cursor == 0:
                return

    async def _run(self, script: str, names: list[str], *arguments: bytes | str | int) -> Any:
        async with _translated():
            return await self._redis.eval(script, len(names), *names, *arguments)

    async def close(self) -> None:
        async with _translated():
            await self._redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Raises: StoreUnavailable for the client's own errors, whose texts may name the server and no more."""
    try:
        yield
    except (RedisError, OSError, ValueError) as error:
        raise StoreUnavailable(f"response cache: {type(error).__name__}") from error


def _folder(organization_id: str) -> str:
    """Of an organization's responses. Hashed, since a pattern may not hold every character."""
    return f"{_PREFIX}:{hashlib.sha256(organization_id.encode()).hexdigest()[:32]}"


def _name(key: CacheKey, slot: int) -> str:
    return f"{_folder(key.organization_id)}:{key.digest}:{slot}"


def _bucket(key: CacheKey, slots: int) -> list[str]:
    return [_name(key, slot) for slot in range(slots)]


def _lead(key: CacheKey) -> str:
    return f"{_PREFIX}-lead:{key.digest}"
