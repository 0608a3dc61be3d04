"""Applies the price-relevant options of a request to the parsed response, where the response does not report them.

Sources: `request/options.py`.
"""

import re
from typing import Final

from msgspec.structs import replace

from schemas.usage import ParsedResponse
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.request.hints import Hints
from services.domain.usage.service_tier import SEARCH_DEPTH

# A count by cache lifetime; Bedrock's field names neither five minutes nor an hour.
_CACHE_LIFETIME: Final = re.compile(r'"(?:ephemeral_(?:5m|1h)_input_tokens|write_(?:5m|1h)_tokens)"\s*:\s*[1-9]|"ttl"')


def apply_request_hints(parsed: ParsedResponse, provider: str, hints: Hints) -> ParsedResponse:
    """`parsed` with what only the request states, or marked as incomplete where it states too little."""
    usage = parsed.usage
    if usage is None:
        return parsed
    if usage.prompt_cache_write_5m_tokens and _may_be_hour_cache(parsed, hints):
        return replace(parsed, complete=False)
    by_depth = has_quirk(provider, Quirk.FEE_BY_SEARCH_DEPTH)
    if by_depth and not usage.web_searches and SEARCH_DEPTH not in parsed.tier:
        depth = f"{SEARCH_DEPTH}{hints.search_depth}"
        return replace(parsed, tier=f"{parsed.tier}+{depth}" if parsed.tier else depth)
    return parsed


def _may_be_hour_cache(parsed: ParsedResponse, hints: Hints) -> bool:
    """Whether some of the cache writes are billed higher, and it is unknown how many."""
    return _CACHE_LIFETIME.search(parsed.usage_block) is None and hints.may_use_hour_cache
