"""Usage as OpenAI counts, in chat completions, responses, embeddings, images and audio, and all compatible APIs.

The prompt includes cached, written, audio and image tokens; the completion includes reasoning and audio.
Sources: https://platform.openai.com/docs/api-reference/chat/object, .../responses/object,
https://platform.openai.com/docs/guides/prompt-caching, https://api-docs.deepseek.com/guides/kv_cache,
https://docs.x.ai/docs/api-reference, https://docs.perplexity.ai/api-reference/chat-completions-post,
https://docs.mistral.ai/capabilities/audio_transcription
"""

from typing import Final

import msgspec

from schemas.usage import Usage
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.formats.anthropic import SERVER_TOOLS
from services.domain.usage.formats.fields import (
    ParsedUsage,
    UsageObject,
    count_field,
    first_count_field,
    milliseconds_field,
    section,
)
from services.domain.usage.formats.openai_prompt import PROMPT_NAMES, READ_BESIDE, prompt_classes
from services.domain.usage.formats.unrecognized import Names, counts_more

_PROMPT: Final = ("prompt_tokens", "input_tokens")
_COMPLETION: Final = ("completion_tokens", "output_tokens")
# LangChain's is the last.
_COMPLETION_DETAILS: Final = ("completion_tokens_details", "output_tokens_details", "output_token_details")
_COMPLETION_NAMES: Final = frozenset(
    (
        *("reasoning_tokens", "reasoning", "text_tokens", "audio_tokens", "audio", "image_tokens", "video_tokens"),
        *("accepted_prediction_tokens", "rejected_prediction_tokens"),
    )
)
OPENAI_NAMES: Final[Names] = {
    "": frozenset(
        (
            *(*_PROMPT, *_COMPLETION, *READ_BESIDE, "total_tokens", "reasoning_tokens", "prompt_cache_miss_tokens"),
            *("cache_creation_input_tokens", "prompt_audio_seconds", "citation_tokens", "num_search_queries"),
            "num_cached_tokens",  # Mistral's, which says nothing of the price
        )
    ),
    **PROMPT_NAMES,
    **dict.fromkeys(_COMPLETION_DETAILS, _COMPLETION_NAMES),
    "server_tool_use": SERVER_TOOLS,
}
_TOTAL_NAMES: Final[Names] = {"": frozenset(("total_tokens",))}
DURATION_NAMES: Final[Names] = {"": frozenset(("seconds",))}
# Names that only Perplexity uses, whichever provider a call was logged under.
_PERPLEXITYS: Final = frozenset(("num_search_queries", "citation_tokens", "search_context_size"))
_RARE: Final = frozenset(("server_tool_use", "num_search_queries", "prompt_audio_seconds", "citation_tokens"))


def openai_usage(block: UsageObject, provider: str) -> ParsedUsage:
    """Raises: InvalidUsage."""
    prompt, completion = first_count_field(block, *_PROMPT), first_count_field(block, *_COMPLETION)
    if not prompt and not completion and block.get("total_tokens"):
        return _total_alone(block)
    names_agree, reported = _agree(block, _PROMPT) and _agree(block, _COMPLETION), True
    if not prompt:
        reported = any(block.get(name) is not None for name in _PROMPT)
    of_prompt, certain = prompt_classes(block, prompt, completion)
    of_completion, consistent = _completion(block, sum(of_prompt.values()), completion, provider)
    parts = of_prompt | of_completion
    if min(parts.values()) < 0:
        consistent, parts = False, {name: max(0, count) for name, count in parts.items()}
    if not _RARE.isdisjoint(block):
        parts |= _beside(block)
    return ParsedUsage(Usage(**parts), consistent and names_agree and certain, reported)


def _total_alone(block: UsageObject) -> ParsedUsage:
    """Embeddings and rankings of some providers report only a total. Beside other counts it is no prompt."""
    return ParsedUsage(
        Usage(prompt_tokens=count_field(block, "total_tokens")), complete=not counts_more(block, _TOTAL_NAMES)
    )


def as_images(parsed: ParsedUsage, block: UsageObject) -> ParsedUsage:
    """`parsed` for a response of images: without details all output is image."""
    if section(block, *_COMPLETION_DETAILS):
        return parsed
    images = parsed.usage.completion_tokens
    usage = msgspec.structs.replace(parsed.usage, completion_tokens=0, completion_image_tokens=images)
    return ParsedUsage(usage, parsed.consistent, parsed.complete)


def reports_output(block: UsageObject) -> bool:
    return any(name in block for name in _COMPLETION)


def _agree(block: UsageObject, names: tuple[str, str]) -> bool:
    """Whether two names of one count do not have different values. A zero is a field that was not filled in."""
    if names[0] not in block or names[1] not in block:
        return True
    one, other = (count_field(block, name) for name in names)
    return one == other or not one or not other


def _beside(block: UsageObject) -> dict[str, int]:
    """Counts that are no tokens of the prompt or the completion."""
    searches = count_field(section(block, "server_tool_use"), "web_search_requests")
    return {
        "prompt_audio_ms": _audio_ms(block),
        "citation_tokens": count_field(block, "citation_tokens"),
        "web_searches": searches + count_field(block, "num_search_queries"),
    }


def duration_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """Transcriptions that are billed by the length of the audio. Raises: InvalidUsage."""
    return ParsedUsage(Usage(prompt_audio_ms=milliseconds_field(block, "seconds")))


def _audio_ms(block: UsageObject) -> int:
    return milliseconds_field(block, "prompt_audio_seconds") if block.get("prompt_audio_seconds") else 0


def _completion(block: UsageObject, prompt: int, completion: int, provider: str) -> tuple[dict[str, int], bool]:
    inside = section(block, *_COMPLETION_DETAILS)
    reported = count_field(block, "reasoning_tokens")
    reasoning = first_count_field(inside, "reasoning_tokens", "reasoning") or reported
    if not reasoning and has_quirk(provider, Quirk.REASONING_IN_TOTAL_ALONE):
        reasoning = max(0, count_field(block, "total_tokens") - prompt - completion)
    is_beside = has_quirk(provider, Quirk.REASONING_BESIDE_COMPLETION) or not _PERPLEXITYS.isdisjoint(block)
    beside = bool(reported) and is_beside
    whole, consistent = _with_reasoning(block, prompt, completion, reasoning, beside=beside)
    audio, images = first_count_field(inside, "audio_tokens", "audio"), count_field(inside, "image_tokens")
    video = count_field(inside, "video_tokens")
    parts = {
        "completion_tokens": whole - reasoning - audio - images - video,
        "reasoning_tokens": reasoning,
        "completion_audio_tokens": audio,
        "completion_image_tokens": images,
        "completion_video_tokens": video,
    }
    return parts, consistent


def _with_reasoning(
    block: UsageObject, prompt: int, completion: int, reasoning: int, *, beside: bool
) -> tuple[int, bool]:
    """The completion with reasoning included, and whether the provider's own total reconciles.

    xAI and Perplexity exclude reasoning from the completion. xAI's total includes it; Perplexity's does not. All others
    include it, wherever they name it. Mistral's total includes audio tokens that it bills by the second and counts
    nowhere else.
    """
    total = count_field(block, "total_tokens")
    stated = prompt + completion
    if reasoning and (beside or total == stated + reasoning):
        return completion + reasoning, total in (0, stated, stated + reasoning)
    return completion, total in (0, stated) or (total > stated and bool(_audio_ms(block)))
