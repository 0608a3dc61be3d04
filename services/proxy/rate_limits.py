"""What limits requests: buckets by their headers, budgets by the operator, and the part that settles both."""

import msgspec

from services.ports.limits import LimitStore
from services.ports.prices import PriceRows
from services.proxy.budgets.budgeted_call import BudgetUse
from services.proxy.budgets.use import BudgetStores
from services.proxy.current_prices import LazyPrices
from services.proxy.exchange.spend import SpendReader
from services.proxy.upstream.limit_access import LimitAccess


class LimitStores(msgspec.Struct, frozen=True, kw_only=True):
    """What rate limits and budgets use outside the process."""

    levels: LimitStore
    prices: PriceRows | None = None  # the operator's own
    budgets: BudgetStores | None = None


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """One for the process. Closed before its stores."""

    access: LimitAccess
    spend: SpendReader
    prices: LazyPrices
    budgets: BudgetUse | None = None

    async def open(self) -> None:
        """Before the first request."""
        if self.budgets is not None:
            await self.budgets.open()

    async def close(self) -> None:
        """Returns when what exchanges have spent is counted, or after some seconds."""
        await self.spend.close()
        await self.access.close()
        if self.budgets is not None:
            await self.budgets.close()
        await self.prices.close()
