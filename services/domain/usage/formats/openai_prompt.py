"""The prompt as OpenAI counts it, and as gateways do that report Claude's usage in OpenAI's format.

LiteLLM includes what was read from or written to Anthropic's cache in the prompt, lists it in the details, and repeats
it beside the prompt under Anthropic's own names. Some of its versions left cache writes out of the prompt, and those
do not list them in the details: there it is uncertain, unless a total holds all of it in addition to the prompt.
Source: https://docs.litellm.ai/docs/completion/prompt_caching
"""

from typing import Final

from services.domain.usage.formats.anthropic import CACHE_LIFETIMES
from services.domain.usage.formats.fields import UsageObject, count_field, first_count_field, section
from services.domain.usage.formats.unrecognized import Names

_ANTHROPIC_NAMES: Final = frozenset(("cache_read_input_tokens", "cache_creation_input_tokens"))
PROMPT_DETAILS: Final = (
    "prompt_tokens_details",
    "prompt_token_details",  # Mistral's, which names both
    "input_tokens_details",
    "input_token_details",  # LangChain's
)
_BY_LIFETIME: Final = "cache_write_tokens_details"  # OpenAI's
_READ: Final = ("cached_tokens", "cache_read_input_tokens", "cache_read")
_WRITTEN: Final = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
# Beside the details: DeepSeek's, Moonshot's, xAI's and Anthropic's. Mistral's `num_cached_tokens` is none of them: only
# what its details list is discounted (https://docs.mistral.ai/studio-api/conversations/advanced/prompt-caching).
READ_BESIDE: Final = (
    "prompt_cache_hit_tokens",
    "cached_tokens",
    "cached_prompt_text_tokens",
    "cache_read_input_tokens",
)
_LANGCHAIN_NAMES: Final = frozenset((*CACHE_LIFETIMES, "cache_creation"))
_PROMPT_NAMES: Final = frozenset(
    (*_READ, *_WRITTEN, *_LANGCHAIN_NAMES, "text_tokens", "audio_tokens", "audio", "image_tokens", "video_tokens")
)
# The names in the details of a prompt, and in their own details.
PROMPT_NAMES: Final[Names] = {
    **dict.fromkeys(PROMPT_DETAILS, _PROMPT_NAMES),
    "cached_tokens_details": frozenset(("text_tokens", "audio_tokens", "image_tokens")),
    "cache_write_details": frozenset(("write_5m_tokens", "write_1h_tokens")),
    _BY_LIFETIME: frozenset(("ttl_30m_tokens", "ttl_12h_tokens")),
    **dict.fromkeys(("cache_creation_token_details", "cache_creation"), CACHE_LIFETIMES),
}


def prompt_classes(block: UsageObject, whole: int, completion: int) -> tuple[dict[str, int], bool]:
    """The classes of a prompt of `whole` tokens, and whether they are certain.

    A class is negative where counts contradict each other. Raises: InvalidUsage.
    """
    inside = section(block, *PROMPT_DETAILS)
    read, written = _cached(block, inside), _written(inside)
    consistent = _lifetimes_add_up(inside, written)
    if not _ANTHROPIC_NAMES.isdisjoint(block):
        whole, written, consistent = _with_cache_beside(block, whole, completion, read, written)
    audio, images = first_count_field(inside, "audio_tokens", "audio"), count_field(inside, "image_tokens")
    video = count_field(inside, "video_tokens")  # OpenRouter's
    parts = {
        "prompt_tokens": whole - read - written - audio - images - video,
        "prompt_cache_read_tokens": read,
        "prompt_cache_write_5m_tokens": written,
        "prompt_audio_tokens": audio,
        "prompt_image_tokens": images,
        "prompt_video_tokens": video,
    }
    if written:
        parts |= _written_parts(written, _lasting(block, inside), _lasting_half_a_day(inside))
    cached = section(inside, "cached_tokens_details") if read else {}
    return (_with_cached(parts, cached) if cached else parts), consistent


def _cached(block: UsageObject, inside: UsageObject) -> int:
    return first_count_field(inside, *_READ) or first_count_field(block, *READ_BESIDE)


def _written(inside: UsageObject) -> int:
    """LangChain lists the lifetimes instead of the total, or beside it, where OpenAI-compatible APIs nest them."""
    whole = first_count_field(inside, *_WRITTEN) or _by_lifetime(inside)
    if whole or _LANGCHAIN_NAMES.isdisjoint(inside):
        return whole
    total = 0 if isinstance(inside.get("cache_creation"), dict) else count_field(inside, "cache_creation")
    return max(total, sum(count_field(inside, name) for name in CACHE_LIFETIMES))


def _by_lifetime(inside: UsageObject) -> int:
    return sum(count_field(section(inside, _BY_LIFETIME), name) for name in PROMPT_NAMES[_BY_LIFETIME])


def _lifetimes_add_up(inside: UsageObject, written: int) -> bool:
    return not section(inside, _BY_LIFETIME) or _by_lifetime(inside) in (0, written)


def _lasting_half_a_day(inside: UsageObject) -> int:
    return count_field(section(inside, _BY_LIFETIME), "ttl_12h_tokens")


def _written_parts(written: int, one_hour: int, twelve_hours: int) -> dict[str, int]:
    return {
        "prompt_cache_write_5m_tokens": written - one_hour - twelve_hours,
        "prompt_cache_write_1h_tokens": one_hour,
        "prompt_cache_write_12h_tokens": twelve_hours,
    }


def _with_cache_beside(
    block: UsageObject, whole: int, completion: int, read: int, listed: int
) -> tuple[int, int, bool]:
    """The prompt including the cache, the cache writes (in the details: `listed`), and whether they are certain."""
    read_beside, written_beside = (
        count_field(block, "cache_read_input_tokens"),
        count_field(block, "cache_creation_input_tokens"),
    )
    consistent = read_beside in (0, read) and (not listed or written_beside in (0, listed))
    beside = read_beside + written_beside
    if beside and count_field(block, "total_tokens") == whole + completion + beside:
        return whole + beside, listed or written_beside, consistent
    return whole, listed or written_beside, consistent and bool(listed or not written_beside)


def _lasting(block: UsageObject, inside: UsageObject) -> int:
    """The cache writes that last an hour."""
    return (
        count_field(section(inside, "cache_write_details"), "write_1h_tokens")
        or count_field(section(inside, "cache_creation_token_details"), "ephemeral_1h_input_tokens")
        or count_field(section(inside, "cache_creation"), "ephemeral_1h_input_tokens")
        or count_field(inside, "ephemeral_1h_input_tokens")
        or count_field(section(block, "cache_creation"), "ephemeral_1h_input_tokens")
    )


def _with_cached(parts: dict[str, int], cached: UsageObject) -> dict[str, int]:
    """Cached audio and images are counted among the audio and image tokens too, and are not billed as those."""
    audio, images = count_field(cached, "audio_tokens"), count_field(cached, "image_tokens")
    return parts | {
        "prompt_tokens": parts["prompt_tokens"] + audio + images,
        "prompt_cache_read_tokens": parts["prompt_cache_read_tokens"] - audio - images,
        "prompt_cache_read_audio_tokens": audio,
        "prompt_cache_read_image_tokens": images,
        "prompt_audio_tokens": parts["prompt_audio_tokens"] - audio,
        "prompt_image_tokens": parts["prompt_image_tokens"] - images,
    }
