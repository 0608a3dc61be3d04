"""Access to a store that is unavailable costs a request one time limit: after a failure it is not asked for a while.

A burst waits here, and not in the store's own queue: that many come at once is no sign that it is unavailable. Where
they come faster than the store replies, each gives up after a few time limits, with its wait.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final, TypeVar

from schemas.errors import StoreUnavailable

_OUTAGE_S: Final = 1.0  # for which a store that failed is not asked again
_AT_ONCE: Final = 32  # accesses, each of which has the time limit for itself
_LIMITS_IN_ALL: Final = 5  # for an access and the wait for its turn
_LATE_S: Final = 0.1  # of the event loop: then this process had no time to read a reply
_MOST_BEGINS: Final = 5  # of one time limit

T = TypeVar("T")


class BoundedAccess:
    """Of one store, whose client should have a longer time limit: it knows nothing of a busy event loop.

    Belongs to one event loop.
    """

    def __init__(self, *, timeout_s: float, failed: Callable[[], None]) -> None:
        """`failed` is called for each access that fails, takes too long or does not get its turn."""
        self._timeout_s = timeout_s
        self._failed = failed
        self._failed_until_s = 0.0
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def result_of(self, access: Callable[[], Awaitable[T]]) -> T | None:
        """What `access` returns; None when it fails or takes too long, and for a while after that.

        None too when its turn does not come in time, which is no failure of the store.
        """
        try:
            async with _limited(_LIMITS_IN_ALL * self._timeout_s), self._places:
                return await self._at_its_turn(access)
        except TimeoutError:
            self._failed()
            return None

    async def _at_its_turn(self, access: Callable[[], Awaitable[T]]) -> T | None:
        if monotonic() < self._failed_until_s:
            return None
        try:
            async with _limited(self._timeout_s):
                return await access()
        except (StoreUnavailable, TimeoutError):
            self._failed_until_s = monotonic() + _OUTAGE_S
            self._failed()
            return None


@asynccontextmanager
async def _limited(timeout_s: float) -> AsyncIterator[None]:
    """Raises: TimeoutError."""
    async with asyncio.timeout(None) as timeout:
        limit = _TimeLimit(timeout, timeout_s)
        try:
            yield
        finally:
            limit.cancel()


class _TimeLimit:
    """It begins anew where the event loop was late: this process was busy then, and no store slow."""

    def __init__(self, timeout: asyncio.Timeout, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._timeout_s = timeout_s
        self._begins = 0
        self._begin()

    def _begin(self) -> None:
        self._begins += 1
        self._ends_s = self._loop.time() + self._timeout_s
        self._timer = self._loop.call_at(self._ends_s, self._over)

    def _over(self) -> None:
        now_s = self._loop.time()
        if now_s - self._ends_s > _LATE_S and self._begins < _MOST_BEGINS:
            self._begin()
        else:
            self._timeout.reschedule(now_s)

    def cancel(self) -> None:
        self._timer.cancel()
