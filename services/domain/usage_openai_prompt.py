"""The prompt as OpenAI counts it, and as gateways do that speak of Claude in OpenAI's words.

LiteLLM counts what was read from or written to Anthropic's cache inside the prompt, names it in the details, and once
more beside it under Anthropic's own names. Some of its versions left what was written out of the prompt, and those
have no name for it in the details: with them nobody can tell. A total that holds it all on top of the prompt can.
Source: https://docs.litellm.ai/docs/completion/prompt_caching
"""

from typing import Final

from services.domain.figures import Block, figure, first_figure, section

_ANTHROPICS: Final = frozenset(("cache_read_input_tokens", "cache_creation_input_tokens"))
# Searches of a prompt, billed by the piece or by the prompt, depending on who was asked.
_UNHELD: Final = frozenset(("web_search_requests", "google_maps_grounding_requests"))


def prompt_classes(block: Block, whole: int, completion: int) -> tuple[dict[str, int], bool, bool]:
    """The classes of a prompt of `whole` tokens, whether they hold it, and whether the figures agree on them.

    A class is negative where figures contradict each other. Raises: NonsenseError.
    """
    inside = section(block, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    read, written = _cached(block, inside), first_figure(inside, "cache_write_tokens", "cache_creation_tokens")
    agreed = True
    if not _ANTHROPICS.isdisjoint(block):
        whole, written, agreed = _with_cache_beside(block, whole, completion, read, written)
    audio, images = figure(inside, "audio_tokens"), figure(inside, "image_tokens")
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
    held = _UNHELD.isdisjoint(inside) or not any(figure(inside, name) for name in _UNHELD)
    if cached:
        return _with_cached(parts, cached), held and not figure(cached, "image_tokens"), agreed
    return parts, held, agreed


def _cached(block: Block, inside: Block) -> int:
    """Where the prompt cache's hits stand: OpenAI's place first, then DeepSeek's, Moonshot's, xAI's and Anthropic's."""
    return first_figure(inside, "cached_tokens", "cache_read_input_tokens") or first_figure(
        block, "prompt_cache_hit_tokens", "cached_tokens", "cached_prompt_text_tokens", "cache_read_input_tokens"
    )


def _with_cache_beside(block: Block, whole: int, completion: int, read: int, listed: int) -> tuple[int, int, bool]:
    """The prompt with the cache in it, what was written, and whether that is sure; `listed` of it is in the details."""
    told_read, told_written = figure(block, "cache_read_input_tokens"), figure(block, "cache_creation_input_tokens")
    agreed = told_read in (0, read) and (not listed or told_written in (0, listed))
    beside = told_read + told_written
    if beside and figure(block, "total_tokens") == whole + completion + beside:
        return whole + beside, listed or told_written, agreed
    return whole, listed or told_written, agreed and bool(listed or not told_written)


def _lasting(block: Block, inside: Block) -> int:
    """What of the written lasts an hour."""
    return (
        figure(section(inside, "cache_write_details"), "write_1h_tokens")
        or figure(section(inside, "cache_creation_token_details"), "ephemeral_1h_input_tokens")
        or figure(section(block, "cache_creation"), "ephemeral_1h_input_tokens")
    )


def _with_cached(parts: dict[str, int], cached: Block) -> dict[str, int]:
    """What was read from the cache is counted among the sounds and images too, and there it is not billed."""
    audio, images = figure(cached, "audio_tokens"), figure(cached, "image_tokens")
    return parts | {
        "prompt_tokens": parts["prompt_tokens"] + audio + images,
        "prompt_cache_read_tokens": parts["prompt_cache_read_tokens"] - audio,
        "prompt_cache_read_audio_tokens": audio,
        "prompt_audio_tokens": parts["prompt_audio_tokens"] - audio,
        "prompt_image_tokens": parts["prompt_image_tokens"] - images,
    }
