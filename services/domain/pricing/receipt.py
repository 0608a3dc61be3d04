"""Charged -> Receipt: the sum that led to a stored cost, computed again by the same rules, or why it is not known."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from schemas.event import Outcome
from schemas.price import MAX_USD, Charge, CostState, ModelCharge, Price
from schemas.receipt import Charged, ContextTier, ModelReceipt, Receipt, ReceiptLine
from schemas.usage import USAGE_CLASSES, Usage, UsageSource, context_tokens
from services.domain.pricing.bill import charge_of_bill, is_bill, price_of_bill
from services.domain.pricing.charge import billed_quantity, charge_stored, context_tier_of, rate_of, rates_for
from services.domain.pricing.other_models import charged_by_model, decode_parts, own_of, part_of, with_parts
from services.domain.usage.service_tier import REGION

_NO_PRICES: Final[Mapping[str, Price]] = {}
_TOO_MUCH: Final = f"it would be more than {MAX_USD:f} US dollars"
_BROKEN: Final = (Outcome.CLIENT_DISCONNECTED, Outcome.UPSTREAM_ERROR, Outcome.TIMED_OUT)


def receipt_of(charged: Charged, price: Price | None, others: Mapping[str, Price] = _NO_PRICES) -> Receipt:
    """`price` is the one that was calculated by; None when the row names none, or one that is not stored.

    `others` are those of other models that were used, by their ids.
    """
    if is_bill(charged.price_id):
        return _receipt_of_bill(charged, price, others)
    parts = decode_parts(charged.other_models)
    if parts:
        return _receipt_of_models(charged, price, parts, others)
    again = None if price is None else charge_stored(charged, price)
    return Receipt(
        why=why_of(charged, price),
        price=price,
        context_tier=None if price is None else tier_reached(charged.usage, price),
        lines=_open_lines(charged, price) if again is None or again.cost_usd is None else _lines(again, charged.model),
        total_usd=_total_usd(charged, again),
        reconciles=_reconciles(charged, again),
    )


def _receipt_of_models(
    charged: Charged, price: Price | None, parts: tuple[ModelCharge, ...], others: Mapping[str, Price]
) -> Receipt:
    """The receipts of the billed model and of each of the others, as one."""
    own = receipt_of(_own_part(charged, price), price)
    receipts = [receipt_of(part_of(charged, part), others.get(part.price_id)) for part in parts]
    known = [receipt.total_usd for receipt in (own, *receipts) if receipt.total_usd is not None]
    total = sum(known, Decimal(0)) if len(known) == len(receipts) + 1 else None
    storable = None if total is None or total > MAX_USD else total
    return Receipt(
        why=_why_together(charged, own, parts, receipts),
        price=price,
        context_tier=own.context_tier,
        lines=tuple(line for receipt in (own, *receipts) for line in receipt.lines),
        total_usd=total,
        reconciles=storable == charged.cost_usd and all(one.reconciles for one in (own, *receipts)),
        other_models=tuple(
            ModelReceipt(
                model=part.model,
                service_tier=part.service_tier,
                cost_usd=part.cost_usd,
                why=receipt.why,
                price=receipt.price,
                context_tier=receipt.context_tier,
            )
            for part, receipt in zip(parts, receipts, strict=True)
        ),
    )


def _own_part(charged: Charged, price: Price | None) -> Charged:
    """What of a row is the billed model's own. Where the cost is unknown, its part is what it costs again."""
    if charged.cost_usd is not None:
        return charged_by_model(charged)[0]
    own = own_of(charged)
    again = charge_stored(own, price)
    return msgspec.structs.replace(own, cost_usd=again.cost_usd, cost_state=again.state)


def _why_together(
    charged: Charged, own: Receipt, parts: Sequence[ModelCharge], receipts: Sequence[Receipt]
) -> str | None:
    if charged.cost_usd is not None:
        return "everything that was used has a price of zero" if not charged.cost_usd else None
    reasons = [own.why] if own.total_usd is None else []
    reasons += [
        f"{part.model or 'another model, which neither request nor response names,'} was used for it: {receipt.why}"
        for part, receipt in zip(parts, receipts, strict=True)
        if receipt.total_usd is None
    ]
    return "; ".join(filter(None, reasons)) or _TOO_MUCH


def _receipt_of_bill(charged: Charged, price: Price | None, others: Mapping[str, Price]) -> Receipt:
    """One line, the bill; beside it the receipt of what the same usage costs at `price`."""
    billed_usd = charged.provider_cost_usd
    bill = None if billed_usd is None else charge_of_bill(charged.price_id, billed_usd)
    ours = msgspec.structs.replace(
        charged,
        cost_usd=charged.calculated_cost_usd,
        cost_state=with_parts(charge_stored(own_of(charged), price), decode_parts(charged.other_models)).state,
        price_id=charged.calculated_price_id,
    )
    return Receipt(
        why=None if charged.cost_usd else "the provider's own bill is zero",
        price=price_of_bill(charged.price_id),
        context_tier=None,
        lines=() if bill is None else _lines(bill, charged.model),
        total_usd=billed_usd,
        reconciles=bill is not None and (bill.cost_usd, bill.state) == (charged.cost_usd, charged.cost_state),
        calculated=receipt_of(ours, price, others),
    )


def _lines(again: Charge, model: str) -> tuple[ReceiptLine, ...]:
    return tuple(
        ReceiptLine(
            model=model,
            usage_class=line.usage_class,
            quantity=line.quantity,
            unit_usd=line.unit_usd,
            amount_usd=line.amount_usd,
            per=line.per,
        )
        for line in again.lines
    )


def _open_lines(charged: Charged, price: Price | None) -> tuple[ReceiptLine, ...]:
    """What was used, where not all of it has a price: with the known prices per unit, and without amounts."""
    usage, model = charged.usage, charged.model
    prompt_size = context_tokens(usage)
    rates = {} if price is None else rates_for(usage, price)
    lines = []
    for name in USAGE_CLASSES:
        quantity = getattr(usage, name)
        rate = rate_of(rates, name)
        if not quantity:
            continue
        if rate is None:
            unit_usd, per = None, 1
        else:
            quantity, unit_usd, per = billed_quantity(rate, quantity), context_tier_of(rate, prompt_size)[1], rate.per
        lines.append(
            ReceiptLine(model=model, usage_class=name, quantity=quantity, unit_usd=unit_usd, amount_usd=None, per=per)
        )
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
        return _why_no_tier(price.tier)
    prompt_size = context_tokens(charged.usage)
    if price.max_prompt_tokens is not None and prompt_size > price.max_prompt_tokens:
        return _too_long(prompt_size, price)
    rates = rates_for(charged.usage, price)
    unpriced = [name for name in USAGE_CLASSES if getattr(charged.usage, name) and rate_of(rates, name) is None]
    if unpriced:
        return f"used without a known price: {', '.join(unpriced)}"
    return _TOO_MUCH


def _why_no_tier(tier: str) -> str:
    if not tier.startswith(REGION):
        return f"no price is known for service tier {tier!r} of this model"
    region = tier.removeprefix(REGION)
    yours = f"add one of your own for service tier {tier!r}"
    return f"the known price of this model is of other regions than {region!r}: {yours}"
