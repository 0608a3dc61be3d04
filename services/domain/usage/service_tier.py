"""What besides the model decides a price: service tier, speed, region, depth of search. '' is the standard of all.

Each is a part of the tier's name, joined by +, so that a book without a price for just that combination has none.
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
from services.domain.providers.catalog import PROVIDERS
from services.domain.providers.record import any_of
from services.domain.usage.formats.fields import UsageObject

SEARCH_DEPTH: Final = "search-"  # and low, medium or high: what Perplexity charges by the request depends on it
BATCH: Final = "batch"

_NAMES: Final = ("service_tier", "serviceTier", "trafficType")  # in a usage block; Gemini's is the second
_TOLD_IN_USAGE: Final = frozenset((*_NAMES, "speed", "inference_geo", "search_context_size"))
_STANDARD: Final = frozenset(
    {"", "default", "standard", "standard_only", "auto", "on_demand", "on-demand", "global", "not_available"}
    | {"unspecified", "traffic_type_unspecified"}
)
_UNTOLD: Final = frozenset({"", "auto", "unspecified", "traffic_type_unspecified"})  # left to the provider
# Vertex's own names of tiers. What it calls provisioned throughput was paid for beforehand and not by the token, so no
# book has a price for a tier of that name.
_TRAFFIC: Final[Mapping[str, str]] = {
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
}
# Regional endpoints cost more than global ones for the models since these.
_REGIONAL: Final = re.compile(any_of(*(provider.regional_urls for provider in PROVIDERS)))
_ONE_PRICE_EVERYWHERE: Final = re.compile(any_of(*(provider.models_without_surcharge for provider in PROVIDERS)))


def service_tier_of(said: str, block: UsageObject) -> str:
    """The tier that a response says it was billed by: `said` beside its usage, or in the usage `block` itself."""
    if said in _STANDARD and _TOLD_IN_USAGE.isdisjoint(block):
        return ""
    traffic = _tier(block.get("trafficType"))
    parts = [
        _tier(said) or _tier(block.get("service_tier")) or _tier(block.get("serviceTier")),
        _TRAFFIC.get(traffic, traffic),
        _tier(block.get("speed")),
    ]
    geo, depth = _tier(block.get("inference_geo")), block.get("search_context_size")
    if geo:
        parts.append(f"geo-{geo}")
    if isinstance(depth, str) and depth:
        parts.append(f"{SEARCH_DEPTH}{depth.lower()}")
    return "+".join(dict.fromkeys(filter(None, parts)))


def tells_tier(said: str, block: UsageObject) -> bool:
    """Whether a response names the tier that it was billed by, even if it is the standard one."""
    if said not in _UNTOLD:
        return True
    return not _TOLD_IN_USAGE.isdisjoint(block) and any(_name(block.get(name)) not in _UNTOLD for name in _NAMES)


def with_asked(reading: ParsedResponse, asked: str) -> str:
    """The tier of a response; where it names none, the one that was `asked` for.

    In a batch OpenAI's answers name the standard tier, and are billed as a batch all the same.
    """
    if not asked or reading.usage is None or (reading.tells_tier and (asked != BATCH or reading.tier)):
        return reading.tier
    return f"{asked}+{reading.tier}" if reading.tier else asked


def _tier(value: object) -> str:
    name = _name(value)
    return "" if name in _STANDARD else name


def _name(value: object) -> str:
    return value.lower().removeprefix("service_tier_") if isinstance(value, str) else ""


def with_region(tier: str, target_url: str, model: str) -> str:
    """`tier`, and that the endpoint asked is one of a region, where that is billed apart."""
    if not _is_regional(target_url) or _ONE_PRICE_EVERYWHERE.match(model) is not None:
        return tier
    return f"{tier}+regional" if tier else "regional"


@lru_cache(maxsize=1024)
def _is_regional(target_url: str) -> bool:
    return _REGIONAL.match(target_url) is not None
