"""Prices as operators enter them, per million tokens -> terms per unit. Implausible ones are refused."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from schemas.errors import InvalidRequest
from schemas.price import MS_AN_HOUR, PriceTerms, Rate
from schemas.usage import USAGE_CLASSES

MAX_NAME_CHARACTERS: Final = 200
MAX_TIERS: Final = 16

# Nobody sells tokens for less than a tenth of a cent per million, nor one token for more than a few hundredths of a
# cent: what is outside was entered per token, or per million.
_LEAST_USD_PER_MILLION: Final = Decimal("0.0005")
_MAX_USD_PER_MILLION: Final = Decimal(10**6)
_MAX_USD_PER_UNIT: Final = Decimal(1000)
_MAX_DECIMALS: Final = 12

_STANDARD_TIERS: Final = ("", "default", "standard")

_BY_MILLION: Final = "usd_per_million_tokens"
_BY_HOUR: Final = "usd_per_hour"
_BY_UNIT: Final = "usd_per_unit"
_FIELDS: Final[Mapping[str, str]] = {  # of GivenPrices: what is sold so
    _BY_MILLION: "is counted in tokens",
    _BY_HOUR: "is sold by the hour",
    _BY_UNIT: "is sold one by one",
}
FIELDS: Final = tuple(_FIELDS)


class GivenTier(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of one context tier: they hold for requests whose prompt has more than `above_tokens` tokens."""

    above_tokens: int
    usd_per_million_tokens: Mapping[str, Decimal]


class GivenPrices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices as they are given, by usage class."""

    usd_per_million_tokens: Mapping[str, Decimal]
    usd_per_hour: Mapping[str, Decimal] = {}  # of audio that is counted by its length
    usd_per_unit: Mapping[str, Decimal] = {}  # of what is sold one by one
    usd_per_request: Decimal = Decimal(0)
    tiers: Sequence[GivenTier] = ()


def terms_of(
    given: GivenPrices,
    *,
    model: str,
    provider: str = "",
    service_tier: str = "",
    valid_from: datetime,
    valid_until: datetime | None = None,
) -> PriceTerms:
    """Raises: InvalidRequest, which names what is invalid."""
    if not (any(getattr(given, field) for field in FIELDS) or given.usd_per_request):
        raise InvalidRequest("no price is given: if something is free, set its class to 0")
    if not model:
        raise InvalidRequest("model is empty: it takes a name, or a pattern such as llama-3*")
    if valid_until is not None and valid_until <= valid_from:
        raise InvalidRequest("valid_until must be after valid_from")
    tier = _name("service_tier", service_tier).lower()
    return PriceTerms(
        provider=_name("provider", provider),
        model=_name("model", model),
        tier="" if tier in _STANDARD_TIERS else tier,
        rates=_rates(given),
        usd_per_request=_checked("usd_per_request", given.usd_per_request, _MAX_USD_PER_UNIT),
        valid_from=valid_from,
        valid_until=valid_until,
    )


def counted_in_tokens(usage_class: str) -> bool:
    return usage_class.endswith("_tokens")


def price_field(usage_class: str) -> str:
    """The field of GivenPrices that takes the price of a class."""
    if counted_in_tokens(usage_class):
        return _BY_MILLION
    return _BY_HOUR if usage_class.endswith("_ms") else _BY_UNIT


def _name(what: str, text: str) -> str:
    if len(text) > MAX_NAME_CHARACTERS or not text.isprintable() or text != text.strip():
        raise InvalidRequest(f"{what} takes up to {MAX_NAME_CHARACTERS} printable characters, without spaces around")
    return text


def _rates(given: GivenPrices) -> dict[str, Rate]:
    rates = {name: Rate(usd=_per_token(name, usd)) for name, usd in given.usd_per_million_tokens.items()}
    for name, usd in given.usd_per_hour.items():
        rates[name] = Rate(usd=_per_piece(name, usd, _BY_HOUR), per=MS_AN_HOUR)
    for name, usd in given.usd_per_unit.items():
        rates[name] = Rate(usd=_per_piece(name, usd, _BY_UNIT))
    for name, tiers in _tiers(given).items():
        if name not in rates:
            raise InvalidRequest(f"{name} has a price in a tier, and none for prompts below it")
        rates[name] = Rate(usd=rates[name].usd, tiers=tiers)
    return rates


def _tiers(given: GivenPrices) -> dict[str, tuple[tuple[int, Decimal], ...]]:
    """By class and ascending; a class without a price in a tier has that of the tier below."""
    thresholds = [tier.above_tokens for tier in given.tiers]
    if len(thresholds) > MAX_TIERS or len(set(thresholds)) < len(thresholds) or min(thresholds, default=1) < 1:
        raise InvalidRequest(f"tiers: up to {MAX_TIERS}, each above another number of tokens, 1 or more")
    by_class: dict[str, tuple[tuple[int, Decimal], ...]] = defaultdict(tuple)
    for tier in sorted(given.tiers, key=lambda tier: tier.above_tokens):
        for name, usd in tier.usd_per_million_tokens.items():
            by_class[name] += ((tier.above_tokens, _per_token(name, usd)),)
    return by_class


def _per_token(name: str, usd: Decimal) -> Decimal:
    _check_field(name, _BY_MILLION)
    usd = _checked(name, usd, _MAX_USD_PER_MILLION)
    if 0 < usd < _LEAST_USD_PER_MILLION:
        raise InvalidRequest(
            f"{name}: {usd:f} is implausibly low for a million tokens; if it is the price of one token, "
            f"give {_short(usd.scaleb(6))}"
        )
    return usd.scaleb(-6)


def _per_piece(name: str, usd: Decimal, field: str) -> Decimal:
    _check_field(name, field)
    return _checked(name, usd, _MAX_USD_PER_UNIT)


def _check_field(name: str, field: str) -> None:
    if name not in USAGE_CLASSES:
        known = ", ".join(USAGE_CLASSES)
        raise InvalidRequest(f"unknown usage class {name[:MAX_NAME_CHARACTERS]!r}: known are {known}")
    right = price_field(name)
    if field != right:
        raise InvalidRequest(f"{name} {_FIELDS[right]}: give its price in {right}")


def _checked(name: str, usd: Decimal, most: Decimal) -> Decimal:
    """Plain digits, without an exponent that hides how many there are."""
    if not usd.is_finite() or usd < 0:
        raise InvalidRequest(f"{name}: a price is zero or more US dollars")
    if usd > most:
        raise InvalidRequest(f"{name}: exceeds the maximum of {most:f} US dollars")
    exponent = usd.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _MAX_DECIMALS:
        raise InvalidRequest(f"{name}: a price has up to {_MAX_DECIMALS} decimals")
    return usd


def _short(usd: Decimal) -> str:
    return f"{usd.normalize():f}"
