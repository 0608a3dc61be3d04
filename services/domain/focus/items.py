"""Charged -> what the request was charged for, item by item: the lines of its receipt."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from schemas.price import ChargeLine, Price
from schemas.receipt import Charged
from schemas.usage import USAGE_CLASSES, Usage, context_tokens
from services.domain.pricing.bill import is_bill
from services.domain.pricing.charge import charge_stored, context_tier_of, rate_of, rates_for
from services.domain.pricing.other_models import charged_by_model, decode_parts

WHOLE: Final = "whole"  # the meter of a cost that has no lines, such as a provider's own bill
ROUNDING: Final = "rounding"  # of what the rounding of a cost to twelve decimals adds


class ChargeItem(msgspec.Struct, frozen=True, kw_only=True):
    model: str  # that used it
    tier: str
    price_id: str
    meter: str  # a usage class, `request` for a fee, `WHOLE` or `ROUNDING`
    consumed: int
    quantity: int  # that was billed
    amount_usd: Decimal
    unit_usd: Decimal | None = None  # for `per` units
    per: int = 1
    above_tokens: int = 0  # the threshold of the context tier; 0 for the first one


def charge_items(charged: Charged, prices: Mapping[str, Price | None]) -> tuple[ChargeItem, ...]:
    """They add up to the cost, exactly; none where that is unknown, and where nothing was charged.

    `prices` are those that the row names, by their ids; None, or not among them, when it is none of ours.
    """
    models = (charged,) if is_bill(charged.price_id) else charged_by_model(charged)
    return tuple(item for one in models for item in _items(one, prices.get(one.price_id)))


def price_ids_of(charged: Charged) -> set[str]:
    """Of all the prices that `charge_items` needs."""
    return {charged.price_id, *(part.price_id for part in decode_parts(charged.other_models))}


def _items(charged: Charged, price: Price | None) -> tuple[ChargeItem, ...]:
    """Of one model."""
    if charged.cost_usd is None:
        return ()
    again = None if price is None else charge_stored(charged, price)
    if price is not None and again is not None and again.cost_usd == charged.cost_usd:
        return tuple(_item(line, charged, price) for line in again.lines)
    return (_whole(charged, charged.cost_usd),) if charged.cost_usd else ()


def _whole(charged: Charged, cost_usd: Decimal) -> ChargeItem:
    return ChargeItem(
        model=charged.model,
        tier=charged.service_tier,
        price_id=charged.price_id,
        meter=WHOLE,
        consumed=1,
        quantity=1,
        amount_usd=cost_usd,
    )


def _item(line: ChargeLine, charged: Charged, price: Price) -> ChargeItem:
    usage = charged.usage
    return ChargeItem(
        model=charged.model,
        tier=charged.service_tier,
        price_id=charged.price_id,
        meter=line.usage_class,
        consumed=getattr(usage, line.usage_class) if line.usage_class in USAGE_CLASSES else line.quantity,
        quantity=line.quantity,
        amount_usd=line.amount_usd,
        unit_usd=line.unit_usd,
        per=line.per,
        above_tokens=_above_tokens(line.usage_class, usage, price),
    )


def _above_tokens(usage_class: str, usage: Usage, price: Price) -> int:
    rate = rate_of(rates_for(usage, price), usage_class)
    return 0 if rate is None else context_tier_of(rate, context_tokens(usage))[0]
