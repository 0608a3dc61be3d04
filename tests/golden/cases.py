"""The golden responses of `providers/*.json`, with the usage and the cost that were worked out for them by hand.

`stream` holds the lines of a streamed response, `frames` the payloads of Amazon's binary ones, `response` the JSON of a
plain one, `content_type` and `media` one that is no text. `expected.usage` is what the response says; `expected.billed`
is what the row has where the request, of which `requested` is a part, states more; `expected.estimated` where the usage
is not final, for a request that says "Say hello.". `receipt` is the arithmetic: class, quantity, US dollars a unit, US
dollars. `other_models` are those that used something for the case's own, with their part of the arithmetic and the
cost. `prices` stands in for the shipped price book where the case is about others.
"""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from schemas.event import ExchangeEvent
from schemas.price import Price, PriceBook, Rate
from schemas.usage import Usage, UsageSource
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event

FOLDER = Path(__file__).parent / "providers"


class OnePrice:
    """A price book with one price for everything."""

    def __init__(self, rates: dict[str, Rate], source: str = "test") -> None:
        self._price = Price(id="one-price", provider="", model="", valid_from=None, source=source, rates=rates)

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        return msgspec.structs.replace(self._price, provider=provider, model=model, valid_from=timestamp, tier=tier)


class OtherModelCase(msgspec.Struct, frozen=True, kw_only=True):
    """A model that used something for the case's own."""

    model: str  # as the response names it
    billed_model: str  # of the row
    usage: Usage
    receipt: tuple[tuple[str, int, Decimal, Decimal], ...]
    cost_usd: Decimal | None


class GoldenCase(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    provider: str
    timestamp: datetime
    url: str
    body: bytes
    streamed: bool
    requested: dict[str, Any]  # of the request, beside its messages
    content_type: str
    model: str
    usage: Usage | None
    billed: Usage | None
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
    bill_usd: Decimal | None  # the row's cost, where the response has it; `receipt` is calculated beside it
    receipt: tuple[tuple[str, int, Decimal, Decimal], ...]
    cost_usd: Decimal | None  # with that of the other models
    other_models: tuple[OtherModelCase, ...]
    prices: dict[str, Any] | None
    price_source: str | None
    extractor: str | None

    @property
    def charged_usd(self) -> Decimal | None:
        """The cost of the row."""
        return self.cost_usd if self.bill_usd is None else self.bill_usd

    @property
    def own_usd(self) -> Decimal | None:
        """The cost without that of the other models."""
        parts = [part.cost_usd for part in self.other_models]
        return self.cost_usd if self.cost_usd is None else self.cost_usd - sum(filter(None, parts))

    @property
    def source(self) -> UsageSource:
        if self.estimated is not None:
            return UsageSource.ESTIMATED
        if self.billed is not None and self.billed.prompt_characters:
            return UsageSource.REQUEST
        return UsageSource.PROVIDER if self.usage is not None else UsageSource.NONE

    def request(self, said: str, **more: Any) -> bytes:
        """The body of a request that says `said`, and has the fields of `more`."""
        messages = [{"role": "user", "content": said}]
        return json.dumps({"stream": self.streamed, "messages": messages, **self.requested, **more}).encode()

    def event(self, **response: Any) -> ExchangeEvent:
        """The whole exchange, unless reported otherwise."""
        return an_event(
            provider=self.provider,
            created_at=self.timestamp,
            target_url=self.url,
            request_body=self.request("Say hello."),
            **({"response_body": self.body, "content_type": self.content_type} | response),
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
    requested_model = given.get("requested_model", "")
    return GoldenCase(
        name=file.stem,
        provider=given["provider"],
        timestamp=datetime.fromisoformat(given["timestamp"]).astimezone(UTC),
        url=given.get("url", "https://api.openai.com/v1/chat/completions"),
        body=_body(given),
        streamed="response" not in given and "media" not in given,
        requested={"model": requested_model} | given.get("requested", {}),
        content_type=given.get("content_type", ""),
        model=expected["model"],
        usage=_usage(expected["usage"]),
        billed=_usage(expected.get("billed")),
        estimated=_usage(expected.get("estimated")),
        consistent=expected.get("consistent", True),
        complete=expected.get("complete", True),
        final=expected.get("final", True),
        tier=expected["tier"],
        billed_model=expected.get("billed_model") or expected["model"] or requested_model,
        billed_tier=expected.get("billed_tier", expected["tier"]),
        failed=expected["failed"],
        state=expected["state"],
        provider_cost_usd=_money(expected.get("provider_cost_usd")),
        bill_usd=_money(expected.get("bill")),
        receipt=_receipt(given["receipt"]),
        cost_usd=_money(given["cost_usd"]),
        other_models=tuple(
            OtherModelCase(
                model=one["model"],
                billed_model=one.get("billed_model") or one["model"],
                usage=Usage(**one["usage"]),
                receipt=_receipt(one["receipt"]),
                cost_usd=_money(one["cost_usd"]),
            )
            for one in given.get("other_models", ())
        ),
        prices=given.get("prices"),
        price_source=given.get("price_source"),
        extractor=given.get("genai_prices_extractor"),
    )


def _body(given: dict[str, Any]) -> bytes:
    if "frames" in given:
        return b"".join(_frame(payload, wrapped=given.get("wrapped", False)) for payload in given["frames"])
    if "media" in given:
        return b64decode(given["media"])
    if "stream" in given:
        return "\n".join([*given["stream"], ""]).encode()
    return json.dumps(given["response"]).encode()


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


def _receipt(given: list[Any]) -> tuple[tuple[str, int, Decimal, Decimal], ...]:
    return tuple((name, count, Decimal(unit), Decimal(usd)) for name, count, unit, usd in given)


def _money(given: str | None) -> Decimal | None:
    return None if given is None else Decimal(given)


GOLDEN_CASES = [_read(file) for file in sorted(FOLDER.glob("*.json"))]
