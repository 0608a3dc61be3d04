"""Usage as OpenAI counts, in chat completions, responses, embeddings, images and audio, and all who copy it.

Cached, written, audio and image tokens are counted inside the prompt; reasoning and audio inside the completion.
Sources: https://platform.openai.com/docs/api-reference/chat/object, .../responses/object,
https://platform.openai.com/docs/guides/prompt-caching, https://api-docs.deepseek.com/guides/kv_cache
"""

from schemas.usage import Usage
from services.domain.figures import Block, figure, first_figure, section


def openai_usage(block: Block, provider: str) -> tuple[Usage, bool]:
    """The disjoint classes of `block`, and whether they hold all of it and add up. Raises: NonsenseError."""
    prompt, prompt_adds_up = _prompt(block)
    completion, completion_adds_up = _completion(block)
    searches = figure(block, "num_search_queries") if provider == "PERPLEXITY" else 0
    unheld = figure(block, "citation_tokens") + figure(block, "num_sources_used")
    usage = Usage(**prompt, **completion, web_searches=searches)
    return usage, prompt_adds_up and completion_adds_up and not unheld


def _prompt(block: Block) -> tuple[dict[str, int], bool]:
    whole = first_figure(block, "prompt_tokens", "input_tokens")
    inside = section(block, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    parts = {
        "prompt_cache_read_tokens": _cached(block, inside),
        "prompt_cache_write_5m_tokens": figure(inside, "cache_write_tokens"),
        "prompt_audio_tokens": figure(inside, "audio_tokens"),
        "prompt_image_tokens": figure(inside, "image_tokens"),
    }
    lasting = figure(section(inside, "cache_write_details"), "write_1h_tokens")
    if lasting:
        parts["prompt_cache_write_1h_tokens"] = lasting
        parts["prompt_cache_write_5m_tokens"] -= lasting
    text = whole - sum(parts.values())
    adds_up = text >= 0 and parts["prompt_cache_write_5m_tokens"] >= 0
    return _not_negative(parts | {"prompt_tokens": text}), adds_up


def _cached(block: Block, inside: Block) -> int:
    """Where the prompt cache's hits stand: OpenAI's place first, then DeepSeek's, Moonshot's and xAI's."""
    return first_figure(inside, "cached_tokens", "cache_read_input_tokens") or first_figure(
        block, "prompt_cache_hit_tokens", "cached_tokens", "cached_prompt_text_tokens"
    )


def _completion(block: Block) -> tuple[dict[str, int], bool]:
    whole = first_figure(block, "completion_tokens", "output_tokens")
    inside = section(block, "completion_tokens_details", "output_tokens_details", "output_token_details")
    beside = figure(block, "reasoning_tokens")
    reasoning = figure(inside, "reasoning_tokens") or beside
    whole, adds_up = _with_reasoning(block, whole, reasoning, beside=bool(beside))
    parts = {
        "reasoning_tokens": reasoning,
        "completion_audio_tokens": figure(inside, "audio_tokens"),
        "completion_image_tokens": figure(inside, "image_tokens"),
    }
    text = whole - sum(parts.values())
    return _not_negative(parts | {"completion_tokens": text}), adds_up and text >= 0


def _with_reasoning(block: Block, completion: int, reasoning: int, *, beside: bool) -> tuple[int, bool]:
    """The completion with the reasoning in it, and whether the provider's own total agrees.

    xAI and Perplexity count reasoning beside the completion. xAI's total says so; Perplexity's leaves it out.
    """
    total = figure(block, "total_tokens")
    stated = first_figure(block, "prompt_tokens", "input_tokens") + completion
    if reasoning and (beside or total == stated + reasoning):
        return completion + reasoning, total in (0, stated, stated + reasoning)
    return completion, total in (0, stated)


def _not_negative(parts: dict[str, int]) -> dict[str, int]:
    return {name: max(0, count) for name, count in parts.items()}
