"""What decides a price and stands in the request alone, where a response does not tell it.

Sources: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#1-hour-cache-duration,
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html,
https://docs.perplexity.ai/getting-started/pricing (fees by search context)
"""

import re
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse
from services.domain.exchange.body import Body
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.hints import Hints
from services.domain.usage.service_tier import SEARCH_DEPTH

# A figure of what lasts five minutes or an hour; Bedrock's has the name of neither.
_LIFETIME_TOLD: Final = re.compile(r'"(?:ephemeral_(?:5m|1h)_input_tokens|write_(?:5m|1h)_tokens)"\s*:\s*[1-9]|"ttl"')
_AN_HOUR: Final = re.compile(rb'"ttl"\s*:\s*"1h"')  # inside of a text a backslash would stand before each quote
_DEPTHS: Final = frozenset(("low", "medium", "high"))
_UNKNOWN: Final = "unknown"  # the depth of a search that nobody names: no book has a price for it


class _Search(msgspec.Struct):
    search_context_size: str = _UNKNOWN


class _Request(msgspec.Struct):
    web_search_options: _Search | None = None


_requests = msgspec.json.Decoder(_Request)


def apply_request_hints(reading: ParsedResponse, provider: str, hints: Hints) -> ParsedResponse:
    """`reading` with what the request alone can tell of it, or marked as incomplete where it cannot."""
    usage = reading.usage
    if usage is None:
        return reading
    if usage.prompt_cache_write_5m_tokens and _may_last_an_hour(reading, hints):
        return replace(reading, complete=False)
    by_depth = has_quirk(provider, Quirk.FEE_BY_SEARCH_DEPTH)
    if by_depth and not usage.web_searches and SEARCH_DEPTH not in reading.tier:
        depth = f"{SEARCH_DEPTH}{hints.search_depth}"
        return replace(reading, tier=f"{reading.tier}+{depth}" if reading.tier else depth)
    return reading


def _may_last_an_hour(reading: ParsedResponse, hints: Hints) -> bool:
    """Whether some of what was written to a cache is billed higher, and nobody knows how much of it."""
    return _LIFETIME_TOLD.search(reading.usage_block) is None and hints.may_last_an_hour


def asks_for_an_hour(request: Body) -> bool:
    """Whether a request may ask for a cache that lasts an hour."""
    return not request.whole or _AN_HOUR.search(request.content) is not None


def asked_depth(request: bytes) -> str:
    """How deep a request asks to search: low, medium or high, or a word for not saying."""
    try:
        search = _requests.decode(request).web_search_options
    except UNDECODABLE:
        return _UNKNOWN
    depth = _UNKNOWN if search is None else search.search_context_size.lower()
    return depth if depth in _DEPTHS else _UNKNOWN
