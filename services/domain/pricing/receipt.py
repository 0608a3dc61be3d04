"""Charged -> Receipt: the sum that led to a stored cost, computed again by the same rules, or why it is not known."""

from decimal import Decimal
from typing import Final

from schemas.event import Outcome
from schemas.price import MAX_USD, Charge, CostState, Price
from schemas.receipt import Charged, ContextTier, Receipt, ReceiptLine
from schemas.usage import USAGE_CLASSES, Usage, UsageSource, context_tokens
from services.domain.pricing.charge import charge_stored, context_tier_of, rate_of, rates_for

_BROKEN: Final = (Outcome.CLIENT_DISCONNECTED, Outcome.UPSTREAM_ERROR, Outcome.TIMED_OUT)


def receipt_of(charged: Charged, price: Price | None) -> Receipt:
    """`price` is the one that the row names; None when it names none, or one that is not stored."""
    again = None if price is None else charge_stored(charged, price)
    return Receipt(
        why=why_of(charged, price),
        price=price,
        context_tier=None if price is None else tier_reached(charged.usage, price),
        lines=_open_lines(charged.usage, price) if again is None or again.cost_usd is None else _lines(again),
        total_usd=_total_usd(charged, again),
        reconciles=_reconciles(charged, again),
    )


def _lines(again: Charge) -> tuple[ReceiptLine, ...]:
    return tuple(
        ReceiptLine(
            usage_class=line.usage_class,
            quantity=line.quantity,
            unit_usd=line.unit_usd,
            amount_usd=line.amount_usd,
        )
        for line in again.lines
    )


def _open_lines(usage: Usage, price: Price | None) -> tuple[ReceiptLine, ...]:
    """What was used, where not all of it has a price: with the known prices per unit, and without amounts."""
    prompt_size = context_tokens(usage)
    rates = {} if price is None else rates_for(usage, price)
    lines = []
    for name in USAGE_CLASSES:
        quantity = getattr(usage, name)
        rate = rate_of(rates, name)
        if quantity:
            unit_usd = None if rate is None else context_tier_of(rate, prompt_size)[1]
            lines.append(ReceiptLine(usage_class=name, quantity=quantity, unit_usd=unit_usd, amount_usd=None))
    return tuple(lines)


def _total_usd(charged: Charged, again: Charge | None) -> Decimal | None:
    if again is not None:
        return again.cost_usd
    return Decimal(0) if _free_without_price(charged) else None


def _reconciles(charged: Charged, again: Charge | None) -> bool:
    """A row that was never charged by a price reconciles. One that was must have the same cost again."""
    if again is None:
        return not charged.price_id
    return (again.cost_usd, again.state) == (charged.cost_usd, charged.cost_state)


def _free_without_price(charged: Charged) -> bool:
    return charged.cost_state is CostState.FREE and not charged.price_id


def tier_reached(usage: Usage, price: Price) -> ContextTier:
    """The highest threshold of a used class that the prompt exceeds. It then prices the whole request."""
    prompt_size = context_tokens(usage)
    if price.max_prompt_tokens is not None and prompt_size > price.max_prompt_tokens:
        return ContextTier(prompt_tokens=prompt_size, above_tokens=None, why=_too_long(prompt_size, price))
    rates = [rate_of(price.rates, name) for name in USAGE_CLASSES if getattr(usage, name)]
    tiered = [rate for rate in rates if rate is not None and rate.tiers]
    if not tiered:
        return ContextTier(prompt_tokens=prompt_size, above_tokens=None, why="the price has no tiers by prompt size")
    above = max(context_tier_of(rate, prompt_size)[0] for rate in tiered)
    if not above:
        first = min(rate.tiers[0][0] for rate in tiered)
        why = f"the prompt has {prompt_size} tokens, not more than {first}"
        return ContextTier(prompt_tokens=prompt_size, above_tokens=None, why=why)
    why = f"the prompt has {prompt_size} tokens, more than {above}: the whole request is charged at that tier"
    return ContextTier(prompt_tokens=prompt_size, above_tokens=above, why=why)


def _too_long(prompt_size: int, price: Price) -> str:
    return (
        f"the prompt has {prompt_size} tokens: prompts above {price.max_prompt_tokens} cost more, and "
        f"{price.source} does not publish the rate; add a price of your own"
    )


def why_of(charged: Charged, price: Price | None) -> str | None:
    """Why the cost is unknown, or nothing; None when it is a known amount."""
    match charged.cost_state:
        case CostState.PRICED:
            return None
        case CostState.FREE:
            return _why_free(charged)
        case CostState.UNKNOWN_MODEL:
            return f"no price is known for model {charged.model!r} of {charged.provider} at the time of the request"
        case CostState.NO_USAGE:
            return _why_no_usage(charged)
        case CostState.TRUNCATED:
            return "the response was larger than FAREBOX_CAPTURE_BYTES: its usage was cut off"
        case CostState.PARTIAL:
            return _why_partial(charged, price)


def _why_free(charged: Charged) -> str:
    if charged.outcome is Outcome.CACHED:
        return "served from the response cache: nothing was sent to the provider"
    if charged.outcome is Outcome.REFUSED:
        return "refused by Farebox: nothing was sent to the provider"
    if charged.price_id:
        return "everything that was used has a price of zero"
    if charged.outcome in _BROKEN:
        return "the provider was not reached, or nothing is generated by such a request"
    if charged.status >= 400:
        return "an error response without usage: providers do not bill these"
    return "nothing is generated by such a request: providers do not bill these"


def _why_no_usage(charged: Charged) -> str:
    if charged.outcome in _BROKEN:
        return "the response ended before the provider reported usage"
    return "the provider reported no usage"


def _why_partial(charged: Charged, price: Price | None) -> str:
    if charged.usage_source is UsageSource.ESTIMATED:
        return "the provider did not report the usage of the whole response: tokens are estimated, and never charged"
    if charged.usage_incomplete:
        return "something was used that no class of usage holds"
    if charged.usage_mismatch:
        return "the reported usage is inconsistent: it does not add up to the provider's own totals"
    if price is None:
        return "the price that the row names is not stored"
    if price.tier and not price.rates:
        return f"no price is known for service tier {price.tier!r} of this model"
    prompt_size = context_tokens(charged.usage)
    if price.max_prompt_tokens is not None and prompt_size > price.max_prompt_tokens:
        return _too_long(prompt_size, price)
    rates = rates_for(charged.usage, price)
    unpriced = [name for name in USAGE_CLASSES if getattr(charged.usage, name) and rate_of(rates, name) is None]
    if unpriced:
        return f"used without a known price: {', '.join(unpriced)}"
    return f"it would be more than {MAX_USD:f} US dollars"
