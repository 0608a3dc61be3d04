"""How a stored cost came about, so that anybody can redo the sum by hand."""

from datetime import datetime
from decimal import Decimal

import msgspec

from schemas.event import Outcome
from schemas.price import CostState, Price
from schemas.usage import Usage, UsageSource


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a stored row, and the columns that decided it."""

    provider: str
    model: str
    request_created_at: datetime
    service_tier: str
    status: int
    outcome: Outcome
    usage: Usage  # of all models
    usage_source: UsageSource
    usage_mismatch: bool
    usage_incomplete: bool
    cost_usd: Decimal | None
    cost_state: CostState
    price_id: str
    provider_cost_usd: Decimal | None = None
    calculated_cost_usd: Decimal | None = None  # by our prices, where `cost_usd` is the provider's own bill
    calculated_price_id: str = ""
    other_models: str = ""  # as in `RequestRecord`


class ReceiptLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was used of one class. Without a price per unit there is no amount, and the cost is unknown."""

    model: str  # that used it
    usage_class: str  # or `request` for the fee of each request, `rounding` to twelve decimals, or `bill`
    quantity: int
    unit_usd: Decimal | None
    amount_usd: Decimal | None
    per: int = 1  # `unit_usd` is for so many


class ContextTier(msgspec.Struct, frozen=True, kw_only=True):
    """Which tier of the price applied, by the size of the prompt."""

    prompt_tokens: int  # cached or not
    above_tokens: int | None  # the threshold that was exceeded; None for the first tier
    why: str


class ModelReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """Another model that used something for a request. Its lines are among those of the receipt."""

    model: str  # '' where nothing names it
    service_tier: str
    cost_usd: Decimal | None  # as stored
    why: str | None  # as in `Receipt`
    price: Price | None
    context_tier: ContextTier | None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """`total_usd` is the sum of the lines, None where one has no amount."""

    why: str | None  # a cost is unknown or zero; in plain words. None for a known cost
    price: Price | None  # of the billed model
    context_tier: ContextTier | None
    lines: tuple[ReceiptLine, ...]  # of all models
    total_usd: Decimal | None
    reconciles: bool  # the stored cost is what the stored usage costs at the stored price, or what was billed
    other_models: tuple[ModelReceipt, ...] = ()
    calculated: "Receipt | None" = None  # by our prices, where the cost is the provider's own bill
