"""What a usage is worth at one price list: a measure of how much was used, not a charge."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from schemas.price import Price
from schemas.usage import CACHE_READ, CACHE_WRITE, TOKEN_CLASSES

# What input would have been, had it not been read from a prompt cache or written to one.
_UNCACHED: Final = {
    name: "prompt_audio_tokens" if "audio" in name else "prompt_tokens" for name in (*CACHE_READ, *CACHE_WRITE)
}
_INPUT: Final = "prompt_tokens"
_OUTPUT: Final = "completion_tokens"


def worth_of(usage: Mapping[str, int], requests: int, price: Price | None) -> tuple[Decimal, Decimal]:
    """`usage` of `requests` at the first tier of `price`: as if nothing came from prompt caches, and as it is.

    A class without a price has that of plain input or output. Without a price every token is worth one.
    """
    if price is None or not any(rate.usd for rate in price.rates.values()):
        tokens = Decimal(sum(usage[name] for name in TOKEN_CLASSES))
        return tokens, tokens
    fees = price.usd_per_request * requests
    uncached = sum((count * _rate(price, _UNCACHED.get(name, name)) for name, count in usage.items()), fees)
    return uncached, sum((count * _rate(price, name) for name, count in usage.items()), fees)


def _rate(price: Price, name: str) -> Decimal:
    plain = _INPUT if name.startswith("prompt_") else _OUTPUT
    rate = price.rates.get(name) or (price.rates.get(plain) if name in TOKEN_CLASSES else None)
    return rate.usd if rate else Decimal(0)
