"""Usage as Google counts, in Gemini's own API and on Vertex: what was cached is inside the prompt, thoughts are beside.

Interactions count the same under other names.
Sources: https://ai.google.dev/api/generate-content#UsageMetadata, https://ai.google.dev/api/interactions-api
"""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.usage import Usage
from services.domain.usage.formats.fields import ParsedUsage, UsageObject, count_field, entries, first_count_field
from services.domain.usage.formats.unrecognized import Names

GOOGLE_NAMES: Final[Names] = {
    "": frozenset(
        (
            *("promptTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount"),
            *("thoughtsTokenCount", "candidatesTokenCount", "totalTokenCount"),
            *("promptTokensDetails", "toolUsePromptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails"),
        )
    )
}
_INTERACTIONS: Final[Mapping[str, str]] = {
    "total_input_tokens": "promptTokenCount",
    "total_tool_use_tokens": "toolUsePromptTokenCount",
    "total_cached_tokens": "cachedContentTokenCount",
    "total_thought_tokens": "thoughtsTokenCount",
    "total_output_tokens": "candidatesTokenCount",
    "total_tokens": "totalTokenCount",
    "input_tokens_by_modality": "promptTokensDetails",
    "tool_use_tokens_by_modality": "toolUsePromptTokensDetails",
    "cached_tokens_by_modality": "cacheTokensDetails",
    "output_tokens_by_modality": "candidatesTokensDetails",
}
_RAW_PROMPT: Final = "raw_prompt_token"
INTERACTION_NAMES: Final[Names] = {"": frozenset((*_INTERACTIONS, _RAW_PROMPT, "model_invocation_token_counts"))}

_BY_MODALITY: Final = "candidatesTokensDetails"
_MEDIA: Final = b'"inlineData"'
_SEEN: Final = frozenset({"IMAGE", "DOCUMENT", "VIDEO"})  # billed at one price where Google does not list them apart


def google_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """What `block` says. Raises: InvalidUsage."""
    prompt = count_field(block, "promptTokenCount") + count_field(block, "toolUsePromptTokenCount")
    cached = count_field(block, "cachedContentTokenCount")
    thoughts, candidates = count_field(block, "thoughtsTokenCount"), count_field(block, "candidatesTokenCount")
    given = _added(_by_modality(block, "promptTokensDetails"), _by_modality(block, "toolUsePromptTokensDetails"))
    read, made = _by_modality(block, "cacheTokensDetails"), _by_modality(block, _BY_MODALITY)
    heard = read.get("AUDIO", 0)
    # Images that were read from the cache are billed as any other text that was.
    audio, seen = given.get("AUDIO", 0) - heard, _seen(given) - _seen(read)
    text, answered = prompt - cached - audio - seen, candidates - made.get("AUDIO", 0) - _seen(made)
    usage = Usage(
        prompt_tokens=max(0, text),
        prompt_cache_read_tokens=max(0, cached - heard),
        prompt_cache_read_audio_tokens=heard,
        prompt_audio_tokens=max(0, audio),
        prompt_image_tokens=max(0, seen),
        completion_tokens=max(0, answered),
        reasoning_tokens=thoughts,
        completion_audio_tokens=made.get("AUDIO", 0),
        completion_image_tokens=_seen(made),
    )
    total = count_field(block, "totalTokenCount")
    consistent = min(text, audio, seen, answered, cached - heard) >= 0 and total in (0, prompt + candidates + thoughts)
    return ParsedUsage(usage, consistent, not made.get("VIDEO", 0))


def hides_media(usage_block: str | UsageObject, chunks: Iterable[bytes]) -> bool:
    """Whether a response holds images or sounds, which cost more than text, and its usage does not tell them apart."""
    return _BY_MODALITY not in usage_block and any(_MEDIA in chunk for chunk in chunks)


def interaction_usage(block: UsageObject, provider: str) -> ParsedUsage:
    """What `block` says of an interaction. Raises: InvalidUsage.

    Where the model read more than Google says was put in, as a kept conversation makes it, nobody knows what is billed.
    """
    counted = google_usage({name: block.get(theirs) for theirs, name in _INTERACTIONS.items()}, provider)
    told = count_field(block, "total_input_tokens") + count_field(block, "total_tool_use_tokens")
    return ParsedUsage(counted.usage, counted.consistent, counted.complete and count_field(block, _RAW_PROMPT) <= told)


def _by_modality(block: UsageObject, name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for detail in entries(block, name):
        modality = str(detail.get("modality", "")).upper()
        counts[modality] = counts.get(modality, 0) + first_count_field(detail, "tokenCount", "tokens")
    return counts


def _added(some: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: some.get(name, 0) + more.get(name, 0) for name in (*some, *more)}


def _seen(counts: Mapping[str, int]) -> int:
    return sum(count for modality, count in counts.items() if modality in _SEEN)
