"""What an exchange costs and why: priced, free, or unknown. Unknown is never zero, and zero is never a guess."""

from typing import Final

import msgspec

from schemas.event import ExchangeEvent, Outcome
from schemas.price import Charge, CostState, ModelCharge, PriceBook
from schemas.usage import ParsedResponse, UsageSource
from services.domain.pricing.bill import bill_of
from services.domain.pricing.billable import request_generates
from services.domain.pricing.charge import FREE, TRUNCATED, WHOLE, charge, charge_without_usage, partial
from services.domain.pricing.other_models import with_parts
from services.domain.usage.source import ResolvedUsage, refused_by_provider


def charge_of(
    event: ExchangeEvent,
    model: str,
    tier: str,
    parsed: ParsedResponse,
    resolved: ResolvedUsage,
    prices: PriceBook,
    others: tuple[ModelCharge, ...] = (),
) -> Charge:
    """What the provider bills for `event`; for a cached response, what it billed for the first one.

    `others` are the parts of other models than `model`.

    Where the response carries the bill, that is the cost, whatever was used and whether or not we know a price.

    Free: requests that were not sent, that generate nothing or that we refused; logged steps and error responses
    without usage. Unknown: no usage although something may have been generated, unless the price is only a fee for
    each request; a truncated response, an estimate, no price for the model, inconsistent or incomplete usage.
    """
    request, response = event.request, event.response
    if response.outcome is Outcome.REFUSED or not request_generates(request, parsed) or _not_sent(event):
        return FREE
    calculated = with_parts(_calculated(event, model, tier, parsed, resolved, prices), others)
    bill = bill_of(request.provider, parsed)
    return calculated if bill is None else msgspec.structs.replace(bill, calculated=calculated)


def _calculated(
    event: ExchangeEvent, model: str, tier: str, parsed: ParsedResponse, resolved: ResolvedUsage, prices: PriceBook
) -> Charge:
    request, response = event.request, event.response
    if resolved.usage is None and (request.step or refused_by_provider(response, parsed)):
        return FREE
    if parsed.truncated:
        return TRUNCATED
    price = prices.price_at(request.provider, model, request.created_at, tier)
    if resolved.usage is None:
        return charge_without_usage(price, whole=response.outcome in WHOLE and not parsed.failed)
    if resolved.source is UsageSource.ESTIMATED:
        return partial(price) if price is not None else _ESTIMATED
    if price is not None and not (parsed.consistent and parsed.complete):
        return partial(price)
    return charge(resolved.usage, price)


_ESTIMATED: Final = Charge(cost_usd=None, state=CostState.PARTIAL)


def _not_sent(event: ExchangeEvent) -> bool:
    """A cached response was not requested either, but the first one was, and was billed."""
    return not event.response.request_sent and event.response.outcome is not Outcome.CACHED
