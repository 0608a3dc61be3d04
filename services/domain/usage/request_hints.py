"""Applies the price-relevant options of a request to the parsed response, where the response does not report them.

Sources: `request/options.py`, `request/billed.py`.
"""

import re
from typing import Final

from msgspec.structs import replace

from schemas.event import ExchangeEvent, Outcome
from schemas.usage import ModelUsage, ParsedResponse, Usage
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.request.hints import Hints
from services.domain.usage.service_tier import SEARCH_DEPTH

# A count by cache lifetime; Bedrock's field names neither five minutes nor an hour.
_CACHE_LIFETIME: Final = re.compile(
    r'"(?:ephemeral_(?:5m|1h)_input_tokens|write_(?:5m|1h)_tokens|ttl_(?:30m|12h)_tokens)"\s*:\s*[1-9]|"ttl"'
)
_TWELVE_HOURS: Final = "12h"
_WHOLE: Final = (Outcome.COMPLETED, Outcome.CACHED)


def apply_request_hints(parsed: ParsedResponse, provider: str, hints: Hints) -> ParsedResponse:
    """`parsed` with what only the request states, or marked as incomplete where it states too little."""
    usage = parsed.usage
    if usage is None:
        return parsed
    if parsed.other_models:
        parsed = _with_image_model(parsed, hints)
    if _writes_to_cache(usage, parsed.other_models) and _CACHE_LIFETIME.search(parsed.usage_block) is None:
        return _with_lifetime(parsed, usage, hints)
    if usage.document_pages:
        return _with_annotations(parsed, usage, hints.annotates_pages)
    by_depth = has_quirk(provider, Quirk.FEE_BY_SEARCH_DEPTH)
    if by_depth and not usage.web_searches and SEARCH_DEPTH not in parsed.tier:
        depth = f"{SEARCH_DEPTH}{hints.search_depth}"
        return replace(parsed, tier=f"{parsed.tier}+{depth}" if parsed.tier else depth)
    return parsed


def with_spoken_text(parsed: ParsedResponse, event: ExchangeEvent, hints: Hints, content_type: str) -> ParsedResponse:
    """`parsed`; of speech, which reports no usage, with the characters of the text where those are billed."""
    response = event.response
    if parsed.usage is not None or not content_type.startswith("audio/"):
        return parsed
    if response.outcome not in _WHOLE or (response.status or 0) >= 400 or not hints.spoken_characters:
        return parsed
    return replace(parsed, usage=Usage(prompt_characters=hints.spoken_characters))


def _with_image_model(parsed: ParsedResponse, hints: Hints) -> ParsedResponse:
    """`parsed`; the only other model without a name is the one that draws, which older responses do not repeat."""
    if all(other.model for other in parsed.other_models):
        return parsed
    named = (other if other.model else replace(other, model=hints.image_model) for other in parsed.other_models)
    return replace(parsed, other_models=tuple(named))


def _writes_to_cache(usage: Usage, others: tuple[ModelUsage, ...]) -> bool:
    return bool(usage.prompt_cache_write_5m_tokens) or any(one.usage.prompt_cache_write_5m_tokens for one in others)


def _with_lifetime(parsed: ParsedResponse, usage: Usage, hints: Hints) -> ParsedResponse:
    """`parsed`, whose cache writes have the lifetime that the request states, if one can be told for all of them."""
    if hints.cache_lifetime == _TWELVE_HOURS:
        written = usage.prompt_cache_write_5m_tokens
        return replace(
            parsed, usage=replace(usage, prompt_cache_write_5m_tokens=0, prompt_cache_write_12h_tokens=written)
        )
    return replace(parsed, complete=False) if hints.may_use_hour_cache else parsed


def _with_annotations(parsed: ParsedResponse, usage: Usage, annotated: bool | None) -> ParsedResponse:
    """`parsed`, whose pages cost more where the request asked for annotations."""
    if annotated is None:
        return replace(parsed, complete=False)
    if not annotated:
        return parsed
    return replace(parsed, usage=replace(usage, document_pages=0, annotated_pages=usage.document_pages))
