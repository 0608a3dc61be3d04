"""Usage as OpenAI counts, in chat completions, responses, embeddings, images and audio, and all who copy it.

Cached, written, audio and image tokens are counted inside the prompt; reasoning and audio inside the completion.
Sources: https://platform.openai.com/docs/api-reference/chat/object, .../responses/object,
https://platform.openai.com/docs/guides/prompt-caching, https://api-docs.deepseek.com/guides/kv_cache,
https://docs.x.ai/docs/api-reference, https://docs.perplexity.ai/api-reference/chat-completions-post,
https://docs.mistral.ai/capabilities/audio_transcription
"""

from typing import Final

from schemas.usage import Usage
from services.domain.figures import Block, Counted, figure, first_figure, section

# What these count is billed by the piece, at prices that stand in no book.
_UNHELD: Final = ("num_sources_used", "num_server_side_tools_used")
_RARE: Final = frozenset((*_UNHELD, "server_tool_use", "num_search_queries", "prompt_audio_seconds", "citation_tokens"))


def openai_usage(block: Block, provider: str) -> Counted:
    """What `block` says. Raises: NonsenseError."""
    # Embeddings of some providers state only a total.
    whole_prompt = first_figure(block, "prompt_tokens", "input_tokens", "total_tokens")
    parts, held = _prompt(block, whole_prompt)
    completion, adds_up = _completion(block, whole_prompt)
    parts |= completion
    if min(parts.values()) < 0:
        adds_up, parts = False, {name: max(0, count) for name, count in parts.items()}
    if not _RARE.isdisjoint(block):
        parts |= _beside(block, provider)
        held = held and not any(figure(block, name) for name in _UNHELD)
    return Counted(Usage(**parts), adds_up, held)


def _beside(block: Block, provider: str) -> dict[str, int]:
    """What is no token of the prompt or the completion."""
    searches = figure(section(block, "server_tool_use"), "web_search_requests")
    if provider == "PERPLEXITY":
        searches += figure(block, "num_search_queries")
    return {
        "prompt_audio_seconds": _seconds(block),
        "citation_tokens": figure(block, "citation_tokens"),
        "web_searches": searches,
    }


def duration_usage(block: Block, _provider: str) -> Counted:
    """Transcriptions that are billed by the length of the audio. Raises: NonsenseError."""
    return Counted(Usage(prompt_audio_seconds=figure(block, "seconds")))


def _seconds(block: Block) -> int:
    return figure(block, "prompt_audio_seconds") if block.get("prompt_audio_seconds") else 0


def _prompt(block: Block, whole: int) -> tuple[dict[str, int], bool]:
    """The classes of the prompt, which may be negative where they contradict each other, and whether they hold it."""
    inside = section(block, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    read, written = _cached(block, inside), figure(inside, "cache_write_tokens")
    audio, images = figure(inside, "audio_tokens"), figure(inside, "image_tokens")
    parts = {
        "prompt_tokens": whole - read - written - audio - images,
        "prompt_cache_read_tokens": read,
        "prompt_cache_write_5m_tokens": written,
        "prompt_audio_tokens": audio,
        "prompt_image_tokens": images,
    }
    if written and (lasting := figure(section(inside, "cache_write_details"), "write_1h_tokens")):
        parts |= {"prompt_cache_write_1h_tokens": lasting, "prompt_cache_write_5m_tokens": written - lasting}
    cached = section(inside, "cached_tokens_details") if read else {}
    return (_with_cached(parts, cached), not figure(cached, "image_tokens")) if cached else (parts, True)


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


def _cached(block: Block, inside: Block) -> int:
    """Where the prompt cache's hits stand: OpenAI's place first, then DeepSeek's, Moonshot's and xAI's."""
    return first_figure(inside, "cached_tokens", "cache_read_input_tokens") or first_figure(
        block, "prompt_cache_hit_tokens", "cached_tokens", "cached_prompt_text_tokens"
    )


def _completion(block: Block, whole_prompt: int) -> tuple[dict[str, int], bool]:
    whole = first_figure(block, "completion_tokens", "output_tokens")
    inside = section(block, "completion_tokens_details", "output_tokens_details", "output_token_details")
    beside = figure(block, "reasoning_tokens")
    reasoning = figure(inside, "reasoning_tokens") or beside
    whole, adds_up = _with_reasoning(block, whole_prompt, whole, reasoning, beside=bool(beside))
    audio, images = figure(inside, "audio_tokens"), figure(inside, "image_tokens")
    parts = {
        "completion_tokens": whole - reasoning - audio - images,
        "reasoning_tokens": reasoning,
        "completion_audio_tokens": audio,
        "completion_image_tokens": images,
    }
    return parts, adds_up


def _with_reasoning(block: Block, prompt: int, completion: int, reasoning: int, *, beside: bool) -> tuple[int, bool]:
    """The completion with the reasoning in it, and whether the provider's own total agrees.

    xAI and Perplexity count reasoning beside the completion. xAI's total says so; Perplexity's leaves it out. Mistral's
    total holds audio tokens that it bills by the second and counts nowhere else.
    """
    total = figure(block, "total_tokens")
    stated = prompt + completion
    if reasoning and (beside or total == stated + reasoning):
        return completion + reasoning, total in (0, stated, stated + reasoning)
    return completion, total in (0, stated) or (total > stated and bool(_seconds(block)))
