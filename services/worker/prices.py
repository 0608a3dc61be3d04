"""What the worker charges by: the shipped prices, and the operator's own, read again for each batch."""

import logging
from collections.abc import Sequence
from datetime import datetime

from schemas.price import OperatorPrice, PriceBook, PriceBooks
from services.domain.pricing.price_book import PriceBookHistory
from services.ports.prices import PriceRows, PricingReleaseRegistry

logger = logging.getLogger("farebox.worker")


class PriceCache:
    """Price books in memory, rebuilt when the rows have changed: they cache their lookups."""

    def __init__(self, shipped: PriceBook, rows: PriceRows, releases: PricingReleaseRegistry) -> None:
        self._shipped = shipped
        self._store = rows
        self._releases = releases
        self._rows: Sequence[OperatorPrice] = ()
        self._books = PriceBookHistory(shipped)

    async def books(self) -> PriceBooks:
        """With all rows that count for events recorded before this was called.

        Raises: StoreUnavailable; events then have to wait, since the rows in memory may be out of date.
        """
        rows = await self._store.all_prices()
        if rows != self._rows:
            self._rows, self._books = rows, PriceBookHistory(self._shipped, rows)
            logger.info("operator prices changed", extra={"count": len(rows)})
        return self._books

    async def charged_by_others_until(self) -> datetime | None:
        """What was recorded later no other release has charged; None when there is none.

        To be called once the events are there that will be charged. Raises: StoreUnavailable.
        """
        return await self._releases.other_release_active_until()
