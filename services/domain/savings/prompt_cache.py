"""What a prompt cache saved, and what a broken one cost: tokens written for nothing, or paid in full again."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from schemas.price import Price
from schemas.usage import CACHE_WRITE
from services.domain.pricing.charge import context_tier_of, rate_of

_ZERO: Final = Decimal(0)


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that brought nothing, by what they were billed as."""

    unread: Mapping[str, int]  # written and never read, by class
    repaid: int  # had been cached, and were paid as plain input
    repaid_written: int  # had been cached, and were written again

    @property
    def tokens(self) -> int:
        return sum(self.unread.values()) + self.repaid + self.repaid_written


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars. No part of a cost is in both."""

    unread_usd: Decimal = _ZERO  # what writing cost beyond plain input
    repaid_usd: Decimal = _ZERO  # what plain input cost beyond reading it


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars, beside the price of plain input."""

    read_usd: Decimal = _ZERO  # less, for what was read
    written_usd: Decimal = _ZERO  # more, for what was written


def kept_of(read: int, written: Mapping[str, int], price: Price | None, context_tokens: int) -> Kept | None:
    """What reading `read` tokens of text saved and writing `written`, by class, cost beyond plain input.

    At `price`, for prompts of one context tier; None where the price of plain input is unknown.
    """
    plain = None if price is None else _unit(price, "prompt_tokens", context_tokens)
    if price is None or plain is None:
        return None
    reading = _or(_unit(price, "prompt_cache_read_tokens", context_tokens), plain)
    writing = ((count, _or(_unit(price, name, context_tokens), plain)) for name, count in written.items())
    return Kept(
        read_usd=read * (plain - reading), written_usd=sum((count * (usd - plain) for count, usd in writing), _ZERO)
    )


def loss_of(lost: Lost, price: Price | None, context_tokens: int) -> Loss | None:
    """At `price`, for prompts of one context tier; None where the price of plain input is unknown.

    A class without a price of its own costs no more than plain input. What was written again counts as plain input:
    what writing cost beyond that is lost only where nobody read it.
    """
    plain = None if price is None else _unit(price, "prompt_tokens", context_tokens)
    if price is None or plain is None:
        return None
    writes = {name: _or(_unit(price, name, context_tokens), plain) for name in CACHE_WRITE}
    read = min(_or(_unit(price, "prompt_cache_read_tokens", context_tokens), plain), plain)
    again = max(min(plain, *writes.values()) - read, _ZERO)
    return Loss(
        unread_usd=sum((count * max(writes[name] - plain, _ZERO) for name, count in lost.unread.items()), _ZERO),
        repaid_usd=lost.repaid * (plain - read) + lost.repaid_written * again,
    )


def _unit(price: Price, name: str, context_tokens: int) -> Decimal | None:
    rate = rate_of(price.rates, name)
    return None if rate is None or rate.per != 1 else context_tier_of(rate, context_tokens)[1]


def _or(usd: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if usd is None else usd
