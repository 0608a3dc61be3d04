"""What decides a price and stands in the request alone, where a response does not tell it.

Sources: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#1-hour-cache-duration,
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html,
https://docs.perplexity.ai/getting-started/pricing (fees by search context)
"""

import re
from typing import Final

from msgspec.structs import replace

from schemas.usage import ParsedResponse
from services.domain.usage.request.hints import Hints
from services.domain.usage.service_tier import SEARCH_DEPTH

# A figure of what lasts five minutes or an hour; Bedrock's has the name of neither.
_LIFETIME_TOLD: Final = re.compile(r'"(?:ephemeral_(?:5m|1h)_input_tokens|write_(?:5m|1h)_tokens)"\s*:\s*[1-9]|"ttl"')
_CHARGES_BY_DEPTH: Final = "PERPLEXITY"


def apply_request_hints(reading: ParsedResponse, provider: str, hints: Hints) -> ParsedResponse:
    """`reading` with what the request alone can tell of it, or marked as incomplete where it cannot."""
    usage = reading.usage
    if usage is None:
        return reading
    if usage.prompt_cache_write_5m_tokens and _may_last_an_hour(reading, hints):
        return replace(reading, complete=False)
    if provider == _CHARGES_BY_DEPTH and not usage.web_searches and SEARCH_DEPTH not in reading.tier:
        depth = f"{SEARCH_DEPTH}{hints.search_depth}"
        return replace(reading, tier=f"{reading.tier}+{depth}" if reading.tier else depth)
    return reading


def _may_last_an_hour(reading: ParsedResponse, hints: Hints) -> bool:
    """Whether some of what was written to a cache is billed higher, and nobody knows how much of it."""
    return _LIFETIME_TOLD.search(reading.usage_block) is None and hints.may_last_an_hour
