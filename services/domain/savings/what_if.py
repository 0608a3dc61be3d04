"""A sum of usage at another price: between which two amounts it lies."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final

import msgspec

from schemas.price import UNIT_USD, Price, Rate
from schemas.usage import CACHE_READ, CACHE_WRITE, INPUT, TOKEN_CLASSES
from services.domain.pricing.charge import context_tier_of, rate_of

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
_RATES: Final = Context(prec=40)  # of prices by the hour, per millisecond
_EXACT: Final = Context(prec=80)
# What input is billed as that is not read from a cache, nor written to one.
_UNCACHED: Final[Mapping[str, str]] = dict.fromkeys((*CACHE_READ, *CACHE_WRITE), "prompt_tokens") | {
    "prompt_cache_read_audio_tokens": "prompt_audio_tokens",
    "prompt_cache_read_image_tokens": "prompt_image_tokens",
}


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What some requests used together. All of them used the same classes, and prompts of one context tier."""

    requests: int
    usage: Mapping[str, int]
    context_tokens: int  # the smallest prompt of that tier


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """How far tokens may differ from those that were counted, as a share."""

    input: Decimal = _ZERO
    output: Decimal = _ZERO


SAME: Final = Apart()


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars."""

    low_usd: Decimal = _ZERO
    high_usd: Decimal = _ZERO

    def __add__(self, other: "Bounds") -> "Bounds":
        with localcontext(_EXACT):
            return Bounds(low_usd=self.low_usd + other.low_usd, high_usd=self.high_usd + other.high_usd)

    def rounded(self) -> "Bounds":
        """To 1e-12, half even."""
        low, high = (usd.quantize(UNIT_USD, ROUND_HALF_EVEN, _EXACT) for usd in (self.low_usd, self.high_usd))
        return Bounds(low_usd=low, high_usd=high)


def bounds_at(use: Use, price: Price, apart: Apart = SAME) -> Bounds | None:
    """What `use` costs at `price`, where tokens differ up to `apart`; None where something used has no price there.

    Input that was read from a cache or written to one may be so there too, or be plain input: the cheaper of the two is
    in the lower bound, the dearer in the upper one. Where a class is billed in steps, the upper bound has one step more
    for each request. Bounds of parts add up to those of the whole.
    """
    rates = _rates(use, price)
    if rates is None:
        return None
    with localcontext(_EXACT):
        low = high = price.usd_per_request * use.requests
        for name, count in use.usage.items():
            units = _units(name, rates, use.context_tokens) if count else (_ZERO, _ZERO)
            if units is None:
                return None
            share = _apart(name, apart)
            low += units[0] * count * (_ONE - share)
            high += units[1] * (count * (_ONE + share) + _least(rates, name) * use.requests * bool(count))
    return Bounds(low_usd=low, high_usd=high)


def _rates(use: Use, price: Price) -> Mapping[str, Rate] | None:
    """Those that hold for `use`; None where its prompts are too long for them."""
    if price.max_prompt_tokens is not None and use.context_tokens > price.max_prompt_tokens:
        return None
    included = price.included_in
    return {
        name: rate for name, rate in price.rates.items() if name not in included or use.usage.get(included[name], 0)
    }


def _units(name: str, rates: Mapping[str, Rate], context_tokens: int) -> tuple[Decimal, Decimal] | None:
    """The lowest and the highest price of one unit."""
    plain = _UNCACHED.get(name)
    candidates = [rate_of(rates, name), *([rate_of(rates, plain)] if plain else [])]
    units = [_unit(rate, context_tokens) for rate in candidates if rate is not None]
    return (min(units), max(units)) if units else None


def _unit(rate: Rate, context_tokens: int) -> Decimal:
    usd = context_tier_of(rate, context_tokens)[1]
    return usd if rate.per == 1 else _RATES.divide(usd, rate.per)


def _least(rates: Mapping[str, Rate], name: str) -> int:
    rate = rate_of(rates, name)
    return 0 if rate is None else rate.at_least


def _apart(name: str, apart: Apart) -> Decimal:
    if name not in TOKEN_CLASSES:
        return _ZERO  # searches, pages and seconds are the same everywhere
    return apart.input if name in INPUT else apart.output
