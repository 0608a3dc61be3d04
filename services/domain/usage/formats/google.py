"""Usage as Google counts, in Gemini's own API and on Vertex: the prompt includes cached tokens, not thoughts.

Interactions count the same under other names, and the Live API names its output a response.
Sources: https://ai.google.dev/api/generate-content#UsageMetadata, https://ai.google.dev/api/live#UsageMetadata,
https://ai.google.dev/api/interactions-api
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from schemas.usage import Usage
from services.domain.usage.formats.fields import ParsedUsage, UsageObject, count_field, entries, first_count_field
from services.domain.usage.formats.unrecognized import Names

# Each also as some servers spell it.
_INPUTS: Final = ("promptTokensDetails", "promptTokenDetails")
_TOOL_INPUTS: Final = ("toolUsePromptTokensDetails", "toolUsePromptTokenDetails")
_CACHED: Final = ("cacheTokensDetails", "cacheTokenDetails")
_OUTPUTS: Final = (
    "candidatesTokensDetails",
    "candidatesTokenDetails",
    "responseTokensDetails",
    "responseTokenDetails",
)
_OUTPUT: Final = ("candidatesTokenCount", "responseTokenCount")
GOOGLE_NAMES: Final[Names] = {
    "": frozenset(
        (
            *("promptTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount"),
            *("thoughtsTokenCount", *_OUTPUT, "totalTokenCount", *_INPUTS, *_TOOL_INPUTS, *_CACHED, *_OUTPUTS),
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
INTERACTION_NAMES: Final[Names] = {
    # The first turn's input is a part of the total.
    "": frozenset((*_INTERACTIONS, _RAW_PROMPT, "model_invocation_token_counts", "initial_input_tokens"))
}

_MEDIA: Final = b'"inlineData"'
_IMAGE_MODALITIES: Final = frozenset({"IMAGE", "DOCUMENT"})  # billed at one price
_SPEECH_MODELS: Final = re.compile(r"-tts\b")  # which return nothing but audio


def google_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """Raises: InvalidUsage."""
    prompt = count_field(block, "promptTokenCount") + count_field(block, "toolUsePromptTokenCount")
    cached = count_field(block, "cachedContentTokenCount")
    thoughts, candidates = count_field(block, "thoughtsTokenCount"), first_count_field(block, *_OUTPUT)
    inputs = _added(_by_modality(block, *_INPUTS), _by_modality(block, *_TOOL_INPUTS))
    cached_inputs, outputs = _by_modality(block, *_CACHED), _by_modality(block, *_OUTPUTS)
    cached_audio = cached_inputs.get("AUDIO", 0)
    # Images and video read from the cache are billed as text read from it.
    audio, images = inputs.get("AUDIO", 0) - cached_audio, _image_tokens(inputs) - _image_tokens(cached_inputs)
    video = inputs.get("VIDEO", 0) - cached_inputs.get("VIDEO", 0)
    text = prompt - cached - audio - images - video
    output_audio, output_video = outputs.get("AUDIO", 0), outputs.get("VIDEO", 0)
    output_text = candidates - output_audio - output_video - _image_tokens(outputs)
    usage = Usage(
        prompt_tokens=max(0, text),
        prompt_cache_read_tokens=max(0, cached - cached_audio),
        prompt_cache_read_audio_tokens=cached_audio,
        prompt_audio_tokens=max(0, audio),
        prompt_image_tokens=max(0, images),
        prompt_video_tokens=max(0, video),
        completion_tokens=max(0, output_text),
        reasoning_tokens=thoughts,
        completion_audio_tokens=output_audio,
        completion_image_tokens=_image_tokens(outputs),
        completion_video_tokens=output_video,
    )
    total = count_field(block, "totalTokenCount")
    consistent = min(text, audio, images, video, output_text, cached - cached_audio) >= 0
    return ParsedUsage(usage, consistent and total in (0, prompt + candidates + thoughts))


def hides_media(usage_block: str | UsageObject, chunks: Iterable[bytes], model: str) -> bool:
    """Whether a response has images or audio, which cost more than text, and its usage does not list them apart.

    Models of speech have one price for all that they return.
    """
    if any(name in usage_block for name in _OUTPUTS) or _SPEECH_MODELS.search(model):
        return False
    return any(_MEDIA in chunk for chunk in chunks)


def interaction_usage(block: UsageObject, provider: str) -> ParsedUsage:
    """The usage of an interaction. Raises: InvalidUsage.

    If the model read more than the reported input, as with a stored conversation, the billed usage is unknown.
    """
    parsed = google_usage({name: block.get(theirs) for theirs, name in _INTERACTIONS.items()}, provider)
    reported = count_field(block, "total_input_tokens") + count_field(block, "total_tool_use_tokens")
    return ParsedUsage(parsed.usage, parsed.consistent, parsed.complete and count_field(block, _RAW_PROMPT) <= reported)


def _by_modality(block: UsageObject, *names: str) -> dict[str, int]:
    """The counts under the first of `names` that has any."""
    counts: dict[str, int] = {}
    for detail in next(filter(None, (entries(block, name) for name in names)), []):
        modality = str(detail.get("modality", "")).upper()
        counts[modality] = counts.get(modality, 0) + first_count_field(detail, "tokenCount", "tokens")
    return counts


def _added(some: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: some.get(name, 0) + more.get(name, 0) for name in (*some, *more)}


def _image_tokens(counts: Mapping[str, int]) -> int:
    return sum(count for modality, count in counts.items() if modality in _IMAGE_MODALITIES)
