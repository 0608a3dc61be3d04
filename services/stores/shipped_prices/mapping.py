"""The price lists of the `genai-prices` package -> rates by our usage classes, per unit and exact."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from genai_prices.types import ModelPrice, PriceVariant, TieredPrices

from schemas.price import MS_AN_HOUR, Rate
from services.domain.providers.price_list import PriceList

PriceFields = dict[str, Decimal | TieredPrices]  # a model's prices, by the package's names

# Usage class -> the fields that may have its price; the first that is set counts. The package has no price of cache
# writes that last twelve hours.
_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "prompt_tokens": ("input_mtok",),
    "prompt_cache_read_tokens": ("cache_read_mtok",),
    "prompt_cache_read_audio_tokens": ("cache_audio_read_mtok",),
    "prompt_cache_read_image_tokens": ("cache_image_read_mtok",),
    "prompt_cache_write_5m_tokens": ("cache_write_5m_mtok", "cache_write_mtok"),
    "prompt_cache_write_1h_tokens": ("cache_write_1h_mtok",),
    "prompt_audio_tokens": ("input_audio_mtok",),
    "prompt_image_tokens": ("input_image_mtok",),
    "prompt_video_tokens": ("input_video_mtok",),
    "prompt_audio_ms": ("input_audio_hours",),
    "prompt_characters": ("input_mchars",),
    "completion_tokens": ("output_mtok",),
    "reasoning_tokens": ("output_reasoning_mtok",),
    "completion_audio_tokens": ("output_audio_mtok",),
    "completion_image_tokens": ("output_image_mtok",),
    "completion_video_tokens": ("output_video_mtok",),
    "citation_tokens": ("output_citation_mtok",),
    "web_searches": ("web_searches_kcount",),
    "file_searches": ("storage_searches_kcount",),
    "document_pages": ("input_document_kpages",),
    "annotated_pages": ("input_annotated_document_kpages",),
}
PRICED: Final = tuple(names[0] for names in _FIELDS.values())

_FINE_TUNED: Final = re.compile(r"^ft:|\.ft-")  # these have a discount for cached input, which the package lacks

_DEPTH: Final = "search-"  # of a tier; what follows is the depth

_PER: Final = {"_mtok": -6, "_mchars": -6, "_kcount": -3, "_kpages": -3}


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
        rate = None if found is None else _rate(fields[found], found, listed)
        if rate is not None:
            rates[usage_class] = rate
    for usage_class, as_class in listed.billed_as.items():
        discounted = usage_class == "prompt_cache_read_tokens" and _FINE_TUNED.search(model)
        if usage_class not in rates and as_class in rates and not discounted:
            rates[usage_class] = rates[as_class]
    if listed.speech_models and re.search(listed.speech_models, model) and "completion_tokens" in rates:
        rates.setdefault("completion_audio_tokens", rates["completion_tokens"])
    return _included(fields) | rates


def _included(fields: PriceFields) -> dict[str, Rate]:
    """Classes whose price is part of another: text by the length of its audio, searches by the request."""
    classes = [*included_in(fields), *(["web_searches"] if "requests_kcount" in fields else [])]
    return {usage_class: Rate(usd=Decimal(0)) for usage_class in classes}


def included_in(fields: PriceFields) -> dict[str, str]:
    """Class -> the class whose price includes it. Models that are sold by the hour also return text."""
    by_length = "input_audio_hours" in fields and "input_mtok" not in fields
    return dict.fromkeys(("prompt_tokens", "completion_tokens"), "prompt_audio_ms") if by_length else {}


def has_tiers(fields: PriceFields) -> bool:
    """Whether any price depends on the size of the prompt."""
    return any(isinstance(value, TieredPrices) for value in fields.values())


def usd_per_request(fields: PriceFields) -> Decimal:
    value = fields.get("requests_kcount", Decimal(0))
    return (value.base if isinstance(value, TieredPrices) else value).scaleb(_PER["_kcount"])


def _rate(value: Decimal | TieredPrices, name: str, listed: PriceList) -> Rate | None:
    """Per unit, as moving the decimal point is exact; by the hour what is sold by it."""
    if name.endswith("_hours"):
        return _by_the_hour(value, listed.least_audio_ms)
    exponent = _PER[name[name.rindex("_") :]]
    if isinstance(value, TieredPrices):
        tiers = tuple((tier.start, tier.price.scaleb(exponent)) for tier in value.tiers)
        return Rate(usd=value.base.scaleb(exponent), tiers=tiers)
    return Rate(usd=value.scaleb(exponent))


def _by_the_hour(value: Decimal | TieredPrices, at_least: int) -> Rate | None:
    """None for tiers, which no list has."""
    return None if isinstance(value, TieredPrices) else Rate(usd=value, per=MS_AN_HOUR, at_least=at_least)
