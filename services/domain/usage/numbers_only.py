"""A parsed response without free text: counts, and the keywords that providers put beside them.

A usage object is the provider's own, but one that a client logged may hold anything, under any name.
"""

import re
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse
from services.domain.usage.formats.registry import KNOWN_NAMES
from services.domain.usage.request.info import MAX_NAME_CHARACTERS

_DEEPEST: Final = 6
# Names beside the counts. Any name that is in none of these lists may be free text of the client that logged the call.
_BESIDE: Final = frozenset(
    ("modality", "type", "ttl", "service_tier", "serviceTier", "trafficType", "speed", "inference_geo")
)
_COSTS: Final = frozenset(
    (
        *("cost", "total_cost", "estimated_cost", "cost_in_usd_ticks", "input_tokens_cost", "output_tokens_cost"),
        *("request_cost", "citation_tokens_cost", "reasoning_tokens_cost", "search_queries_cost"),  # Perplexity's
        *("cost_details", "upstream_inference_cost", "upstream_inference_prompt_cost"),  # OpenRouter's
        "upstream_inference_completions_cost",
    )
)
_TOOLS: Final = frozenset(  # OpenAI's
    ("tool_usage", "svg_usage", "web_search", "num_requests", "image_gen", "cached_image_tokens", "cached_text_tokens")
)
_KEPT: Final = KNOWN_NAMES | _BESIDE | _COSTS | _TOOLS
_WORDS: Final = frozenset(  # in lower case
    (
        *("default", "standard", "standard_only", "auto", "priority", "flex", "scale", "batch", "fast", "optimized"),
        *("on_demand", "on_demand_flex", "on_demand_priority", "provisioned_throughput"),
        *("unspecified", "traffic_type_unspecified", "not_available", "global", "us", "eu"),
        *("low", "medium", "high", "5m", "1h", "tokens", "duration", "message", "compaction", "advisor_message"),
        *("text", "image", "audio", "video", "document"),
    )
)
_TIER: Final = re.compile(r"[a-z0-9][a-z0-9+._-]{0,99}")
_UNRECOGNIZED_TIER: Final = "unrecognized"  # no price book has a price for it, nor had one for the text
_NOTHING: Final = object()

_blocks = msgspec.json.Decoder(dict[str, object])


def without_text(parsed: ParsedResponse) -> ParsedResponse:
    """`parsed` with nothing in it but numbers, flags and names. Idempotent."""
    return replace(
        parsed,
        model=parsed.model[:MAX_NAME_CHARACTERS],
        other_models=tuple(replace(other, model=other.model[:MAX_NAME_CHARACTERS]) for other in parsed.other_models),
        tier=parsed.tier if not parsed.tier or _TIER.fullmatch(parsed.tier) else _UNRECOGNIZED_TIER,
        usage_block=_numbers_in(parsed.usage_block),
    )


def _numbers_in(usage_block: str) -> str:
    """JSON text; '' when there is none, or it cannot be decoded."""
    if not usage_block:
        return ""
    try:
        return msgspec.json.encode(_numbers(_blocks.decode(usage_block), 0)).decode()
    except UNDECODABLE:
        return ""


def _numbers(value: object, depth: int) -> object:
    if isinstance(value, dict):
        kept = {name: _numbers(inner, depth + 1) for name, inner in value.items() if name in _KEPT}
        return {name: inner for name, inner in kept.items() if inner is not _NOTHING} if depth < _DEEPEST else _NOTHING
    if isinstance(value, list):
        found = [_numbers(one, depth + 1) for one in value] if depth < _DEEPEST else []
        return [one for one in found if one is not _NOTHING]
    if isinstance(value, str):
        return value if value.lower() in _WORDS else _NOTHING
    return value
