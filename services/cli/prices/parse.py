"""Prices as they are typed, into the request to the query service."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from schemas.errors import InvalidRequest
from services.domain.pricing.price_input import FIELDS, counted_in_tokens, price_field

_TIER: Final = "TOKENS:CLASS=USD, such as 200000:prompt_tokens=5"

_SHORT: Final = {"--input": "prompt_tokens", "--output": "completion_tokens", "--cached": "prompt_cache_read_tokens"}


def class_prices(short: Mapping[str, str], given: Iterable[str]) -> dict[str, dict[str, Decimal]]:
    """Amounts by the option that has its class, '' for none, and CLASS=USD each, into the fields of the request.

    Raises: InvalidRequest.
    """
    by_field: dict[str, dict[str, Decimal]] = {field: {} for field in FIELDS}
    named = [(_SHORT[option], amount_of(usd, option)) for option, usd in short.items() if usd]
    for name, usd in [*named, *(_named(text, "--price", "CLASS=USD, such as prompt_tokens=2.50") for text in given)]:
        field = by_field[price_field(name)]
        if name in field:
            raise InvalidRequest(f"{name} has two prices")
        field[name] = usd
    return by_field


def tier_prices(given: Iterable[str], below: Container[str]) -> list[dict[str, Any]]:
    """TOKENS:CLASS=USD each, into tiers; `below` are the classes with a price for smaller prompts.

    Raises: InvalidRequest.
    """
    by_threshold: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for text in given:
        tokens, _, price = text.partition(":")
        if not (tokens.isascii() and tokens.isdecimal()):
            raise InvalidRequest(f"--above: expected {_TIER}, not {text!r}")
        name, usd = _named(price, "--above", _TIER)
        if counted_in_tokens(name) and name not in below:
            raise InvalidRequest(f"--above: {name} needs a price for smaller prompts too: --price {name}=USD")
        by_threshold[int(tokens)][name] = usd
    return [{"above_tokens": above, "usd_per_million_tokens": usd} for above, usd in by_threshold.items()]


def _named(text: str, option: str, expected: str) -> tuple[str, Decimal]:
    name, equals, usd = text.partition("=")
    if not (name and equals and usd):
        raise InvalidRequest(f"{option}: expected {expected}, not {text!r}")
    return name, amount_of(usd, f"{option} {name}")


def amount_of(text: str, where: str) -> Decimal:
    """Raises: InvalidRequest."""
    try:
        usd = Decimal(text)
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite():
        raise InvalidRequest(f"{where}: {text!r} is not an amount of US dollars")
    return usd
