"""The prompt as OpenAI counts it, and as gateways do that speak of Claude in OpenAI's words.

LiteLLM counts what was read from or written to Anthropic's cache inside the prompt, names it in the details, and once
more beside it under Anthropic's own names. Some of its versions left what was written out of the prompt, and those
have no name for it in the details: with them nobody can tell. A total that holds it all on top of the prompt can.
Source: https://docs.litellm.ai/docs/completion/prompt_caching
"""

from typing import Final

from services.domain.usage.formats.anthropic import CACHE_LIFETIMES
from services.domain.usage.formats.fields import UsageObject, count_field, first_count_field, section
from services.domain.usage.formats.unrecognized import Names

_ANTHROPICS: Final = frozenset(("cache_read_input_tokens", "cache_creation_input_tokens"))
PROMPT_DETAILS: Final = (
    "prompt_tokens_details",
    "prompt_token_details",  # Mistral's, which names both
    "input_tokens_details",
    "input_token_details",  # LangChain's
)
_READ: Final = ("cached_tokens", "cache_read_input_tokens", "cache_read")
_WRITTEN: Final = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
# Beside the details: DeepSeek's, Moonshot's, xAI's, Anthropic's and Mistral's.
READ_BESIDE: Final = (
    "prompt_cache_hit_tokens",
    "cached_tokens",
    "cached_prompt_text_tokens",
    "cache_read_input_tokens",
    "num_cached_tokens",
)
_LANGCHAINS: Final = frozenset((*CACHE_LIFETIMES, "cache_creation"))
_PROMPT_NAMES: Final = frozenset(
    (*_READ, *_WRITTEN, *_LANGCHAINS, "text_tokens", "audio_tokens", "audio", "image_tokens")
)
# What the details of a prompt hold is read from, and what their own details hold.
PROMPT_NAMES: Final[Names] = {
    **dict.fromkeys(PROMPT_DETAILS, _PROMPT_NAMES),
    "cached_tokens_details": frozenset(("text_tokens", "audio_tokens", "image_tokens")),
    "cache_write_details": frozenset(("write_5m_tokens", "write_1h_tokens")),
    **dict.fromkeys(("cache_creation_token_details", "cache_creation"), CACHE_LIFETIMES),
}


def prompt_classes(block: UsageObject, whole: int, completion: int) -> tuple[dict[str, int], bool, bool]:
    """The classes of a prompt of `whole` tokens, whether they hold it, and whether the figures agree on them.

    A class is negative where figures contradict each other. Raises: InvalidUsage.
    """
    inside = section(block, *PROMPT_DETAILS)
    read, written = _cached(block, inside), _written(inside)
    agreed = True
    if not _ANTHROPICS.isdisjoint(block):
        whole, written, agreed = _with_cache_beside(block, whole, completion, read, written)
    audio, images = first_count_field(inside, "audio_tokens", "audio"), count_field(inside, "image_tokens")
    parts = {
        "prompt_tokens": whole - read - written - audio - images,
        "prompt_cache_read_tokens": read,
        "prompt_cache_write_5m_tokens": written,
        "prompt_audio_tokens": audio,
        "prompt_image_tokens": images,
    }
    if written and (lasting := _lasting(block, inside)):
        parts |= {"prompt_cache_write_1h_tokens": lasting, "prompt_cache_write_5m_tokens": written - lasting}
    cached = section(inside, "cached_tokens_details") if read else {}
    if cached:
        return _with_cached(parts, cached), not count_field(cached, "image_tokens"), agreed
    return parts, True, agreed


def _cached(block: UsageObject, inside: UsageObject) -> int:
    return first_count_field(inside, *_READ) or first_count_field(block, *READ_BESIDE)


def _written(inside: UsageObject) -> int:
    """LangChain names the lifetimes instead of the whole, or beside it, where OpenAI's copies nest them."""
    whole = first_count_field(inside, *_WRITTEN)
    if whole or _LANGCHAINS.isdisjoint(inside):
        return whole
    told = 0 if isinstance(inside.get("cache_creation"), dict) else count_field(inside, "cache_creation")
    return max(told, sum(count_field(inside, name) for name in CACHE_LIFETIMES))


def _with_cache_beside(
    block: UsageObject, whole: int, completion: int, read: int, listed: int
) -> tuple[int, int, bool]:
    """The prompt with the cache in it, what was written, and whether that is sure; `listed` of it is in the details."""
    told_read, told_written = (
        count_field(block, "cache_read_input_tokens"),
        count_field(block, "cache_creation_input_tokens"),
    )
    agreed = told_read in (0, read) and (not listed or told_written in (0, listed))
    beside = told_read + told_written
    if beside and count_field(block, "total_tokens") == whole + completion + beside:
        return whole + beside, listed or told_written, agreed
    return whole, listed or told_written, agreed and bool(listed or not told_written)


def _lasting(block: UsageObject, inside: UsageObject) -> int:
    """What of the written lasts an hour."""
    return (
        count_field(section(inside, "cache_write_details"), "write_1h_tokens")
        or count_field(section(inside, "cache_creation_token_details"), "ephemeral_1h_input_tokens")
        or count_field(section(inside, "cache_creation"), "ephemeral_1h_input_tokens")
        or count_field(inside, "ephemeral_1h_input_tokens")
        or count_field(section(block, "cache_creation"), "ephemeral_1h_input_tokens")
    )


def _with_cached(parts: dict[str, int], cached: UsageObject) -> dict[str, int]:
    """What was read from the cache is counted among the sounds and images too, and there it is not billed."""
    audio, images = count_field(cached, "audio_tokens"), count_field(cached, "image_tokens")
    return parts | {
        "prompt_tokens": parts["prompt_tokens"] + audio + images,
        "prompt_cache_read_tokens": parts["prompt_cache_read_tokens"] - audio,
        "prompt_cache_read_audio_tokens": audio,
        "prompt_audio_tokens": parts["prompt_audio_tokens"] - audio,
        "prompt_image_tokens": parts["prompt_image_tokens"] - images,
    }
