"""How much of what clients send is in memory at once; first come, first served."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from schemas.errors import StoreUnavailable


class _Claim(NamedTuple):
    organization_id: str
    size_bytes: int
    admitted: asyncio.Future[None]


class MemoryBudget:
    """So many bytes at once, and fewer for one organization, so that it leaves memory to others."""

    def __init__(self, *, total_bytes: int, organization_bytes: int, max_waiting: int, wait_s: float) -> None:
        self._free_bytes = total_bytes
        self._organization_bytes = organization_bytes
        self._held_bytes: Counter[str] = Counter()  # by organization
        self._max_waiting = max_waiting
        self._wait_s = wait_s
        self._waiting: deque[_Claim] = deque()

    @asynccontextmanager
    async def held(self, organization_id: str, size_bytes: int) -> AsyncIterator[None]:
        """Holds `size_bytes`, after waiting for them. Raises: StoreUnavailable when they are not free in time."""
        await self._take(organization_id, size_bytes)
        try:
            yield
        finally:
            self._give_back(organization_id, size_bytes)

    async def _take(self, organization_id: str, size_bytes: int) -> None:
        if len(self._waiting) >= self._max_waiting:
            raise _full()
        claim = _Claim(organization_id, size_bytes, asyncio.get_running_loop().create_future())
        self._waiting.append(claim)
        self._admit()
        try:
            async with asyncio.timeout(self._wait_s):
                await claim.admitted
        except BaseException as error:
            if claim in self._waiting:
                self._waiting.remove(claim)
            elif not claim.admitted.cancelled():
                self._give_back(organization_id, size_bytes)  # it was admitted just then
            if isinstance(error, TimeoutError):
                raise _full() from None
            raise

    def _give_back(self, organization_id: str, size_bytes: int) -> None:
        self._free_bytes += size_bytes
        self._held_bytes[organization_id] -= size_bytes
        if not self._held_bytes[organization_id]:
            del self._held_bytes[organization_id]
        self._admit()

    def _admit(self) -> None:
        """All that fit. A claim that waits for its own organization's share holds up no other."""
        staying: deque[_Claim] = deque()
        while self._waiting and self._waiting[0].size_bytes <= self._free_bytes:
            claim = self._waiting.popleft()
            if self._held_bytes[claim.organization_id] + claim.size_bytes > self._organization_bytes:
                staying.append(claim)
            elif not claim.admitted.done():
                self._free_bytes -= claim.size_bytes
                self._held_bytes[claim.organization_id] += claim.size_bytes
                claim.admitted.set_result(None)
        self._waiting = staying + self._waiting


def _full() -> StoreUnavailable:
    return StoreUnavailable("too many logs arrive at once; try again")
