"""Which budgets there are, some seconds old at most. Nothing is read while no request comes."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import inf
from time import monotonic
from typing import Final

from schemas.budget import Budget
from schemas.errors import StoreUnavailable
from services.ports.budgets import BudgetRows
from services.telemetry.metrics import Metrics

FRESH_S: Final = 2.0  # after it the rows are looked at again, and requests do not wait
STALE_S: Final = 5.0  # after it they do
FIRST_WAIT_S: Final = 5.0  # of a proxy that starts
WAIT_S: Final = 0.5  # of a request; after it what is known holds
_OUTAGE_S: Final = 1.0  # for which a store that failed is not asked again


class BudgetDefinitions:
    """One for the process. Belongs to one event loop."""

    def __init__(self, rows: BudgetRows, metrics: Metrics, *, now_s: Callable[[], float] = monotonic) -> None:
        self._rows = rows
        self._metrics = metrics
        self._now_s = now_s
        self._revision: str | None = None  # None until they were read
        self._by_organization: Mapping[str, Sequence[Budget]] = {}
        self._fresh_until_s = 0.0
        self._stale_from_s = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def read_first(self) -> None:
        """Returns when they are known, or their store is unavailable."""
        await asyncio.wait([self._read_again()], timeout=FIRST_WAIT_S)

    def concern(self, organization_id: str) -> bool:
        """Whether its requests may have budgets: it has some, or nobody knows."""
        now_s = self._now_s()
        if now_s >= self._fresh_until_s:
            if now_s >= self._stale_from_s:
                return True
            self._read_again()
        return self._revision is None or organization_id in self._by_organization

    async def budgets_of(self, organization_id: str) -> Sequence[Budget]:
        """While the store is unavailable, those that were known before. Raises: StoreUnavailable when none were."""
        if self._now_s() >= self._stale_from_s:
            reading = self._read_again()
            await asyncio.wait([reading], timeout=WAIT_S)
            if not reading.done():
                self._go_on_without()
        if self._revision is None:
            raise StoreUnavailable("budgets")
        return self._by_organization.get(organization_id, ())

    def _read_again(self) -> "asyncio.Task[None]":
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            revision = await self._rows.revision()
            if revision != self._revision:
                self._by_organization = _by_organization(await self._rows.all_budgets())
                self._revision = revision
            self._fresh_until_s, self._stale_from_s = self._now_s() + FRESH_S, self._now_s() + STALE_S
        except StoreUnavailable:
            self._go_on_without()
        finally:
            self._reading = None

    def _go_on_without(self) -> None:
        """What was known stays known, and nobody waits for the store for a while."""
        self._metrics.add("proxy_budget_errors_total")
        again_s = self._now_s() + _OUTAGE_S
        self._fresh_until_s, self._stale_from_s = again_s, again_s if self._revision is None else inf

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])


def _by_organization(budgets: Sequence[Budget]) -> Mapping[str, Sequence[Budget]]:
    found = defaultdict(list)
    for budget in budgets:
        found[budget.organization_id].append(budget)
    return dict(found)
