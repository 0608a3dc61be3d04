"""The parts of a cost that are other models': each has its usage, its own price and its own cost.

A row holds the usage and the cost of all models together, and in its column `other_models` the parts of the others.
What is left is the billed model's own.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from msgspec.structs import astuple, replace

from schemas.price import MAX_USD, Charge, CostState, ModelCharge, PriceBook
from schemas.receipt import Charged
from schemas.usage import USAGE_CLASSES, ModelUsage, Usage
from services.domain.pricing.charge import charge

_KNOWN: Final = (CostState.PRICED, CostState.FREE)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[ModelCharge, ...])

AnyCharged = TypeVar("AnyCharged", bound=Charged)


def charge_models(
    used: Iterable[ModelUsage], prices: PriceBook, provider: str, timestamp: datetime, tier_of: Callable[[str], str]
) -> tuple[ModelCharge, ...]:
    """What each of the models costs that `provider` ran at `timestamp`, at the service tier of its name."""
    parts = (
        ModelCharge(
            model=one.model,
            usage=one.usage,
            service_tier=tier_of(one.model),
            cost_usd=None,
            cost_state=CostState.UNKNOWN_MODEL,
        )
        for one in used
    )
    return charge_parts(parts, prices, provider, timestamp)


def charge_parts(
    parts: Iterable[ModelCharge], prices: PriceBook, provider: str, timestamp: datetime
) -> tuple[ModelCharge, ...]:
    """`parts` at `prices`."""
    return tuple(_charged(part, prices, provider, timestamp) for part in parts)


def _charged(part: ModelCharge, prices: PriceBook, provider: str, timestamp: datetime) -> ModelCharge:
    price = prices.price_at(provider, part.model, timestamp, part.service_tier) if part.model else None
    charged = charge(part.usage, price)
    return replace(part, cost_usd=charged.cost_usd, cost_state=charged.state, price_id=charged.price_id)


def with_parts(own: Charge, parts: tuple[ModelCharge, ...]) -> Charge:
    """`own`, the charge of the billed model, and `parts` as one charge: known only where each of them is."""
    if not parts:
        return own
    amounts = [own.cost_usd, *(part.cost_usd for part in parts)]
    known = [amount for amount in amounts if amount is not None]
    total = sum(known) if len(known) == len(amounts) else None
    if total is None or total > MAX_USD:
        state = CostState.PARTIAL if own.state in _KNOWN else own.state
        return replace(own, cost_usd=None, state=state, others=parts)
    return replace(own, cost_usd=total, state=CostState.PRICED if total else CostState.FREE, others=parts)


def encode_parts(parts: tuple[ModelCharge, ...]) -> str:
    """As the column `other_models` has them: '' for none."""
    return _encoder.encode(parts).decode() if parts else ""


def decode_parts(other_models: str) -> tuple[ModelCharge, ...]:
    """Of that column."""
    return _decoder.decode(other_models) if other_models else ()


def own_of(charged: AnyCharged) -> AnyCharged:
    """`charged` with the usage of the billed model alone."""
    parts = decode_parts(charged.other_models)
    if not parts:
        return charged
    whole, *others = (astuple(usage) for usage in (charged.usage, *(part.usage for part in parts)))
    own = (count - sum(rest) for count, *rest in zip(whole, *others, strict=True))
    return replace(charged, usage=Usage(**dict(zip(USAGE_CLASSES, own, strict=True))), other_models="")


def charged_by_model(charged: Charged) -> tuple[Charged, ...]:
    """A row with a known cost, which is no bill, as one for each model: the billed one, then the others."""
    parts = decode_parts(charged.other_models)
    if charged.cost_usd is None or not parts:
        return (charged,)
    cost_usd = charged.cost_usd - sum(part.cost_usd or Decimal(0) for part in parts)
    state = CostState.PRICED if cost_usd else CostState.FREE
    own = replace(own_of(charged), cost_usd=cost_usd, cost_state=state)
    return own, *(part_of(charged, part) for part in parts)


def part_of(charged: Charged, part: ModelCharge) -> Charged:
    """`part` of a row, as if it were a row."""
    return replace(
        charged,
        model=part.model,
        service_tier=part.service_tier,
        usage=part.usage,
        usage_mismatch=False,
        usage_incomplete=False,
        cost_usd=part.cost_usd,
        cost_state=part.cost_state,
        price_id=part.price_id,
        other_models="",
    )
