"""Memory for what clients send, granted first come first served."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from schemas.errors import StoreUnavailable


class BudgetLimits(msgspec.Struct, frozen=True, kw_only=True):
    total_bytes: int
    organization_bytes: int  # of these, for one organization, so that it leaves some for others
    max_waiting: int  # reservations
    organization_waiting: int  # of these, one organization's
    wait_s: float


class _Reservation(NamedTuple):
    organization_id: str
    size_bytes: int
    granted: asyncio.Future[None]


class MemoryBudget:
    """Belongs to one event loop."""

    def __init__(self, limits: BudgetLimits) -> None:
        self._limits = limits
        self._free_bytes = limits.total_bytes
        self._reserved_bytes: Counter[str] = Counter()  # by organization
        self._waiting: deque[_Reservation] = deque()

    @asynccontextmanager
    async def reserved(self, organization_id: str, size_bytes: int) -> AsyncIterator[None]:
        """Holds `size_bytes`, after waiting for them. Raises: StoreUnavailable when they do not become free in time."""
        await self._reserve(_Reservation(organization_id, size_bytes, asyncio.get_running_loop().create_future()))
        try:
            yield
        finally:
            self._release(organization_id, size_bytes)

    async def _reserve(self, reservation: _Reservation) -> None:
        self._waiting.append(reservation)
        self._grant()
        if not reservation.granted.done() and self._too_many_wait(reservation.organization_id):
            self._waiting.remove(reservation)
            raise _no_memory()
        try:
            async with asyncio.timeout(self._limits.wait_s):
                await reservation.granted
        except BaseException as error:
            self._withdraw(reservation)
            if isinstance(error, TimeoutError):
                raise _no_memory() from None
            raise

    def _too_many_wait(self, organization_id: str) -> bool:
        """Whether the latest reservation, which is one of those that wait, is one too many."""
        own = sum(waiting.organization_id == organization_id for waiting in self._waiting)
        return len(self._waiting) > self._limits.max_waiting or own > self._limits.organization_waiting

    def _withdraw(self, reservation: _Reservation) -> None:
        if reservation in self._waiting:
            self._waiting.remove(reservation)
            self._grant()  # others may have waited behind it
        elif not reservation.granted.cancelled():
            self._release(reservation.organization_id, reservation.size_bytes)  # granted in the same turn of the loop

    def _release(self, organization_id: str, size_bytes: int) -> None:
        self._free_bytes += size_bytes
        self._reserved_bytes[organization_id] -= size_bytes
        if not self._reserved_bytes[organization_id]:
            del self._reserved_bytes[organization_id]
        self._grant()

    def _grant(self) -> None:
        """Everything in order until one does not fit. Those above their organization's share hold up no other."""
        above_share: deque[_Reservation] = deque()
        while self._waiting:
            first = self._waiting[0]
            if self._reserved_bytes[first.organization_id] + first.size_bytes > self._limits.organization_bytes:
                above_share.append(first)
            elif first.size_bytes > self._free_bytes:
                break
            elif not first.granted.done():
                self._free_bytes -= first.size_bytes
                self._reserved_bytes[first.organization_id] += first.size_bytes
                first.granted.set_result(None)
            self._waiting.popleft()
        self._waiting = above_share + self._waiting


def _no_memory() -> StoreUnavailable:
    return StoreUnavailable("too many logs arrive at once; try again")
