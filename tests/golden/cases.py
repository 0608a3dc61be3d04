"""The golden answers of `providers/*.json`, with the usage and the cost that were worked out for them by hand.

`stream` holds the lines of a streamed response, `frames` the payloads of Amazon's binary ones, `answer` the JSON of a
plain one. `expected.usage` is what the response says; `expected.estimated` is what the row has where that is not final,
for a request that says "Say hello.". `receipt` is the arithmetic: class, quantity, US dollars a unit, US dollars.
`prices` stands in for the shipped price book where the case is about others.
"""

import json
from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from schemas.event import ExchangeEvent
from schemas.price import Price, PriceBook, Rate
from schemas.usage import Usage, UsageSource
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders import an_event

FOLDER = Path(__file__).parent / "providers"


class OnePrice:
    """A price book with one price for everything."""

    def __init__(self, rates: dict[str, Rate], source: str = "test") -> None:
        self._price = Price(id="one-price", provider="", model="", valid_from=None, source=source, rates=rates)

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        return msgspec.structs.replace(self._price, provider=provider, model=model, valid_from=timestamp, tier=tier)


class GoldenCase(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    provider: str
    timestamp: datetime
    url: str
    body: bytes
    streamed: bool
    asked_model: str
    model: str
    usage: Usage | None
    estimated: Usage | None
    consistent: bool
    complete: bool
    final: bool
    tier: str
    billed_model: str  # of the row
    billed_tier: str  # of the row
    failed: bool
    state: str
    provider_cost_usd: Decimal | None
    receipt: tuple[tuple[str, int, Decimal, Decimal], ...]
    cost_usd: Decimal | None
    prices: dict[str, Any] | None
    price_source: str | None
    extractor: str | None

    @property
    def source(self) -> UsageSource:
        if self.estimated is not None:
            return UsageSource.ESTIMATED
        return UsageSource.PROVIDER if self.usage is not None else UsageSource.NONE

    def event(self, **response: Any) -> ExchangeEvent:
        """The whole exchange, unless told otherwise."""
        messages = [{"role": "user", "content": "Say hello."}]
        asked = {"model": self.asked_model, "stream": self.streamed, "messages": messages}
        return an_event(
            provider=self.provider,
            created_at=self.timestamp,
            target_url=self.url,
            request_body=json.dumps(asked).encode(),
            **({"response_body": self.body, "content_type": ""} | response),
        )

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
    return GoldenCase(
        name=file.stem,
        provider=given["provider"],
        timestamp=datetime.fromisoformat(given["timestamp"]).astimezone(UTC),
        url=given.get("url", "https://api.openai.com/v1/chat/completions"),
        body=_body(given),
        streamed="answer" not in given,
        asked_model=given.get("asked_model", ""),
        model=expected["model"],
        usage=_usage(expected["usage"]),
        estimated=_usage(expected.get("estimated")),
        consistent=expected.get("consistent", True),
        complete=expected.get("complete", True),
        final=expected.get("final", True),
        tier=expected["tier"],
        billed_model=expected.get("billed_model") or expected["model"] or given.get("asked_model", ""),
        billed_tier=expected.get("billed_tier", expected["tier"]),
        failed=expected["failed"],
        state=expected["state"],
        provider_cost_usd=_money(expected.get("provider_cost_usd")),
        receipt=tuple((name, count, Decimal(unit), Decimal(usd)) for name, count, unit, usd in given["receipt"]),
        cost_usd=_money(given["cost_usd"]),
        prices=given.get("prices"),
        price_source=given.get("price_source"),
        extractor=given.get("genai_prices_extractor"),
    )


def _body(given: dict[str, Any]) -> bytes:
    if "frames" in given:
        return b"".join(_frame(payload, wrapped=given.get("wrapped", False)) for payload in given["frames"])
    if "stream" in given:
        return "\n".join([*given["stream"], ""]).encode()
    return json.dumps(given["answer"]).encode()


def _frame(payload: dict[str, Any], *, wrapped: bool) -> bytes:
    """As Bedrock frames them: lengths, checksums that nobody checks, headers, payload; Anthropic's in base64."""
    headers = b"\x0d:content-type\x07\x00\x10application/json"
    text = json.dumps(payload).encode()
    if wrapped:
        text = json.dumps({"bytes": b64encode(text).decode(), "p": "abcdefghijk"}).encode()
    total = 12 + len(headers) + len(text) + 4
    return total.to_bytes(4, "big") + len(headers).to_bytes(4, "big") + bytes(4) + headers + text + bytes(4)


def _usage(given: dict[str, int] | None) -> Usage | None:
    return None if given is None else Usage(**given)


def _money(given: str | None) -> Decimal | None:
    return None if given is None else Decimal(given)


GOLDEN_CASES = [_read(file) for file in sorted(FOLDER.glob("*.json"))]
