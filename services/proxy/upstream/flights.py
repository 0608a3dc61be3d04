"""Requests for one response that come while it is on its way: one leads and goes to the provider, the others wait.

Within a process they meet in memory. Across processes the leader holds a lease in the cache, which ends with it: when
the leader's process dies, the others learn so within `LEASE_S`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Final

import msgspec

from schemas.cache import CachedResponse, CacheKey, decode_response
from schemas.errors import StoreUnavailable
from services.ports.cache import ResponseCache

LEASE_S: Final = 6.0
_RENEW_S: Final = LEASE_S / 3
_REMEMBER_S: Final = 10.0  # where the response is, for those in other processes
_FIRST_LOOK_S: Final = 0.02
_LAST_LOOK_S: Final = 0.25  # between two looks at another process's leader


class Landed(msgspec.Struct, frozen=True):
    """A response that a leader has got."""

    response: CachedResponse
    slot: int


class Lead:
    """The right and the duty to request a response. It ends once: with `land` or `fail`."""

    def __init__(self, flights: "Flights", key: CacheKey, landed: "asyncio.Future[Landed | None]", name: str) -> None:
        self._flights = flights
        self._key = key
        self._landed = landed
        self._name = name
        self._renewing = flights.start(self._renew()) if flights.store.shared else None

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            with contextlib.suppress(StoreUnavailable):
                await self._flights.store.renew_lead(self._key, self._name, lease_s=LEASE_S)

    def land(self, response: CachedResponse, slot: int | None) -> None:
        """`slot` is where it is in the cache; None when only this process has it."""
        self._end(Landed(response, slot or 0), slot)

    def fail(self) -> None:
        """There will be no response: whoever waits goes to the provider."""
        self._end(None, None)

    def _end(self, landed: Landed | None, slot: int | None) -> None:
        if self._landed.done():
            return
        self._landed.set_result(landed)
        self._flights.forget(self._key)
        if self._renewing is not None:
            self._renewing.cancel()
            self._flights.start(self._give_back(slot))

    async def _give_back(self, slot: int | None) -> None:
        with contextlib.suppress(StoreUnavailable):  # the lease ends by itself
            await self._flights.store.end_lead(self._key, self._name, slot, remember_s=_REMEMBER_S)


class Flights:
    """One for the process. Belongs to one event loop."""

    def __init__(self, store: ResponseCache, *, draw_name: Callable[[], str], wait_s: float) -> None:
        """`draw_name` makes the name of a leader, which nothing else has; others wait for it up to `wait_s`."""
        self.store = store
        self._draw_name = draw_name
        self._wait_s = wait_s
        self._on_the_way: dict[CacheKey, asyncio.Future[Landed | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, key: CacheKey) -> Lead | Landed | None:
        """The lead; or what another leader has got; or None when that failed or took too long.

        Raises: StoreUnavailable.
        """
        followed = self._on_the_way.get(key)
        if followed is None:
            followed = self._on_the_way[key] = asyncio.get_running_loop().create_future()
            name = self._draw_name()
            try:
                if await self.store.lead(key, name, lease_s=LEASE_S):
                    return Lead(self, key, followed, name)
            except BaseException:
                followed.set_result(None)
                self.forget(key)
                raise
            self.start(self._follow(key, followed))
        done, _ = await asyncio.wait((followed,), timeout=self._wait_s)
        return followed.result() if done else None

    async def _follow(self, key: CacheKey, landed: "asyncio.Future[Landed | None]") -> None:
        """Watches the leader of another process, for all in this one."""
        try:
            landed.set_result(await self._landed_elsewhere(key))
        finally:
            if not landed.done():
                landed.set_result(None)
            self.forget(key)

    async def _landed_elsewhere(self, key: CacheKey) -> Landed | None:
        until_s, pause_s = monotonic() + self._wait_s, _FIRST_LOOK_S
        while monotonic() < until_s:
            await asyncio.sleep(pause_s)
            pause_s = min(_LAST_LOOK_S, pause_s * 1.5)
            try:
                is_led, slot = await self.store.led_slot(key)
                if slot is not None:
                    payload = await self.store.read(key, slot)
                    response = None if payload is None else decode_response(payload, key)
                    return None if response is None else Landed(response, slot)
            except StoreUnavailable:
                return None
            if not is_led:
                return None
        return None

    def forget(self, key: CacheKey) -> None:
        self._on_the_way.pop(key, None)

    def start(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
