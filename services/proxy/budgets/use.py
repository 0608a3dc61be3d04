"""Wires budgets of one proxy: their stores, prices and bounds -> what its exchanges use."""

from collections.abc import Callable
from typing import Final

import msgspec

from services.ports.budgets import BudgetCounters, BudgetRows
from services.ports.clock import Clock
from services.ports.limits import CurrentPrices
from services.proxy.budgets.access import BudgetAccess
from services.proxy.budgets.budgeted_call import BudgetUse
from services.proxy.budgets.check import BudgetCheck
from services.proxy.budgets.definitions import BudgetDefinitions
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.upstream.shared_memory import SharedMemory
from services.telemetry.metrics import Metrics

MEMORY_BYTES: Final = 64 * 2**20  # of all bodies that wait for their budgets


class BudgetStores(msgspec.Struct, frozen=True, kw_only=True):
    """What budgets use outside the process."""

    rows: BudgetRows
    counters: BudgetCounters


def budget_use(
    stores: BudgetStores | None,
    prices: CurrentPrices,
    *,
    timeout_s: float,
    closed: bool,
    metrics: Metrics,
    clock: Clock,
    paced: PacedWork,
    draw_id: Callable[[], str],
) -> BudgetUse | None:
    """None without `stores`. `closed`: what cannot be checked is refused."""
    if stores is None:
        return None
    access = BudgetAccess(stores.counters, timeout_s=timeout_s, closed=closed, metrics=metrics, clock=clock)
    return BudgetUse(
        definitions=BudgetDefinitions(stores.rows, metrics),
        check=BudgetCheck(access, prices, draw_id),
        access=access,
        paced=paced,
        memory=SharedMemory(MEMORY_BYTES),
    )
