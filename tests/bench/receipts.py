"""Receipts of random usages against their charges: `python -m tests.bench.receipts [COUNT]`, a million by default.

Prices are those of every model that ships, and made-up ones with more digits and more tiers than anybody requests.
Ends with the first receipt whose lines do not add up to the cost.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal, Inexact
from random import Random
from typing import Final

from genai_prices.data_snapshot import get_snapshot

from schemas.event import Outcome
from schemas.price import CostState, Price, Rate
from schemas.receipt import Charged, Receipt
from schemas.usage import USAGE_CLASSES, Usage, UsageSource
from services.domain.pricing.charge import charge
from services.domain.pricing.receipt import receipt_of
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.shipped_prices.names import NAMES
from tests.builders.records import TIMESTAMP

MILLION: Final = 10**6
EXACT: Final = Context(prec=200, traps=[Inexact])
UNIT: Final = Decimal("1e-12")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else MILLION
    started = time.perf_counter()
    priced = redo(count, seed=1)
    seconds = time.perf_counter() - started
    print(f"{count:,} usages, {priced:,} of them with a known cost: each receipt adds up; {seconds:.1f} s")


def redo(count: int, *, seed: int) -> int:
    """How many of `count` random usages had a known cost. Raises: AssertionError when a receipt does not add up."""
    draw = Random(seed)
    prices = [*_shipped(), *(_made_up(draw, number) for number in range(500))]
    priced = 0
    for _ in range(count):
        price = draw.choice(prices)
        charged = _charged(_usage(draw, price), price)
        receipt = receipt_of(charged, price)
        _check(charged, receipt)
        priced += charged.cost_usd is not None
    return priced


def _check(charged: Charged, receipt: Receipt) -> None:
    assert receipt.reconciles, charged
    assert receipt.total_usd == charged.cost_usd, charged
    if charged.cost_usd is None:
        assert all(line.amount_usd is None for line in receipt.lines), charged
        return
    total = Decimal(0)
    for line in receipt.lines:
        assert line.unit_usd is not None
        assert line.amount_usd is not None
        assert line.per > 1 or EXACT.multiply(line.unit_usd, line.quantity) == line.amount_usd, charged
        total = EXACT.add(total, line.amount_usd)
    assert total == charged.cost_usd, charged
    assert total == EXACT.quantize(total, UNIT), charged
    assert (charged.cost_state is CostState.FREE) is (not total), charged


def _charged(usage: Usage, price: Price) -> Charged:
    cost = charge(usage, price)
    return Charged(
        provider=price.provider,
        model=price.model,
        request_created_at=TIMESTAMP,
        service_tier=price.tier,
        status=200,
        outcome=Outcome.COMPLETED,
        usage=usage,
        usage_source=UsageSource.PROVIDER,
        usage_mismatch=False,
        usage_incomplete=False,
        cost_usd=cost.cost_usd,
        cost_state=cost.state,
        price_id=cost.price_id,
    )


def _usage(draw: Random, price: Price) -> Usage:
    """Some of the classes that have a rate, from one token to above every tier; now and then another class too."""
    most = draw.choice((2, 3000, 150_000, 500_000, 2**31))
    names: Sequence[str] = list(price.rates) if draw.random() < 0.95 else USAGE_CLASSES
    return Usage(**{name: int(draw.random() * most) for name in names if draw.random() < 0.6})


def _shipped() -> Iterator[Price]:
    book = ShippedPrices()
    for provider in get_snapshot().providers:
        for model in provider.models:
            price = book.price_at(NAMES[provider.id], model.id, TIMESTAMP)
            if price is not None:
                yield price


def _made_up(draw: Random, number: int) -> Price:
    def usd() -> Decimal:
        return Decimal(draw.randrange(10**12)).scaleb(-18 + draw.randrange(7))

    def rate() -> Rate:
        return Rate(usd=usd(), tiers=tuple((at, usd()) for at in (128_000, 400_000)[: draw.randrange(3)]))

    return Price(
        id=f"made-up/{number}",
        provider="CUSTOM",
        model=f"m-{number}",
        valid_from=None,
        source="drawn",
        rates={name: rate() for name in USAGE_CLASSES},
        usd_per_request=usd() if draw.random() < 0.3 else Decimal(0),
    )


if __name__ == "__main__":
    main()
