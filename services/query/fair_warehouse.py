"""The warehouse as the query service queries it: organizations take turns, and what would wait too long is refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from schemas.errors import Busy
from schemas.price import Price
from schemas.record import RequestBodies, RequestRecord
from schemas.reprice import Correction
from schemas.statement import Statement
from services.domain.limits.fair_queue import FairQueue, QueueLimits
from services.ports import AmendableWarehouse

# An organization has half of the places at most, and one of all is for what is cheap. An embedded warehouse has one
# more reader than there are places here: that is the worker's.
LIMITS: Final = QueueLimits(places=4, for_cheap=1, of_one=2, waiting_of_one=32, waiting=512)
WAIT_S: Final = 30.0

Turn = asyncio.Future[None]


class FairWarehouse:
    """An AmendableWarehouse whose queries take turns. Writes go straight through."""

    def __init__(self, warehouse: AmendableWarehouse, *, limits: QueueLimits = LIMITS, wait_s: float = WAIT_S) -> None:
        self._warehouse = warehouse
        self._wait_s = wait_s
        self._turns: FairQueue[Turn] = FairQueue(limits)

    @property
    def is_idle(self) -> bool:
        """No query runs or waits."""
        return self._turns.running == self._turns.waiting == 0

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Rows by column alias. Raises: Busy when its turn does not come soon, StoreUnavailable."""
        async with self._turn(statement.organization_id, is_cheap=statement.is_cheap):
            return await self._warehouse.query(statement)

    async def insert(self, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies]) -> None:
        await self._warehouse.insert(records, bodies)

    async def keep_prices(self, prices: Sequence[Price]) -> None:
        await self._warehouse.keep_prices(prices)

    async def keep_corrections(self, corrections: Sequence[Correction]) -> None:
        await self._warehouse.keep_corrections(corrections)

    async def execute(self, statement: Statement) -> None:
        await self._warehouse.execute(statement)

    async def close(self) -> None:
        await self._warehouse.close()

    @asynccontextmanager
    async def _turn(self, organization_id: str, *, is_cheap: bool) -> AsyncIterator[None]:
        if not self._turns.has_room(organization_id):
            raise Busy("too many queries are waiting for the warehouse; try again later")
        turn: Turn = asyncio.get_running_loop().create_future()
        self._turns.add(turn, organization_id, is_cheap=is_cheap)
        self._advance()
        try:
            await asyncio.wait({turn}, timeout=self._wait_s)
            if not turn.done():
                raise Busy("other queries keep the warehouse busy; try again later")
            yield
        finally:
            if turn.done():
                self._turns.end(turn)
            else:
                self._turns.withdraw(turn, organization_id)
            self._advance()

    def _advance(self) -> None:
        while (turn := self._turns.next()) is not None:
            turn.set_result(None)
