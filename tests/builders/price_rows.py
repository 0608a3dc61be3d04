"""The operator's prices in memory, and what a worker makes of them."""

from collections.abc import Sequence
from datetime import datetime

from schemas.errors import StoreUnavailable
from schemas.price import OperatorPrice, PriceBook, PriceTerms
from services.stores.shipped_prices.book import ShippedPrices
from services.worker.prices import PriceCache


class Rows:
    """PriceRows that can be away."""

    def __init__(self, *rows: OperatorPrice, unreachable: bool = False) -> None:
        self.rows = list(rows)
        self.unreachable = unreachable
        self.requested = 0

    async def all_prices(self) -> Sequence[OperatorPrice]:
        self.requested += 1
        if self.unreachable:
            raise StoreUnavailable("prices: away")
        return list(self.rows)

    async def list_prices(self, organization_id: str) -> Sequence[OperatorPrice]:
        raise NotImplementedError(organization_id)

    async def add_price(self, organization_id: str, terms: PriceTerms) -> OperatorPrice:
        raise NotImplementedError(organization_id, terms)

    async def end_price(self, organization_id: str, price_id: str, at: datetime) -> bool:
        raise NotImplementedError(organization_id, price_id, at)


class OtherReleases:
    """PricingReleaseRegistry that charged, or still do, until the timestamp that is reported."""

    def __init__(self, charge_until: datetime | None = None) -> None:
        self.charge_until = charge_until

    async def other_release_active_until(self) -> datetime | None:
        return self.charge_until


def known(*rows: OperatorPrice, shipped: PriceBook | None = None, others_until: datetime | None = None) -> PriceCache:
    """The shipped prices under `rows`. Other releases charged until `others_until`."""
    return PriceCache(shipped or ShippedPrices(), Rows(*rows), OtherReleases(others_until))
