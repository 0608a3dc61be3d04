"""The prices that a proxy reserves and settles by: those that it knew while their store is away."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from schemas.errors import StoreUnavailable
from schemas.price import OperatorPrice
from services.ports.prices import PriceRows
from services.proxy import current_prices
from services.proxy.current_prices import LazyPrices
from services.stores.shipped_prices.book import ShippedPrices

pytestmark = pytest.mark.anyio


class OwnPrices:
    """None, and a store that can be away, or hang."""

    unreachable = False
    hangs = False

    async def all_prices(self) -> Sequence[OperatorPrice]:
        if self.unreachable:
            raise StoreUnavailable("prices")
        if self.hangs:
            await asyncio.sleep(60)
        return []


async def test_prices_that_were_known_hold_while_their_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_prices, "_FRESH_S", 0)
    rows = OwnPrices()
    prices = LazyPrices(ShippedPrices, cast(PriceRows, rows))
    rows.unreachable = True
    with pytest.raises(StoreUnavailable):
        await prices.books()
    rows.unreachable = False
    known = await prices.books()
    rows.unreachable = True
    assert await prices.books() is known


async def test_nobody_waits_for_a_store_that_hangs_once_prices_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_prices, "_FRESH_S", 0)
    rows = OwnPrices()
    prices = LazyPrices(ShippedPrices, cast(PriceRows, rows))
    known = await prices.books()
    rows.hangs = True
    async with asyncio.timeout(5):
        assert [await prices.books() for _ in range(3)] == [known] * 3
    await prices.close()
