"""Access to the response cache that never fails and never takes long.

What a cache that is unavailable or slow costs a request is one time limit, and then nothing for a while: the request
goes to the provider, and a metric counts it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Final, ParamSpec, TypeVar

from schemas.cache import CachedResponse, CacheKey, CachePolicy, decode_response, encode_response
from schemas.errors import StoreUnavailable
from services.domain.cache.storable import is_storable
from services.ports.cache import ResponseCache
from services.ports.clock import Clock
from services.proxy.upstream.flights import Flights, Landed, Lead
from services.telemetry.metrics import Metrics

_OUTAGE_S: Final = 1.0  # for which a cache that failed is not asked again
_CLOSE_S: Final = 2.0  # for what is being saved

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger("farebox.proxy")


class CacheAccess:
    """One for the process. Belongs to one event loop."""

    def __init__(
        self,
        store: ResponseCache,
        *,
        timeout_s: float,
        wait_s: float,
        metrics: Metrics,
        clock: Clock,
        draw_name: Callable[[], str],
        draw_slot: Callable[[int], int],
    ) -> None:
        """`timeout_s` is of one access, `wait_s` for the response of another request. `draw_name` makes what nothing
        else is called, `draw_slot` a random number below its argument.
        """
        self.metrics = metrics
        self.clock = clock
        self._store = store
        self._timeout_s = timeout_s
        self._flights = Flights(store, draw_name=draw_name, wait_s=wait_s)
        self._draw_slot = draw_slot
        self._failed_until_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Runs `work` beside what its request waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the response cache failed: a bug of Farebox", exc_info=error)

    async def find(self, key: CacheKey, policy: CachePolicy) -> Landed | None:
        """The response in one slot of the bucket, drawn by lot; None when there is none, or it is too old."""
        found = await self._bounded(self._store.find, key, slots=policy.slots, draw=self._draw(policy))
        response = None if found is None else decode_response(found.payload, key)
        if found is None or response is None or self._is_too_old(response, policy):
            return None
        return Landed(response, found.slot)

    def _is_too_old(self, response: CachedResponse, policy: CachePolicy) -> bool:
        age_s = self.clock.now().timestamp() - response.stored_at_s
        return policy.max_age_s is not None and age_s >= policy.max_age_s

    def _draw(self, policy: CachePolicy) -> int:
        return self._draw_slot(policy.slots) if policy.slots > 1 else 0

    async def join(self, key: CacheKey) -> Lead | Landed | None:
        """As `Flights.join`; None also while the cache is unavailable."""
        if monotonic() < self._failed_until_s:
            return None
        try:
            return await self._flights.join(key)
        except StoreUnavailable:
            self._note_failure()
            return None

    async def payload_of(self, response: CachedResponse, provider: str) -> bytes | None:
        """What is saved of `response`; None where it is no whole and successful one. Large ones take milliseconds."""
        return await asyncio.to_thread(_payload_of, response, provider)

    async def save(self, key: CacheKey, payload: bytes, policy: CachePolicy) -> int | None:
        """The slot where it is now; None while the cache is unavailable."""
        slot = await self._bounded(
            self._store.save,
            key,
            payload,
            slots=policy.slots,
            draw=self._draw(policy),
            lifetime_s=policy.lifetime_s,
        )
        if slot is not None:
            self.metrics.add("proxy_cache_saved_total")
            self.metrics.add("proxy_cache_saved_bytes_total", len(payload))
        return slot

    async def _bounded(self, access: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs) -> T | None:
        """What `access` returns; None when it fails or takes too long, and for a while after that."""
        if monotonic() < self._failed_until_s:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                return await access(*args, **options)
        except (StoreUnavailable, TimeoutError):
            self._note_failure()
            return None

    def _note_failure(self) -> None:
        self._failed_until_s = monotonic() + _OUTAGE_S
        self.metrics.add("proxy_cache_errors_total")

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=_CLOSE_S)
        for task in list(self._tasks):
            task.cancel()
        await self._flights.close()


def _payload_of(response: CachedResponse, provider: str) -> bytes | None:
    return encode_response(response) if is_storable(response, provider) else None
