"""What besides the model decides a price: service tier, speed, region, depth of search. '' is the standard of each.

Each is a part of the tier's name, joined by +, so that a combination without a price of its own has none.
Sources: https://platform.openai.com/docs/guides/priority-processing, .../guides/your-data,
https://docs.anthropic.com/en/docs/build-with-claude/data-residency, .../fast-mode,
https://cloud.google.com/vertex-ai/generative-ai/pricing, .../docs/provisioned-throughput/use-provisioned-throughput,
https://docs.perplexity.ai/getting-started/pricing
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from schemas.usage import ParsedResponse
from services.domain.providers.catalog import PROVIDERS, provider_named
from services.domain.providers.record import any_of
from services.domain.usage.formats.fields import UsageObject

SEARCH_DEPTH: Final = "search-"  # and low, medium or high: Perplexity's fee for each request depends on it
REGION: Final = "region-"  # and its name, where a seller's price list is of other regions
BATCH: Final = "batch"

_NAMES: Final = ("service_tier", "serviceTier", "trafficType")  # in a usage object; Gemini's is the second
_NAMED_IN_USAGE: Final = frozenset((*_NAMES, "speed", "inference_geo", "search_context_size"))
_STANDARD: Final = frozenset(
    {"", "default", "standard", "standard_only", "auto", "on_demand", "on-demand", "global", "not_available"}
    | {"unspecified", "traffic_type_unspecified"}
)
_UNSPECIFIED: Final = frozenset({"", "auto", "unspecified", "traffic_type_unspecified"})  # the provider chooses
# Vertex's own names of tiers. Provisioned throughput is paid for in advance and not by the token: no price book has a
# tier of that name.
_TRAFFIC: Final[Mapping[str, str]] = {
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
}
# Regional endpoints cost more than global ones for the models since these.
_REGIONAL: Final = re.compile(any_of(*(provider.regional_urls for provider in PROVIDERS)))
_ONE_PRICE_EVERYWHERE: Final = re.compile(any_of(*(provider.models_without_surcharge for provider in PROVIDERS)))


def service_tier_of(named: str, block: UsageObject) -> str:
    """The tier that a response reports as billed: `named` beside its usage, or in the usage `block` itself."""
    if named in _STANDARD and _NAMED_IN_USAGE.isdisjoint(block):
        return ""
    traffic = _tier(block.get("trafficType"))
    parts = [
        _tier(named) or _tier(block.get("service_tier")) or _tier(block.get("serviceTier")),
        _TRAFFIC.get(traffic, traffic),
        _tier(block.get("speed")),
    ]
    geo, depth = _tier(block.get("inference_geo")), block.get("search_context_size")
    if geo:
        parts.append(f"geo-{geo}")
    if isinstance(depth, str) and depth:
        parts.append(f"{SEARCH_DEPTH}{depth.lower()}")
    return "+".join(dict.fromkeys(filter(None, parts)))


def names_tier(named: str, block: UsageObject) -> bool:
    """Whether a response names the billed tier, even if it is the standard one."""
    if named not in _UNSPECIFIED:
        return True
    return not _NAMED_IN_USAGE.isdisjoint(block) and any(_name(block.get(name)) not in _UNSPECIFIED for name in _NAMES)


def with_requested_tier(parsed: ParsedResponse, requested: str) -> str:
    """The tier of a response; where it names none, the `requested` one.

    In a batch OpenAI's responses name the standard tier, and are billed as a batch all the same.
    """
    if not requested or parsed.usage is None or (parsed.names_tier and (requested != BATCH or parsed.tier)):
        return parsed.tier
    return f"{requested}+{parsed.tier}" if parsed.tier else requested


def _tier(value: object) -> str:
    name = _name(value)
    return "" if name in _STANDARD else name


def _name(value: object) -> str:
    return value.lower().removeprefix("service_tier_") if isinstance(value, str) else ""


def with_region(tier: str, provider: str, target_url: str, model: str) -> str:
    """`tier`, marked with the region of the endpoint, or as regional, where that is billed apart."""
    region = _region_apart(provider, target_url, model)
    if region:
        region = f"{REGION}{region}"
    elif _is_regional(target_url) and _ONE_PRICE_EVERYWHERE.match(model) is None:
        region = "regional"
    return "+".join(filter(None, (tier, region)))


def _region_apart(provider: str, target_url: str, model: str) -> str:
    """The region that a URL names, else a model; '' where none is, or where the price list has its price."""
    prices = provider_named(provider).prices
    if prices is None or prices.regions is None:
        return ""
    region = _named_region(prices.regions.named_in_urls, target_url)
    region = region or _named_region(prices.regions.named_in_models, model)
    return "" if not region or prices.regions.holds(region, model) else region


@lru_cache(maxsize=4096)
def _named_region(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return "" if found is None else next(filter(None, found.groups()), "")


@lru_cache(maxsize=1024)
def _is_regional(target_url: str) -> bool:
    return _REGIONAL.match(target_url) is not None
