"""The price lists of the `genai-prices` package -> rates by our usage classes, per unit and exact."""

import re
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact
from typing import Final

from genai_prices.types import ModelPrice, PriceVariant, TieredPrices

from schemas.price import Rate
from services.domain.providers.price_list import PriceList

PriceFields = dict[str, Decimal | TieredPrices]  # a model's prices, by the package's names

# Usage class -> the fields that may have its price; the first that is set counts.
_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "prompt_tokens": ("input_mtok",),
    "prompt_cache_read_tokens": ("cache_read_mtok",),
    "prompt_cache_read_audio_tokens": ("cache_audio_read_mtok",),
    "prompt_cache_write_5m_tokens": ("cache_write_5m_mtok", "cache_write_mtok"),
    "prompt_cache_write_1h_tokens": ("cache_write_1h_mtok",),
    "prompt_audio_tokens": ("input_audio_mtok",),
    "prompt_image_tokens": ("input_image_mtok",),
    "prompt_audio_seconds": ("input_audio_hours",),
    "completion_tokens": ("output_mtok",),
    "reasoning_tokens": ("output_reasoning_mtok",),
    "completion_audio_tokens": ("output_audio_mtok",),
    "completion_image_tokens": ("output_image_mtok",),
    "citation_tokens": ("output_citation_mtok",),
    "web_searches": ("web_searches_kcount",),
    "file_searches": ("storage_searches_kcount",),
}
PRICED: Final = tuple(names[0] for names in _FIELDS.values())

_FINE_TUNED: Final = re.compile(r"^ft:|\.ft-")  # these have a discount for cached input, which the package lacks

_DEPTH: Final = "search-"  # of a tier; what follows is the depth

_PER: Final = {"_mtok": -6, "_kcount": -3}
_SECONDS_AN_HOUR: Final = 3600
_EXACT: Final = Context(prec=28, traps=[Inexact])


def price_fields(standard: ModelPrice, overlays: Sequence[PriceVariant]) -> PriceFields:
    """The prices by the package's names; of several overlays the first that prices a name wins."""
    fields = {name: value for name, value in vars(standard).items() if value is not None}
    for overlay in reversed(overlays):
        fields.update({name: value for name, value in vars(overlay.prices).items() if value is not None})
    return fields


def at_search_depth(
    fields: PriceFields, tier: str, search_fees: Mapping[Decimal, Mapping[str, Decimal]]
) -> PriceFields | None:
    """`fields` with the fee a request of the search depth in `tier`; None without one that is known.

    `search_fees` are by the listed fee and the depth, in US dollars a thousand requests.
    """
    if not search_fees or not tier.startswith(_DEPTH):
        return None
    listed_fee = fields.get("requests_kcount")
    if listed_fee is None:
        return fields
    fees = search_fees.get(listed_fee, {}) if isinstance(listed_fee, Decimal) else {}
    fee = fees.get(tier.removeprefix(_DEPTH))
    return None if fee is None else fields | {"requests_kcount": fee}


def rates_of(listed: PriceList, model: str, fields: PriceFields) -> dict[str, Rate]:
    """By usage class, in US dollars per unit. A class that is billed in a way unknown to us has none."""
    rates = {}
    for usage_class, names in _FIELDS.items():
        found = next((name for name in names if name in fields), None)
        rate = None if found is None else _rate(fields[found], found)
        if rate is not None:
            rates[usage_class] = rate
    for usage_class, as_class in listed.billed_as.items():
        discounted = usage_class == "prompt_cache_read_tokens" and _FINE_TUNED.search(model)
        if usage_class not in rates and as_class in rates and not discounted:
            rates[usage_class] = rates[as_class]
    if "input_video_mtok" in fields:
        rates.pop("prompt_image_tokens", None)  # we count video as images, which cost less there
    return _included(fields) | rates


def _included(fields: PriceFields) -> dict[str, Rate]:
    """Classes whose price is part of another: text by the length of its audio, searches by the request."""
    classes = [*included_in(fields), *(["web_searches"] if "requests_kcount" in fields else [])]
    return {usage_class: Rate(usd=Decimal(0)) for usage_class in classes}


def included_in(fields: PriceFields) -> dict[str, str]:
    """Class -> the class whose price includes it. Models that are sold by the hour also return text."""
    by_length = "input_audio_hours" in fields and "input_mtok" not in fields
    return dict.fromkeys(("prompt_tokens", "completion_tokens"), "prompt_audio_seconds") if by_length else {}


def has_tiers(fields: PriceFields) -> bool:
    """Whether any price depends on the size of the prompt."""
    return any(isinstance(value, TieredPrices) for value in fields.values())


def usd_per_request(fields: PriceFields) -> Decimal:
    value = fields.get("requests_kcount", Decimal(0))
    return (value.base if isinstance(value, TieredPrices) else value).scaleb(_PER["_kcount"])


def _rate(value: Decimal | TieredPrices, name: str) -> Rate | None:
    """Per unit. Moving the decimal point is exact; a division that is not gives no rate."""
    if name.endswith("_hours"):
        return _per_second(value)
    exponent = _PER[name[name.rindex("_") :]]
    if isinstance(value, TieredPrices):
        tiers = tuple((tier.start, tier.price.scaleb(exponent)) for tier in value.tiers)
        return Rate(usd=value.base.scaleb(exponent), tiers=tiers)
    return Rate(usd=value.scaleb(exponent))


def _per_second(value: Decimal | TieredPrices) -> Rate | None:
    if isinstance(value, TieredPrices):
        return None
    try:
        return Rate(usd=_EXACT.divide(value, Decimal(_SECONDS_AN_HOUR)))
    except Inexact:
        return None
