"""A LimitStore in the memory of one process. It begins with full buckets."""

import time
from collections.abc import Callable
from typing import Final

from schemas.limit import RateLimit, Taken
from services.token_bucket import Level, seconds_until, spend, take

MAX_BUCKETS: Final = 100_000
_KEPT: Final = 0.9  # of them, at most, once there are too many


class MemoryLimits:
    """Belongs to one event loop. Clients choose the names of buckets, so their number is bounded."""

    def __init__(self, *, max_buckets: int = MAX_BUCKETS, now_s: Callable[[], float] = time.monotonic) -> None:
        """`now_s` returns seconds since any fixed time."""
        self._max_buckets = max_buckets
        self._now_s = now_s
        self._buckets: dict[str, tuple[Level, float]] = {}  # and when it is full, in the order of their last use

    async def take(self, limit: RateLimit) -> Taken:
        level, taken = take(self._level(limit), limit.policy, self._now_s())
        self._keep(limit, level)
        return taken

    async def spend(self, limit: RateLimit, amount: float) -> None:
        self._keep(limit, spend(self._level(limit), limit.policy, self._now_s(), amount))

    async def close(self) -> None: ...

    def _level(self, limit: RateLimit) -> Level | None:
        known = self._buckets.pop(limit.bucket, None)
        return None if known is None else known[0]

    def _keep(self, limit: RateLimit, level: Level) -> None:
        policy = limit.policy
        if len(self._buckets) >= self._max_buckets:
            self._forget(level.at_s)
        full_s = level.at_s + seconds_until(float(policy.quota), level.amount, policy)
        self._buckets[limit.bucket] = level, full_s

    def _forget(self, now_s: float) -> None:
        """Full buckets are as good as unknown ones. Where that is not enough, those not used for longest go too."""
        left = [(name, kept) for name, kept in self._buckets.items() if kept[1] > now_s]
        self._buckets = dict(left[-int(self._max_buckets * _KEPT) :])
