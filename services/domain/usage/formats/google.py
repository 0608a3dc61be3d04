"""Usage as Google counts, in Gemini's own API and on Vertex: the prompt includes cached tokens, not thoughts.

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
_IMAGE_MODALITIES: Final = frozenset(
    {"IMAGE", "DOCUMENT", "VIDEO"}
)  # billed at one price where Google does not list them apart


def google_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """Raises: InvalidUsage."""
    prompt = count_field(block, "promptTokenCount") + count_field(block, "toolUsePromptTokenCount")
    cached = count_field(block, "cachedContentTokenCount")
    thoughts, candidates = count_field(block, "thoughtsTokenCount"), count_field(block, "candidatesTokenCount")
    inputs = _added(_by_modality(block, "promptTokensDetails"), _by_modality(block, "toolUsePromptTokensDetails"))
    cached_inputs, outputs = _by_modality(block, "cacheTokensDetails"), _by_modality(block, _BY_MODALITY)
    cached_audio = cached_inputs.get("AUDIO", 0)
    # Images read from the cache are billed as text read from it.
    audio, images = inputs.get("AUDIO", 0) - cached_audio, _image_tokens(inputs) - _image_tokens(cached_inputs)
    text = prompt - cached - audio - images
    output_text = candidates - outputs.get("AUDIO", 0) - _image_tokens(outputs)
    usage = Usage(
        prompt_tokens=max(0, text),
        prompt_cache_read_tokens=max(0, cached - cached_audio),
        prompt_cache_read_audio_tokens=cached_audio,
        prompt_audio_tokens=max(0, audio),
        prompt_image_tokens=max(0, images),
        completion_tokens=max(0, output_text),
        reasoning_tokens=thoughts,
        completion_audio_tokens=outputs.get("AUDIO", 0),
        completion_image_tokens=_image_tokens(outputs),
    )
    total = count_field(block, "totalTokenCount")
    consistent = min(text, audio, images, output_text, cached - cached_audio) >= 0
    adds_up = total in (0, prompt + candidates + thoughts)
    return ParsedUsage(usage, consistent and adds_up, not outputs.get("VIDEO", 0))


def hides_media(usage_block: str | UsageObject, chunks: Iterable[bytes]) -> bool:
    """Whether a response has images or audio, which cost more than text, and its usage does not list them apart."""
    return _BY_MODALITY not in usage_block and any(_MEDIA in chunk for chunk in chunks)


def interaction_usage(block: UsageObject, provider: str) -> ParsedUsage:
    """The usage of an interaction. Raises: InvalidUsage.

    If the model read more than the reported input, as with a stored conversation, the billed usage is unknown.
    """
    parsed = google_usage({name: block.get(theirs) for theirs, name in _INTERACTIONS.items()}, provider)
    reported = count_field(block, "total_input_tokens") + count_field(block, "total_tool_use_tokens")
    return ParsedUsage(parsed.usage, parsed.consistent, parsed.complete and count_field(block, _RAW_PROMPT) <= reported)


def _by_modality(block: UsageObject, name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for detail in entries(block, name):
        modality = str(detail.get("modality", "")).upper()
        counts[modality] = counts.get(modality, 0) + first_count_field(detail, "tokenCount", "tokens")
    return counts


def _added(some: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: some.get(name, 0) + more.get(name, 0) for name in (*some, *more)}


def _image_tokens(counts: Mapping[str, int]) -> int:
    return sum(count for modality, count in counts.items() if modality in _IMAGE_MODALITIES)
