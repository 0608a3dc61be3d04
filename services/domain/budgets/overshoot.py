"""By how much a budget can be exceeded, as things stand: the formula of services/proxy/README.md in dollars."""

from decimal import Decimal

import msgspec

from schemas.budget import Budget, BudgetAction, BudgetMode, CounterState, UnknownCost
from services.domain.budgets.amounts import usd_of


class Overshoot(msgspec.Struct, frozen=True, kw_only=True):
    """However many proxies there are, as they share each counter."""

    bound_usd: Decimal | None  # None where the budget refuses nothing
    killed_proxies_usd: Decimal
    lost_counters_usd: Decimal
    unknown_cost_passes: bool  # beside the bound


def overshoot_of(budget: Budget, state: CounterState) -> Overshoot:
    """`state` is of one of its counters, with what the ledger does not have yet."""
    killed, lost = usd_of(state.reserved_nano), usd_of(state.recent_nano)
    is_enforced = budget.mode is BudgetMode.ENFORCED and budget.action is not BudgetAction.NOTIFY
    return Overshoot(
        bound_usd=killed + lost if is_enforced else None,
        killed_proxies_usd=killed,
        lost_counters_usd=lost,
        unknown_cost_passes=budget.unknown_cost is UnknownCost.PASS,
    )
