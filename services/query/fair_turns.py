"""Turns at something of which only so much may be done at once: fair to organizations, and not without end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.errors import Busy
from services.domain.limits.fair_queue import FairQueue, QueueLimits

Turn = asyncio.Future[None]


class FairTurns:
    """Belongs to one event loop."""

    def __init__(self, limits: QueueLimits, *, wait_s: float, full: str, late: str) -> None:
        """`full` and `late` are what clients are told of a turn that they cannot wait for, or that does not come."""
        self._wait_s = wait_s
        self._full = full
        self._late = late
        self._queue: FairQueue[Turn] = FairQueue(limits)

    @property
    def is_idle(self) -> bool:
        """Nobody has a turn or waits for one."""
        return self._queue.running == self._queue.waiting == 0

    @asynccontextmanager
    async def turn(self, organization_id: str, *, is_cheap: bool = False) -> AsyncIterator[None]:
        """Raises: Busy when it does not come soon."""
        if not self._queue.has_room(organization_id):
            raise Busy(self._full)
        turn: Turn = asyncio.get_running_loop().create_future()
        self._queue.add(turn, organization_id, is_cheap=is_cheap)
        self._advance()
        try:
            await asyncio.wait({turn}, timeout=self._wait_s)
            if not turn.done():
                raise Busy(self._late)
            yield
        finally:
            if turn.done():
                self._queue.end(turn)
            else:
                self._queue.withdraw(turn, organization_id)
            self._advance()

    def _advance(self) -> None:
        while (turn := self._queue.next()) is not None:
            turn.set_result(None)
