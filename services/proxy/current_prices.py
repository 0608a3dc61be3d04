"""CurrentPrices for a process that charges nothing: loaded when first needed, since most proxies never do."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from schemas.errors import StoreUnavailable
from schemas.price import OperatorPrice, PriceBook, PriceBooks
from services.domain.pricing.price_book import PriceBookHistory
from services.ports.prices import PriceRows

_FRESH_S: Final = 10.0
_READ_S: Final = 5.0  # for the operator's prices; after it those that are known hold


class LazyPrices:
    """One for the process. Belongs to one event loop."""

    def __init__(self, load_shipped: Callable[[], PriceBook], rows: PriceRows | None) -> None:
        """`load_shipped` may take a second. Without `rows` the operator has no prices of their own."""
        self._load_shipped = load_shipped
        self._store = rows
        self._shipped: PriceBook | None = None
        self._rows: Sequence[OperatorPrice] = ()
        self._books: PriceBooks | None = None
        self._fresh_until_s = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def books(self) -> PriceBooks:
        """Those that are known, which are read again beside the request once they are ten seconds old.

        Only who comes before any are known waits. Raises: StoreUnavailable when there are none then.
        """
        if self._books is None:
            await asyncio.wait([self._read_again()])
        elif monotonic() >= self._fresh_until_s:
            self._read_again()
        if self._books is None:
            raise StoreUnavailable("prices")
        return self._books

    def _read_again(self) -> "asyncio.Task[None]":
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            if self._shipped is None:
                self._shipped = await asyncio.to_thread(self._load_shipped)
            async with asyncio.timeout(_READ_S):
                rows = () if self._store is None else await self._store.all_prices()
            if self._books is None or rows != self._rows:
                self._rows, self._books = rows, PriceBookHistory(self._shipped, rows)
        except (StoreUnavailable, TimeoutError):
            pass
        finally:
            self._fresh_until_s = monotonic() + _FRESH_S
            self._reading = None

    async def close(self) -> None:
        """Before the store of the prices."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
