"""A LimitStore in Valkey or Redis, for any number of processes: one script is one step, by the server's own clock.

A bucket is a hash that expires once it is full. Names of keys hold hashes only.
"""

import hashlib
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from schemas.errors import InvalidSetting, StoreUnavailable
from schemas.limit import LimitPolicy, LimitUnit, RateLimit, Taken
from services.token_bucket import needed

_PREFIX: Final = "farebox:limit:"

# What `services/token_bucket.py` says. Numbers travel as text with all their digits: those of Lua lose their fractions.
_STEP: Final = """
local capacity, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local needed, amount = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('time')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local stored = redis.call('hmget', KEYS[1], 'level', 'at')
local level = capacity
if stored[1] and stored[2] then
  level = math.min(capacity, tonumber(stored[1]) + math.max(0, now - tonumber(stored[2])) * capacity / window)
end
local allowed = ARGV[3] == '' or level >= needed
if allowed then level = level - amount end
redis.call('hset', KEYS[1], 'level', string.format('%.17g', level), 'at', string.format('%.17g', now))
redis.call('expire', KEYS[1], math.max(1, math.min(2147483647, math.ceil((capacity - level) * window / capacity) + 1)))
return {allowed and 1 or 0, string.format('%.17g', level)}
"""


class RedisLimits:
    """Connects when first used."""

    def __init__(self, url: str, *, timeout_s: float, max_connections: int = 64) -> None:
        """Raises: InvalidSetting."""
        try:
            self._redis: Redis = Redis.from_url(
                url,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                max_connections=max_connections,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise InvalidSetting(f"limits_url: {error}") from None
        self._step = self._redis.register_script(_STEP)

    async def take(self, limit: RateLimit) -> Taken:
        taken = 1.0 if limit.policy.unit is LimitUnit.REQUEST else 0.0
        return await self._run(limit, repr(needed(limit.policy)), taken)

    async def spend(self, limit: RateLimit, amount: float) -> None:
        await self._run(limit, "", amount)

    async def close(self) -> None:
        try:
            await self._redis.aclose()
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    async def _run(self, limit: RateLimit, at_least: str, amount: float) -> Taken:
        try:
            allowed, level = await self._step([_name(limit)], [*_size(limit.policy), at_least, repr(amount)])
        except (RedisError, OSError, ValueError) as error:
            raise _unavailable(error) from error
        return Taken(allowed=bool(allowed), level=float(level))


def _unavailable(error: Exception) -> StoreUnavailable:
    """Not the error's text, which may name the server and its password."""
    return StoreUnavailable(f"rate limits: {type(error).__name__}")


def _name(limit: RateLimit) -> str:
    return _PREFIX + hashlib.sha256(limit.bucket.encode()).hexdigest()


def _size(policy: LimitPolicy) -> tuple[str, int]:
    return str(policy.quota), policy.window_s
