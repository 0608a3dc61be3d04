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
    usage: Usage
    usage_source: UsageSource
    usage_mismatch: bool
    usage_incomplete: bool
    cost_usd: Decimal | None
    cost_state: CostState
    price_id: str


class ReceiptLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was used of one class. Without a price per unit there is no amount, and the cost is unknown."""

    usage_class: str  # or `request` for the fee of each request, or `rounding` to twelve decimals
    quantity: int
    unit_usd: Decimal | None
    amount_usd: Decimal | None


class ContextTier(msgspec.Struct, frozen=True, kw_only=True):
    """Which tier of the price applied, by the size of the prompt."""

    prompt_tokens: int  # cached or not
    above_tokens: int | None  # the threshold that was exceeded; None for the first tier
    why: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """`total_usd` is the sum of the lines, None where one has no amount."""

    why: str | None  # a cost is unknown or zero; in plain words. None for a known cost
    price: Price | None
    context_tier: ContextTier | None
    lines: tuple[ReceiptLine, ...]
    total_usd: Decimal | None
    reconciles: bool  # the stored cost is what the stored usage costs at the stored price
