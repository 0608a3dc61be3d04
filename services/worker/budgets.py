"""Rebuilds the counters of budgets from the ledger, again and again: after a crash, a replay, a re-pricing or a reset
they hold what the rows say, and what was settled since the rows were complete.

Of several workers the one that holds the lease does it. Nothing depends on that: what is rebuilt twice is the same.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import msgspec

from schemas.budget import SLICE_S, Budget, LedgerSums
from schemas.errors import Unavailable
from services.domain.budgets.amounts import spent_nano
from services.domain.budgets.notices import threshold_notices
from services.domain.budgets.slots import ledger_span_of
from services.domain.seal import seal_of
from services.ports.budgets import BudgetCounters, BudgetRows
from services.ports.clock import Clock
from services.ports.log import LogPositions, ProgressStore
from services.ports.state import Leases
from services.ports.warehouse import QueryableWarehouse
from services.retry import Backoff, RetryPolicy
from services.sql.budgets import compile_spent

EVERY_S: Final = 2.0
LEASE: Final = "budgets"
LEASE_S: Final = 30.0
REPORTED_VALUES: Final = 20  # of a budget at once: who spends little reaches no threshold first
_SHARE: Final = 0.1  # of the time at most: what takes a second is done every ten

_RETRY: Final = RetryPolicy(first_delay_s=EVERY_S, last_delay_s=30.0)

logger = logging.getLogger("farebox.worker")


class BudgetLedger(msgspec.Struct, frozen=True, kw_only=True):
    """What counters are rebuilt from, and where they are."""

    rows: BudgetRows
    counters: BudgetCounters
    warehouse: QueryableWarehouse
    positions: LogPositions
    progress: ProgressStore

    async def rebuild_all(self, now: datetime) -> int:
        """How many budgets were rebuilt: none while nobody knows until when the rows are complete.

        What fails alone keeps no other budget from being rebuilt. Raises: BrokerUnavailable; StoreUnavailable, where it
        is of one budget after the last one.
        """
        budgets = await self.rows.all_budgets()
        if not budgets:
            return 0
        progress = await self.progress.read()
        complete_until = seal_of(now, await self.positions.snapshot(), progress).complete_until
        if complete_until is None:
            return 0
        rebuilt, failures = 0, []
        for budget in budgets:
            try:
                await self._rebuild(budget, now, complete_until)
                rebuilt += 1
            except Unavailable as error:
                failures.append(error)
            except Exception:  # a bug of ours that this budget reveals, of which others know nothing
                logger.exception("a budget cannot be rebuilt from the ledger", extra={"budget": budget.id})
        if failures:
            raise failures[0]
        return rebuilt

    async def _rebuild(self, budget: Budget, now: datetime, complete_until: datetime) -> None:
        sums = await self._sums(budget, now, complete_until)
        await self.counters.rebuild(sums)
        if budget.thresholds and budget.channel_ids:
            await self._report(budget, sums, now)

    async def _report(self, budget: Budget, sums: LedgerSums, now: datetime) -> None:
        """Thresholds that were reached, by the values that spent most."""
        spent = {value: sum(slots.values()) for value, slots in sums.nano.items()}
        most = sorted(spent, key=lambda value: spent[value], reverse=True)[:REPORTED_VALUES]
        found = (threshold_notices(budget, value, spent[value], now, sums.sealed_s) for value in most)
        await self.rows.report(budget, [notice for notices in found for notice in notices])

    async def _sums(self, budget: Budget, now: datetime, complete_until: datetime) -> LedgerSums:
        span = ledger_span_of(budget, now)
        sealed_s = int(complete_until.timestamp()) // SLICE_S * SLICE_S
        sealed = datetime.fromtimestamp(sealed_s, UTC)
        found = await self.warehouse.query(compile_spent(budget, span.start, span.end, span.slot_s, sealed))
        nano: dict[str, dict[int, int]] = {}
        for row in found:
            if row["usd"]:
                nano.setdefault(str(row["value"]), {})[int(row["slot"])] = spent_nano(row["usd"])
        return LedgerSums(
            organization_id=budget.organization_id,
            budget_id=budget.id,
            sealed_s=sealed_s,
            first_slot=span.first_slot,
            forget_before=span.forget_before,
            kept_s=span.kept_s,
            nano=nano,
        )


class BudgetRebuilder:
    """Of one worker, known as `worker_id`, which no other process is."""

    def __init__(self, worker_id: str, ledger: BudgetLedger, *, leases: Leases, clock: Clock) -> None:
        self._worker_id = worker_id
        self._ledger = ledger
        self._leases = leases
        self._clock = clock

    async def run(self) -> None:
        """Until it is cancelled."""
        backoff = Backoff(_RETRY, logger, "counters of budgets cannot be rebuilt from the ledger")
        while True:
            began_s, delay_s = monotonic(), EVERY_S
            try:
                if await self._has_lease():
                    await self._ledger.rebuild_all(self._clock.now())
            except Unavailable as error:
                delay_s = backoff.failed(error) or EVERY_S
            except Exception:  # a bug of ours, which must not end this: events are counted all the same
                logger.exception("counters of budgets cannot be rebuilt")
            await asyncio.sleep(max(delay_s, (monotonic() - began_s) / _SHARE))

    async def _has_lease(self) -> bool:
        now = self._clock.now()
        return await self._leases.hold(LEASE, self._worker_id, at=now, until=now + timedelta(seconds=LEASE_S))
