"""Usage as OpenAI counts, in chat completions, responses, embeddings, images and audio, and all who copy it.

Cached, written, audio and image tokens are counted inside the prompt; reasoning and audio inside the completion.
Sources: https://platform.openai.com/docs/api-reference/chat/object, .../responses/object,
https://platform.openai.com/docs/guides/prompt-caching, https://api-docs.deepseek.com/guides/kv_cache,
https://docs.x.ai/docs/api-reference, https://docs.perplexity.ai/api-reference/chat-completions-post,
https://docs.mistral.ai/capabilities/audio_transcription
"""

from schemas.usage import Usage
from services.domain.figures import Block, Counted, figure, first_figure, section

# What these count is billed by the piece, at prices that stand in no book.
_UNHELD = ("num_sources_used", "num_server_side_tools_used")


def openai_usage(block: Block, provider: str) -> Counted:
    """What `block` says. Raises: NonsenseError."""
    # Embeddings of some providers state only a total.
    whole_prompt = first_figure(block, "prompt_tokens", "input_tokens", "total_tokens")
    prompt, prompt_adds_up, prompt_held = _prompt(block, whole_prompt)
    completion, completion_adds_up = _completion(block, whole_prompt)
    searches = figure(section(block, "server_tool_use"), "web_search_requests")
    if provider == "PERPLEXITY":
        searches += figure(block, "num_search_queries")
    usage = Usage(
        **prompt,
        **completion,
        prompt_audio_seconds=_seconds(block),
        citation_tokens=figure(block, "citation_tokens"),
        web_searches=searches,
    )
    held = prompt_held and not any(figure(block, name) for name in _UNHELD)
    return Counted(usage, prompt_adds_up and completion_adds_up, held)


def duration_usage(block: Block, _provider: str) -> Counted:
    """Transcriptions that are billed by the length of the audio. Raises: NonsenseError."""
    return Counted(Usage(prompt_audio_seconds=figure(block, "seconds")))


def _seconds(block: Block) -> int:
    return figure(block, "prompt_audio_seconds") if block.get("prompt_audio_seconds") else 0


def _prompt(block: Block, whole: int) -> tuple[dict[str, int], bool, bool]:
    """The classes of the prompt, whether they add up to `whole`, and whether they hold all of it."""
    inside = section(block, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    cached = section(inside, "cached_tokens_details")
    cached_audio, cached_images = figure(cached, "audio_tokens"), figure(cached, "image_tokens")
    parts = {
        "prompt_cache_read_tokens": _cached(block, inside) - cached_audio,
        "prompt_cache_read_audio_tokens": cached_audio,
        "prompt_cache_write_5m_tokens": figure(inside, "cache_write_tokens"),
        "prompt_audio_tokens": figure(inside, "audio_tokens") - cached_audio,
        "prompt_image_tokens": figure(inside, "image_tokens") - cached_images,
    }
    lasting = figure(section(inside, "cache_write_details"), "write_1h_tokens")
    if lasting:
        parts["prompt_cache_write_1h_tokens"] = lasting
        parts["prompt_cache_write_5m_tokens"] -= lasting
    parts["prompt_tokens"] = whole - sum(parts.values())
    return _not_negative(parts), min(parts.values()) >= 0, not cached_images


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
    parts = {
        "reasoning_tokens": reasoning,
        "completion_audio_tokens": figure(inside, "audio_tokens"),
        "completion_image_tokens": figure(inside, "image_tokens"),
    }
    text = whole - sum(parts.values())
    return _not_negative(parts | {"completion_tokens": text}), adds_up and text >= 0


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


def _not_negative(parts: dict[str, int]) -> dict[str, int]:
    return {name: max(0, count) for name, count in parts.items()}
