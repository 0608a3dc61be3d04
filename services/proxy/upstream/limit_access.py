"""Access to the levels of rate limits that never fails and never takes long.

What a server that is unavailable costs a request is one time limit, and then nothing for a second; where requests wait
for their turns at a slow one, five at most. Such requests pass or are refused as the operator decided, and a metric
counts them.
"""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Final

from schemas.limit import LimitUnit, RateLimit, Spent, Taken
from services.ports.limits import LimitStore
from services.proxy.upstream.background_tasks import BackgroundTasks
from services.proxy.upstream.bounded_access import BoundedAccess
from services.telemetry.metrics import Metrics

_CLOSE_S: Final = 2.0  # for what is still to be taken out of buckets


class LimitAccess:
    """One for the process. Belongs to one event loop."""

    def __init__(self, store: LimitStore, *, timeout_s: float, closed: bool, metrics: Metrics) -> None:
        """`closed`: a request whose limit cannot be applied is refused."""
        self.closed = closed
        self.metrics = metrics
        self._store = store
        self._bounded = BoundedAccess(timeout_s=timeout_s, failed=lambda: metrics.add("proxy_limit_errors_total"))
        self._tasks = BackgroundTasks("a rate limit")

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Runs `work` beside what its request waits for."""
        return self._tasks.start(work)

    async def take(self, limit: RateLimit) -> Taken | None:
        """None while the store is unavailable."""
        return await self._bounded.result_of(lambda: self._store.take(limit))

    def settle(self, limit: RateLimit, spent: Spent) -> asyncio.Task[None] | None:
        """Takes what a request has spent out of its bucket. What is unknown is not nothing: a metric counts it.

        The task ends when that is done; None where there is nothing to take.
        """
        amount = _amount(limit.policy.unit, spent)
        if amount is None:
            self.metrics.add("proxy_limit_unsettled_total")
        return self.start(self._spend(limit, float(amount))) if amount else None

    async def _spend(self, limit: RateLimit, amount: float) -> None:
        async def spend() -> bool:
            await self._store.spend(limit, amount)
            return True

        if await self._bounded.result_of(spend) is None:
            self.metrics.add("proxy_limit_unsettled_total")

    async def close(self) -> None:
        await self._tasks.close(_CLOSE_S)


def _amount(unit: LimitUnit, spent: Spent) -> Decimal | int | None:
    if unit is LimitUnit.TOKENS:
        return spent.tokens
    return None if spent.cost_usd is None else 100 * spent.cost_usd
