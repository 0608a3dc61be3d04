"""The golden answers of `providers/*.json`, with the usage and the cost that were worked out for them by hand.

`stream` holds the lines of a streamed answer, `answer` the JSON of a plain one. `receipt` is the arithmetic: class,
quantity, US dollars a unit, US dollars. `prices` stands in for the shipped price book where the case is about others.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from schemas.price import Price, PriceBook, Rate
from schemas.usage import Usage
from services.stores.prices import ShippedPrices

FOLDER = Path(__file__).parent / "providers"


class OnePrice:
    """A price book with one price for everything."""

    def __init__(self, rates: dict[str, Rate], source: str = "test") -> None:
        self._price = Price(id="one-price", provider="", model="", valid_from=None, source=source, rates=rates)

    def price_at(self, provider: str, model: str, moment: datetime, tier: str = "") -> Price | None:
        return msgspec.structs.replace(self._price, provider=provider, model=model, valid_from=moment, tier=tier)


class GoldenCase(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    provider: str
    moment: datetime
    body: bytes
    streamed: bool
    asked_model: str
    model: str
    usage: Usage | None
    complete: bool
    tier: str
    failed: bool
    state: str
    receipt: tuple[tuple[str, int, Decimal, Decimal], ...]
    cost_usd: Decimal | None
    prices: dict[str, Any] | None
    extractor: str | None

    def price_book(self) -> PriceBook:
        if self.prices is None:
            return ShippedPrices()
        return OnePrice({name: _rate(rate) for name, rate in self.prices.items()})


def _rate(given: dict[str, Any]) -> Rate:
    tiers = tuple((threshold, Decimal(usd)) for threshold, usd in given.get("tiers", ()))
    return Rate(usd=Decimal(given["usd"]), tiers=tiers)


def _read(file: Path) -> GoldenCase:
    given = json.loads(file.read_text())
    expected = given["expected"]
    streamed = "stream" in given
    body = "\n".join([*given["stream"], ""]) if streamed else json.dumps(given["answer"])
    return GoldenCase(
        name=file.stem,
        provider=given["provider"],
        moment=datetime.fromisoformat(given["moment"]).astimezone(UTC),
        body=body.encode(),
        streamed=streamed,
        asked_model=given.get("asked_model", ""),
        model=expected["model"],
        usage=None if expected["usage"] is None else Usage(**expected["usage"]),
        complete=expected["complete"],
        tier=expected["tier"],
        failed=expected["failed"],
        state=expected["state"],
        receipt=tuple((name, count, Decimal(unit), Decimal(usd)) for name, count, unit, usd in given["receipt"]),
        cost_usd=None if given["cost_usd"] is None else Decimal(given["cost_usd"]),
        prices=given.get("prices"),
        extractor=given.get("genai_prices_extractor"),
    )


GOLDEN_CASES = [_read(file) for file in sorted(FOLDER.glob("*.json"))]
