"""Access to the counters of budgets that never fails and never takes long, and the leases of what is reserved.

What a store that is unavailable costs a request is one time limit, and then nothing for a second; where requests wait
for their turns at a slow one, five at most.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import Final

from schemas.budget import SLICE_S, Claim, Counter, CounterState, Reservation, Reserved
from schemas.limit import Spent
from services.domain.budgets.amounts import spent_nano
from services.ports.budgets import BudgetCounters
from services.ports.clock import Clock
from services.proxy.upstream.background_tasks import BackgroundTasks
from services.proxy.upstream.bounded_access import BoundedAccess
from services.telemetry.metrics import Metrics

LEASE_S: Final = 60  # after which what a killed proxy has reserved is free again
_RENEW_S: Final = LEASE_S / 4
_CLOSE_S: Final = 2.0  # for what is still to be settled


class BudgetAccess:
    """One for the process. Belongs to one event loop."""

    def __init__(
        self, counters: BudgetCounters, *, timeout_s: float, closed: bool, metrics: Metrics, clock: Clock
    ) -> None:
        """`closed`: a request whose budgets cannot be checked is refused."""
        self.closed = closed
        self.metrics = metrics
        self._counters = counters
        self._bounded = BoundedAccess(timeout_s=timeout_s, failed=lambda: metrics.add("proxy_budget_errors_total"))
        self._clock = clock
        self._tasks = BackgroundTasks("a budget")
        self._held: dict[str, tuple[Reservation, float]] = {}  # by id, and when its lease is renewed next
        self._renewing: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Runs `work` beside what its request waits for."""
        return self._tasks.start(work)

    async def reserve(self, reservation: Reservation, claims: Sequence[Claim]) -> Reserved | None:
        """None while the store is unavailable."""
        outcome = await self._bounded.result_of(lambda: self._counters.reserve(reservation, claims))
        if outcome is not None and outcome.granted:
            self._held[reservation.id] = reservation, monotonic() + _RENEW_S
            if self._renewing is None:
                self._renewing = asyncio.get_running_loop().create_task(self._renew())
        return outcome

    async def read(self, counters: Sequence[Counter]) -> Sequence[CounterState] | None:
        """None while the store is unavailable."""
        return await self._bounded.result_of(lambda: self._counters.read(counters))

    def settle(self, reservations: Sequence[Reservation], spent: Spent) -> asyncio.Task[None]:
        """Counts once what a request has spent that had one of `reservations` for each attempt; the task ends then.

        What is unknown counts as what was held for it, here and in the ledger.
        """
        *earlier, last = reservations
        amount = spent.held_nano + (0 if spent.cost_usd is None else spent_nano(spent.cost_usd))
        if spent.cost_usd is None:
            self.metrics.add("proxy_budget_unsettled_total")
        for one in earlier:
            self._end(one, 0)
        return self._end(last, amount)

    def release(self, reservation: Reservation) -> None:
        """Of a request that is not sent."""
        self._end(reservation, 0)

    def _end(self, reservation: Reservation, amount_nano: int) -> asyncio.Task[None]:
        self._held.pop(reservation.id, None)
        recorded_s = int(self._clock.now().timestamp()) // SLICE_S * SLICE_S
        return self.start(self._settle(reservation, amount_nano, recorded_s))

    async def _settle(self, reservation: Reservation, amount_nano: int, recorded_s: int) -> None:
        async def settle() -> bool:
            await self._counters.settle(reservation, amount_nano, recorded_s)
            return True

        await self._bounded.result_of(settle)  # what fails here the ledger brings, and the lease ends

    async def _renew(self) -> None:
        """While anything is reserved."""
        while self._held:
            await asyncio.sleep(_RENEW_S / 2)
            now_s = monotonic()
            due = [one for one, renew_s in self._held.values() if renew_s <= now_s]
            for one in due:
                self._held[one.id] = one, now_s + _RENEW_S
            if due:
                await self._bounded.result_of(lambda due=due: self._counters.renew(due))  # type: ignore[misc]
        self._renewing = None

    async def close(self) -> None:
        await self._tasks.close(_CLOSE_S)
        if self._renewing is not None:
            self._renewing.cancel()
