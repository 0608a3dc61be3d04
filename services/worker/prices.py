"""The prices that the worker charges by: the shipped ones, and the operator's own, read again every few seconds."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from schemas.errors import Unavailable
from schemas.price import OperatorPrice, PriceBook
from services.domain.price_book import LayeredBooks
from services.ports import PriceRows

EVERY_S: Final = 2.0

logger = logging.getLogger("farebox.worker")


@asynccontextmanager
async def known_prices(shipped: PriceBook, rows: PriceRows, stop: asyncio.Event) -> AsyncIterator["KnownPrices"]:
    """The prices, known on entry unless `stop` came first, and kept fresh until `stop`, which leaving sets."""
    known = KnownPrices(shipped, rows)
    await known.load(stop)
    following = asyncio.create_task(known.follow(stop))
    try:
        yield known
    finally:
        stop.set()
        await following


class KnownPrices:
    """PriceBooks in memory: asking for a price never waits. What is added counts from the next look at the rows on."""

    def __init__(self, shipped: PriceBook, rows: PriceRows) -> None:
        self._shipped = shipped
        self._store = rows
        self._rows: Sequence[OperatorPrice] = ()
        self._books = LayeredBooks(shipped)
        self._away = False

    def prices_of(self, organization_id: str) -> PriceBook:
        return self._books.prices_of(organization_id)

    async def load(self, stop: asyncio.Event) -> None:
        """Returns when the rows are known, or at `stop`: charging without them would be charging wrongly."""
        while not await self._refreshed() and not await _stopped(stop):
            continue

    async def follow(self, stop: asyncio.Event) -> None:
        """Keeps the rows fresh until `stop`. While their store is away, the last ones known stay in force."""
        try:
            while not await _stopped(stop):
                await self._refreshed()
        finally:
            stop.set()  # after a bug here too: nothing must be charged by prices that are not kept fresh

    async def _refreshed(self) -> bool:
        try:
            rows = await self._store.all_prices()
        except Unavailable as error:
            if not self._away:
                logger.warning(
                    "operator prices not read: those known last stay in force",
                    extra={"reason": str(error)},
                )
            self._away = True
            return False
        if self._away:
            logger.info("operator prices are read again")
        self._away = False
        if rows != self._rows:  # the books remember what they were asked: they are made anew for a reason only
            self._rows, self._books = rows, LayeredBooks(self._shipped, rows)
            logger.info("operator prices changed", extra={"count": len(rows)})
        return True


async def _stopped(stop: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), EVERY_S)
    except TimeoutError:
        return False
    return True
