"""Usage x Price -> Charge: exact, class by class, or unknown."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact
from fractions import Fraction
from typing import Final

import msgspec

from schemas.event import Outcome
from schemas.price import MAX_USD, UNIT_USD, Charge, ChargeLine, CostState, Price, Rate
from schemas.receipt import Charged
from schemas.usage import TOKEN_CLASSES, USAGE_CLASSES, Usage, UsageSource, context_tokens

# Wide enough that no product or sum of a receipt is ever rounded.
_EXACT: Final = Context(prec=80)
_DIVIDING: Final = Context(prec=80, traps=[Inexact])
_LINE_UNIT_USD: Final = Decimal("1e-24")
_DECIMALS: Final = 12  # of UNIT_USD

# Without a price of its own reasoning is billed as output. No other class is billed as another one.
_BILLED_AS: Final[Mapping[str, str]] = {"reasoning_tokens": "completion_tokens"}

WHOLE: Final = (Outcome.COMPLETED, Outcome.CACHED)

FREE: Final = Charge(cost_usd=Decimal(0), state=CostState.FREE)
NO_USAGE: Final = Charge(cost_usd=None, state=CostState.NO_USAGE)
TRUNCATED: Final = Charge(cost_usd=None, state=CostState.TRUNCATED)
UNKNOWN_MODEL: Final = Charge(cost_usd=None, state=CostState.UNKNOWN_MODEL)


def charge(usage: Usage, price: Price | None) -> Charge:
    """What `usage` costs at `price`: US dollars, exact to 1e-12, half even. Classes are disjoint, so none counts twice.

    The total is that of the exact amounts. Each line is exact too, unless its division never ends: then it is rounded
    to 1e-24, half even. Where the lines add up to anything but the total, a last line `rounding` holds the difference.
    """
    if price is None:
        return UNKNOWN_MODEL
    lines = _lines(usage, price)
    if lines is None:
        return partial(price)
    shown = Decimal(0)
    for line in lines:
        shown = _EXACT.add(shown, line.amount_usd)
    total = _total_usd(lines, shown)
    if total > MAX_USD:
        return partial(price)
    if total != shown:
        lines.append(_line("rounding", 1, _EXACT.subtract(total, shown)))
    state = CostState.PRICED if total else CostState.FREE
    return Charge(cost_usd=total, state=state, price_id=price.id, lines=tuple(lines))


def charge_without_usage(price: Price | None, *, whole: bool) -> Charge:
    """What a response without usage costs: known where `price` is only a fee for each request.

    For a response that broke off or failed, which is not `whole`, it is unknown whether it was billed.
    """
    if price is None or price.rates or not price.usd_per_request or not whole:
        return NO_USAGE
    return charge(Usage(), price)


def charge_stored(charged: Charged, price: Price | None) -> Charge:
    """What a stored row costs at `price`: still unknown if its usage is estimated, inconsistent or incomplete."""
    if charged.usage_source is UsageSource.NONE:
        return charge_without_usage(price, whole=charged.outcome in WHOLE and charged.status < 400)
    estimated = charged.usage_source is UsageSource.ESTIMATED
    if price is not None and (estimated or charged.usage_mismatch or charged.usage_incomplete):
        return partial(price)
    return charge(charged.usage, price)


def partial(price: Price) -> Charge:
    """The charge of a usage that `price` cannot price, or not all of it."""
    return Charge(cost_usd=None, state=CostState.PARTIAL, price_id=price.id)


def rates_for(usage: Usage, price: Price) -> Mapping[str, Rate]:
    """The rates of `price` that hold for `usage`: not for longer prompts, nor included in an unused class."""
    rates: Mapping[str, Rate] = price.rates
    if price.included_in:
        included = {name for name, other in price.included_in.items() if getattr(usage, other)}
        rates = {name: rate for name, rate in rates.items() if name in included or name not in price.included_in}
    if price.max_prompt_tokens is not None and context_tokens(usage) > price.max_prompt_tokens:
        rates = {name: rate for name, rate in rates.items() if name not in TOKEN_CLASSES}
    return rates


def rate_of(rates: Mapping[str, Rate], usage_class: str) -> Rate | None:
    """None when `rates` has none for the class, nor for what it is billed as."""
    return rates.get(usage_class) or rates.get(_BILLED_AS.get(usage_class, ""))


def context_tier_of(rate: Rate, prompt_size: int) -> tuple[int, Decimal]:
    """The highest tier that the prompt exceeds, as its threshold and its price per unit; the first one starts at 0."""
    chosen = 0, rate.usd
    for tier in rate.tiers:
        if prompt_size > tier[0]:
            chosen = tier
    return chosen


def billed_quantity(rate: Rate, used: int) -> int:
    """How much of a class is billed where `used` was used."""
    return max(used, rate.at_least)


def spans_tiers(usage: Usage, largest_prompt_tokens: int, price: Price) -> bool:
    """Whether the turns of a request, of which the largest is known, may be of several context tiers of `price`.

    Each turn is billed by the tier of its own prompt, and `usage` is that of all turns.
    """
    sizes = largest_prompt_tokens, context_tokens(usage)
    return any(len({context_tier_of(rate, size) for size in sizes}) > 1 for rate in price.rates.values())


def _lines(usage: Usage, price: Price) -> list[ChargeLine] | None:
    """None when something that was used has no rate."""
    prompt_size = context_tokens(usage)
    rates = rates_for(usage, price)
    lines = []
    for name, quantity in zip(USAGE_CLASSES, msgspec.structs.astuple(usage), strict=True):
        if not quantity:
            continue
        rate = rate_of(rates, name)
        if rate is None:
            return None
        unit_usd = context_tier_of(rate, prompt_size)[1]
        lines.append(_line(name, billed_quantity(rate, quantity), unit_usd, rate.per))
    if price.usd_per_request:
        lines.append(_line("request", 1, price.usd_per_request))
    return lines


def _line(name: str, quantity: int, unit_usd: Decimal, per: int = 1) -> ChargeLine:
    amount_usd = _EXACT.multiply(unit_usd, quantity)
    if per != 1:
        amount_usd = _divided(amount_usd, per)
    return ChargeLine(usage_class=name, quantity=quantity, unit_usd=unit_usd, amount_usd=amount_usd, per=per)


def _divided(amount_usd: Decimal, per: int) -> Decimal:
    try:
        return _DIVIDING.divide(amount_usd, per)
    except Inexact:
        return _EXACT.divide(amount_usd, per).quantize(_LINE_UNIT_USD, ROUND_HALF_EVEN, _EXACT)


def _total_usd(lines: Sequence[ChargeLine], shown: Decimal) -> Decimal:
    """The sum of the exact amounts, to 1e-12, half even; `shown` is the sum of the lines as they are shown."""
    if all(line.per == 1 for line in lines):
        return shown.quantize(UNIT_USD, ROUND_HALF_EVEN, _EXACT)
    exact = sum(Fraction(line.unit_usd) * line.quantity / line.per for line in lines)
    return Decimal(round(exact * 10**_DECIMALS)).scaleb(-_DECIMALS, _EXACT)
