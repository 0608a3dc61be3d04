"""The prices that the worker charges by: the shipped ones, and the operator's own, read again for each batch."""

import logging
from collections.abc import Sequence

from schemas.price import OperatorPrice, PriceBook, PriceBooks
from services.domain.price_book import LayeredBooks
from services.ports import PriceRows

logger = logging.getLogger("farebox.worker")


class KnownPrices:
    """Books in memory, made anew when the rows have changed: they remember what they were asked."""

    def __init__(self, shipped: PriceBook, rows: PriceRows) -> None:
        self._shipped = shipped
        self._store = rows
        self._rows: Sequence[OperatorPrice] = ()
        self._books = LayeredBooks(shipped)

    async def books(self) -> PriceBooks:
        """With all rows that count for events recorded before this was asked.

        Raises: StoreUnavailable; events then have to wait, since older rows might charge them otherwise than these.
        """
        rows = await self._store.all_prices()
        if rows != self._rows:
            self._rows, self._books = rows, LayeredBooks(self._shipped, rows)
            logger.info("operator prices changed", extra={"count": len(rows)})
        return self._books
