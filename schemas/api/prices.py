"""Bodies and responses of the HTTP API about prices, and about how one cost came about."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

from pydantic import ConfigDict, Field

from schemas.api.requests import UTC_NAME, Body, MaybeUsd, OthersCreatedAt, Timestamp, TimeZone, Usd, View
from schemas.price import CostState
from schemas.usage import UsageSource

_PER_MILLION = "US dollars per million tokens, by usage class"
_PER_HOUR = "US dollars for an hour, of audio that is counted by its length"
_PER_UNIT = "US dollars for each, by usage class, of what is sold one by one"
_EXAMPLE = {"prompt_tokens": 0.6, "prompt_cache_read_tokens": 0.06, "completion_tokens": 1.8}

Amounts = dict[str, Decimal]

BILLED_DAYS: Final = 7  # of requests, whose billed models are reported to the client that adds a price


class _Terms(Body):
    model_config = ConfigDict(alias_generator=None)


class TierRequest(_Terms):
    above_tokens: int = Field(strict=True, description="For requests whose prompt, cached or not, has more tokens")
    usd_per_million_tokens: Amounts


class PriceRequest(_Terms):
    model: str = Field(
        description="As billed, ignoring case; each * stands for any text: gpt-4o-20* is every dated gpt-4o, no mini",
        examples=["llama-3*"],
    )
    provider: str = Field("", description="By any of its names, in any spelling; by default any", examples=["CUSTOM"])
    service_tier: str = Field("", description="By default the standard one", examples=["flex"])
    usd_per_million_tokens: Amounts = Field(default_factory=dict, description=_PER_MILLION, examples=[_EXAMPLE])
    usd_per_hour: Amounts = Field(default_factory=dict, description=_PER_HOUR, examples=[{"prompt_audio_ms": 0.111}])
    usd_per_unit: Amounts = Field(default_factory=dict, description=_PER_UNIT, examples=[{"web_searches": 0.01}])
    usd_per_request: Decimal = Field(Decimal(0), description="US dollars for each request, beside what it uses")
    tiers: list[TierRequest] = Field(default_factory=list, description="Other prices for larger prompts")
    valid_from: str | None = Field(None, description="ISO 8601; for requests from this timestamp on. By default now")
    valid_until: str | None = Field(
        None, description="ISO 8601; for requests before this timestamp. By default for ever"
    )
    time_zone: TimeZone = UTC_NAME


class EndPriceRequest(_Terms):
    at: str | None = Field(None, description="ISO 8601; the price holds for requests before it. By default now")
    time_zone: TimeZone = UTC_NAME


class TierView(View):
    above_tokens: int
    usd_per_million_tokens: dict[str, Usd]
    usd_per_unit: dict[str, Usd]


class PriceView(View):
    """A price as a receipt or a list shows it."""

    id: str = Field(description="As requests show it in price_id")
    source: str
    page_url: str = Field(description="Where the seller publishes its prices; empty for prices of your own")
    checked_on: date | None = Field(
        description="When the source compared the price with the seller's page last; null where it does not say"
    )
    provider: str = Field(description="Empty: any")
    model: str
    service_tier: str
    valid_from: Timestamp | None = Field(description="Null: always")
    usd_per_million_tokens: dict[str, Usd]
    usd_per_unit: dict[str, Usd]
    usd_per_hour: dict[str, Usd] = Field(description="Of audio that is counted by its length")
    billed_at_least: dict[str, int] = Field(description="Of a class that was used, in units")
    usd_per_request: Usd
    tiers: list[TierView]
    max_prompt_tokens: int | None = Field(
        description="Longer prompts cost more, at a rate that is unknown, and so is their cost. Null: no limit"
    )


class OperatorPriceView(PriceView):
    """A price row that somebody added."""

    row_id: str = Field(description="To end it by")
    valid_until: Timestamp | None
    effective_for_events_since: Timestamp = Field(description="It counts for requests recorded since then")
    ended_at: Timestamp | None = Field(description="When somebody ended it last, by hand")


class AddedPriceView(OperatorPriceView):
    other_billed_models: list[str] = Field(
        description=f"Models by which requests of the last {BILLED_DAYS} days were billed that had asked for what this "
        "price names: it is not for them, since prices go by the billed name"
    )


class PricesView(View):
    rows: list[OperatorPriceView] = Field(description="The organization's own prices, as they were added")
    shipped: PriceView | None = Field(description="What Farebox knows by itself of `provider` and `model`")
    in_force: PriceView | None = Field(description="What a request of `provider` and `model` is charged by")


class UsedPrice(View):
    """A model of recent requests."""

    provider: str
    model: str = Field(description="As billed; empty where nothing names it")
    requests: int
    cost_usd: MaybeUsd = Field(description="Of the requests whose cost is known; null when no request has one")
    unpriced_requests: int
    last_request_at: Timestamp
    price: PriceView | None = Field(
        description="What a request of the standard tier is charged by now; null without a price"
    )


class UsedPrices(View):
    """What the requests of a period were of, the most requests first."""

    start: Timestamp
    end: Timestamp
    requests: int
    cost_usd: MaybeUsd = Field(description="Of the requests whose cost is known; null when no request has one")
    models: list[UsedPrice]
    truncated: bool = Field(description="There are more models than are shown")


class LineView(View):
    model: str = Field(description="That used it")
    usage_class: str = Field(description="Or `request`, the fee of each; `rounding`, to twelve decimals; or `bill`")
    quantity: int
    unit_usd: MaybeUsd = Field(description="For `per` units")
    per: int = Field(description="1; or 3600000, the milliseconds of the hour by which audio is sold")
    usd_per_million: MaybeUsd = Field(description="Of tokens")
    amount_usd: MaybeUsd = Field(description="Quantity times unit price, exactly; to 1e-24 where it never ends")


class ContextTierView(View):
    prompt_tokens: int = Field(description="Size of the prompt, cached or not")
    above_tokens: int | None = Field(description="The threshold that it exceeds; null for the first tier")
    why: str


class OtherModelView(View):
    """A model that used something for the billed one: an advisor, or one that draws. Its lines are in `lines`."""

    model: str = Field(description="Empty where neither request nor response names it: its cost is unknown then")
    service_tier: str
    cost_usd: MaybeUsd = Field(description="Its part of the cost, as stored; null when unknown")
    why: str | None = Field(description="Why that is unknown, or nothing")
    context_tier: ContextTierView | None
    price: PriceView | None


class CalculationView(View):
    """What our prices make of a request that costs what its provider billed."""

    cost_usd: MaybeUsd = Field(description="As stored; null when unknown")
    why: str | None = Field(description="Why it is unknown, or nothing")
    context_tier: ContextTierView | None
    price: PriceView | None
    lines: list[LineView]
    other_models: list[OtherModelView] = Field(description="That used something for the billed one")
    total_usd: MaybeUsd = Field(description="Sum of the lines")
    reconciles: bool = Field(description="False: the sum done again is not what is stored. Please report this")


class ReceiptView(View):
    """How the cost of one request came about. The lines add up to `total_usd`, and that is the stored cost.

    Where the response carried the provider's own bill, that is the one line, and `calculated` has our sum beside it.
    """

    request_id: str
    model: str
    provider: str
    request_created_at: Timestamp
    also_created_at: OthersCreatedAt
    cost_usd: MaybeUsd = Field(description="As stored; null when unknown")
    cost_state: CostState
    why: str | None = Field(description="Why the cost is unknown, or nothing")
    usage_source: UsageSource
    usage_mismatch: bool = Field(description="The provider's figures do not add up to its own totals")
    service_tier: str = Field(description="That the provider says it billed; empty for the standard one")
    context_tier: ContextTierView | None = Field(description="Which prices applied by the size of the prompt, and why")
    price: PriceView | None = Field(description="Of the billed model")
    lines: list[LineView] = Field(description="Of all models")
    other_models: list[OtherModelView] = Field(description="That used something for the billed one")
    rounding_usd: Usd = Field(description="The amount of the lines `rounding`, which are among the lines")
    total_usd: MaybeUsd = Field(description="Sum of the lines")
    reconciles: bool = Field(description="False: the sum done again is not the stored cost. Please report this")
    provider_usage: Any = Field(description="The provider's own figures, digit for digit")
    provider_cost_usd: MaybeUsd = Field(
        description="As reported by the provider, or by the client that logged the call"
    )
    cost_disputed: bool = Field(description="The reported cost contradicts what we calculate")
    calculated: CalculationView | None = Field(description="Null where the cost is no provider's bill")
    original_cost_usd: MaybeUsd = Field(
        description="With a reprice_id: the cost before any re-pricing; null when unknown"
    )
    reprice_id: str | None = Field(description="The re-pricing that changed the cost last")
    cache_reference_id: str | None = Field(description="For a cached response, the request that paid for it")
    cache_saved_usd: MaybeUsd = Field(description="For a cached response, what it would have cost")
