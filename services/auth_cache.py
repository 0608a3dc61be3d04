"""Authentication results by credential, cached in this process, so that few requests wait for the key store.

The proxy and the query service have one each, with a policy of their own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

import msgspec
from cachetools import FIFOCache, TTLCache

from schemas.errors import Busy, FareboxError, StoreUnavailable

Owner = TypeVar("Owner")  # what a valid key is resolved to


class AuthCachePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long results are used, and how many are cached and looked up at once."""

    fresh_s: float  # a valid key is used without a lookup
    stale_s: float  # until then it is used too, while it is looked up again in the background
    rejected_s: float  # a rejected key is not looked up again for so long; it may have been created since
    # Between two lookups of a valid key while the store is unavailable, which does not end its validity. None: it does.
    outage_retry_s: float | None
    max_valid: int = 10_000
    max_rejected: int = 10_000
    max_known_lookups: int = 1_000  # at once, of keys that were valid when last looked up
    max_unknown_lookups: int  # of all others; the store takes hundreds in one query


class AuthCache(Generic[Owner]):
    """Results live in this process's memory only; belongs to one event loop.

    Valid keys have space and lookups of their own, so a flood of wrong ones neither evicts them nor makes them wait.
    """

    def __init__(
        self,
        look_up: Callable[[bytes], Awaitable[Owner | FareboxError]],
        policy: AuthCachePolicy,
        *,
        expired: Callable[[Owner], FareboxError | None] = lambda _: None,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        """`look_up` queries the store for a credential; it returns an error for one that is rejected.

        It raises StoreUnavailable when the store is unavailable. `expired` is the error of a result that an outage must
        not prolong.
        """
        self._expired = expired
        self._look_up = look_up
        self._policy = policy
        self._now_s = now_s
        self._valid: FIFOCache[bytes, tuple[Owner, float]] = FIFOCache(policy.max_valid)  # and when it was looked up
        self._rejected: TTLCache[bytes, FareboxError] = TTLCache(policy.max_rejected, policy.rejected_s, timer=now_s)
        self._known_lookups: dict[bytes, list[Callable[[Owner | FareboxError], None]]] = {}
        self._unknown_lookups: dict[bytes, list[Callable[[Owner | FareboxError], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def cached(self, credential: bytes) -> Owner | FareboxError | None:
        """The result that is known without waiting; None when the store has to be queried first.

        A valid key that is no longer fresh is looked up in the background.
        """
        try:
            owner, looked_up_s = self._valid[credential]
        except KeyError:
            return self._rejected.get(credential)
        age_s = self._now_s() - looked_up_s
        if age_s >= self._policy.stale_s:
            return None
        if age_s >= self._policy.fresh_s:
            self._start_lookup(credential, None)
        return owner

    def check(self, credential: bytes, callback: Callable[[Owner | FareboxError], None]) -> None:
        """Calls `callback` with the owner or an error: at once when the result is cached, else after the lookup.

        The error is Busy when too many credentials are being looked up, StoreUnavailable when the store is unavailable.
        """
        result = self.cached(credential)
        if result is None:
            self._start_lookup(credential, callback)
        else:
            callback(result)

    async def result_of(self, credential: bytes) -> Owner | FareboxError:
        """What `check` calls back with."""
        result: asyncio.Future[Owner | FareboxError] = asyncio.get_running_loop().create_future()
        self.check(credential, lambda found: None if result.done() else result.set_result(found))
        return await result

    def _start_lookup(self, credential: bytes, callback: Callable[[Owner | FareboxError], None] | None) -> None:
        is_known = credential in self._valid
        lookups = self._known_lookups if is_known else self._unknown_lookups
        waiting = lookups.get(credential)
        if waiting is not None:
            if callback is not None:
                waiting.append(callback)
        elif len(lookups) < (self._policy.max_known_lookups if is_known else self._policy.max_unknown_lookups):
            lookups[credential] = [] if callback is None else [callback]
            task = asyncio.get_running_loop().create_task(self._resolve(credential, lookups))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif callback is not None:
            callback(Busy("too many API keys are being looked up; try again"))

    async def _resolve(
        self, credential: bytes, lookups: dict[bytes, list[Callable[[Owner | FareboxError], None]]]
    ) -> None:
        result: Owner | FareboxError
        started_s = self._now_s()
        try:
            result = await self._look_up(credential)
        except StoreUnavailable:
            result = self._during_outage(credential)
        except BaseException:
            result = StoreUnavailable("the key could not be checked")
            raise
        else:
            self._remember(credential, result, started_s)
        finally:
            for callback in lookups.pop(credential, ()):
                callback(result)

    def _during_outage(self, credential: bytes) -> Owner | FareboxError:
        """Keys that were valid stay so until they expire, where the policy has it; the others are not known."""
        known, retry_s = self._valid.get(credential), self._policy.outage_retry_s
        if known is None or retry_s is None:
            return StoreUnavailable("the key cannot be checked now; try again")
        error = self._expired(known[0])
        if error is not None:
            self._remember(credential, error, self._now_s())
            return error
        self._valid[credential] = (known[0], self._now_s() - self._policy.fresh_s + retry_s)  # fresh for `retry_s` more
        return known[0]

    def _remember(self, credential: bytes, result: Owner | FareboxError, looked_up_s: float) -> None:
        self._valid.pop(credential, None)
        self._rejected.pop(credential, None)
        if isinstance(result, FareboxError):
            self._rejected[credential] = result
        else:
            self._valid[credential] = (result, looked_up_s)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
