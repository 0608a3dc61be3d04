"""Bodies and responses of the HTTP API about prices, and about how one cost came about."""

from decimal import Decimal
from typing import Any, Final

from pydantic import ConfigDict, Field

from schemas.api.requests import Body, MaybeUsd, OthersCreatedAt, Timestamp, Usd, View
from schemas.price import CostState
from schemas.usage import UsageSource

_PER_MILLION = "US dollars per million tokens, by usage class"
_PER_UNIT = "US dollars for each, by usage class, of what is not counted in tokens"
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
    provider: str = Field("", description="As requests show it, ignoring case; by default any", examples=["CUSTOM"])
    service_tier: str = Field("", description="By default the standard one", examples=["flex"])
    usd_per_million_tokens: Amounts = Field(default_factory=dict, description=_PER_MILLION, examples=[_EXAMPLE])
    usd_per_unit: Amounts = Field(default_factory=dict, description=_PER_UNIT, examples=[{"web_searches": 0.01}])
    usd_per_request: Decimal = Field(Decimal(0), description="US dollars for each request, beside what it uses")
    tiers: list[TierRequest] = Field(default_factory=list, description="Other prices for larger prompts")
    valid_from: str | None = Field(None, description="ISO 8601; for requests from this timestamp on. By default now")
    valid_until: str | None = Field(
        None, description="ISO 8601; for requests before this timestamp. By default for ever"
    )


class EndPriceRequest(_Terms):
    at: str | None = Field(None, description="ISO 8601; the price holds for requests before it. By default now")


class TierView(View):
    above_tokens: int
    usd_per_million_tokens: dict[str, Usd]
    usd_per_unit: dict[str, Usd]


class PriceView(View):
    """A price as a receipt or a list shows it."""

    id: str = Field(description="As requests show it in price_id")
    source: str
    provider: str = Field(description="Empty: any")
    model: str
    service_tier: str
    valid_from: Timestamp | None = Field(description="Null: always")
    usd_per_million_tokens: dict[str, Usd]
    usd_per_unit: dict[str, Usd]
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


class LineView(View):
    usage_class: str = Field(description="Or `request`, the fee of each request; or `rounding`, to twelve decimals")
    quantity: int
    unit_usd: MaybeUsd
    usd_per_million: MaybeUsd = Field(description="Of tokens")
    amount_usd: MaybeUsd = Field(description="Quantity times unit price, exactly")


class ContextTierView(View):
    prompt_tokens: int = Field(description="Size of the prompt, cached or not")
    above_tokens: int | None = Field(description="The threshold that it exceeds; null for the first tier")
    why: str


class ReceiptView(View):
    """How the cost of one request came about. The lines add up to `total_usd`, and that is the stored cost."""

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
    price: PriceView | None
    lines: list[LineView]
    rounding_usd: Usd = Field(description="The amount of the line `rounding`, which is one of the lines")
    total_usd: MaybeUsd = Field(description="Sum of the lines")
    reconciles: bool = Field(description="False: the sum done again is not the stored cost. Please report this")
    provider_usage: Any = Field(description="The provider's own figures, digit for digit")
    provider_cost_usd: MaybeUsd = Field(description="What the provider itself says that it costs")
    original_cost_usd: MaybeUsd = Field(
        description="With a reprice_id: the cost before any re-pricing; null when unknown"
    )
    reprice_id: str | None = Field(description="The re-pricing that changed the cost last")
    cache_reference_id: str | None = Field(description="For a cached response, the request that paid for it")
    cache_saved_usd: MaybeUsd = Field(description="For a cached response, what it would have cost")
