"""The warehouse as the query service queries it: within limits, in turns, and the same query once at a time."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

import msgspec

from schemas.amendment import StoredAmendment
from schemas.price import Price
from schemas.record import RequestBodies, RequestRecord
from schemas.reprice import Correction
from schemas.statement import Statement
from schemas.value import ValueEntry
from services.domain.limits.fair_queue import QueueLimits
from services.ports.warehouse import LedgerWarehouse
from services.query.fair_turns import FairTurns
from services.query.shared_queries import SharedQueries, SharedQuery
from services.rolled_queries import cheaper

# An organization has half of the places at most, and one of all is for what is cheap. An embedded warehouse has other
# readers for the worker.
LIMITS: Final = QueueLimits(places=4, for_cheap=1, of_one=2, waiting_of_one=32, waiting=512)
WAIT_S: Final = 30.0


class FairWarehouse:
    """A LedgerWarehouse whose queries take turns, and are limited. Writes go straight through."""

    def __init__(
        self,
        warehouse: LedgerWarehouse,
        *,
        limits: QueueLimits = LIMITS,
        wait_s: float = WAIT_S,
        seal_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`seal_s`: the monotonic time at which the log was last looked at, for a seal of what is read next."""
        self._warehouse = warehouse
        self._written_s = 0.0
        self._queries = SharedQueries(lambda: max(seal_s(), self._written_s))
        self._turns = FairTurns(
            limits,
            wait_s=wait_s,
            full="too many queries are waiting for the warehouse; try again later",
            late="other queries keep the warehouse busy; try again later",
        )

    @property
    def is_idle(self) -> bool:
        """No query runs or waits."""
        return self._turns.is_idle

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Rows by column alias. What is patient takes its turn too, and has none of the limits of queries.

        Raises: Busy when its turn does not come soon, QueryLimitExceeded, StoreUnavailable.
        """
        limited = statement if statement.is_patient else msgspec.structs.replace(statement, is_limited=True)
        return await self._queries.run(limited, lambda shared: self._query(limited, shared))

    async def _query(self, statement: Statement, shared: SharedQuery) -> list[dict[str, Any]]:
        async with self._turns.turn(statement.organization_id, is_cheap=statement.is_cheap):
            shared.begin()
            return await self._warehouse.query(await cheaper(statement, self._warehouse))

    async def insert(self, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies]) -> None:
        await self._warehouse.insert(records, bodies)
        self._written_s = monotonic()

    async def keep_prices(self, prices: Sequence[Price]) -> None:
        await self._warehouse.keep_prices(prices)
        self._written_s = monotonic()

    async def keep_corrections(self, corrections: Sequence[Correction]) -> None:
        await self._warehouse.keep_corrections(corrections)
        self._written_s = monotonic()

    async def keep_amendments(self, amendments: Sequence[StoredAmendment]) -> None:
        await self._warehouse.keep_amendments(amendments)
        self._written_s = monotonic()

    async def keep_values(self, entries: Sequence[ValueEntry]) -> None:
        await self._warehouse.keep_values(entries)
        self._written_s = monotonic()

    async def execute(self, statement: Statement) -> None:
        await self._warehouse.execute(statement)
        self._written_s = monotonic()

    async def close(self) -> None:
        await self._warehouse.close()
