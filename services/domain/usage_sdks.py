"""Usage in the words of libraries that callers log with: what was cached is inside the input, whoever was asked.

Sources: https://ai-sdk.dev/docs/reference/ai-sdk-core/generate-text, https://ai.pydantic.dev/api/usage
"""

from typing import Final

from schemas.usage import Usage
from services.domain.charge import context_tokens
from services.domain.figures import Block, Counted, NonsenseError, figure, section
from services.domain.unread import Names

AI_SDK_NAMES: Final[Names] = {
    "": frozenset(("inputTokens", "outputTokens", "totalTokens", "reasoningTokens", "cachedInputTokens", "raw")),
    "inputTokenDetails": frozenset(("noCacheTokens", "cacheReadTokens", "cacheWriteTokens")),
    "outputTokenDetails": frozenset(("textTokens", "reasoningTokens")),
}
PYDANTIC_NAMES: Final[Names] = {
    "": frozenset(
        (
            *("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens"),
            *("input_audio_tokens", "cache_audio_read_tokens", "output_audio_tokens"),
            *("requests", "tool_calls", "details"),  # details repeat the provider's own figures, flat
        )
    )
}
# Of these the fifth AI SDK gives the input without what was cached, and nothing of what was written to the cache.
_CACHE_BESIDE: Final = frozenset({"ANTHROPIC", "AWS", "BEDROCK"})


def ai_sdk_usage(block: Block, provider: str) -> Counted:
    """What `block` says. Raises: NonsenseError."""
    given, made, total = figure(block, "inputTokens"), figure(block, "outputTokens"), figure(block, "totalTokens")
    inside, of_output = section(block, "inputTokenDetails"), section(block, "outputTokenDetails")
    read = figure(inside, "cacheReadTokens") or figure(block, "cachedInputTokens")
    written = figure(inside, "cacheWriteTokens")
    reasoning = figure(of_output, "reasoningTokens") or figure(block, "reasoningTokens")
    whole = made + reasoning if reasoning and total == given + made + reasoning else made
    usage = Usage(
        prompt_tokens=max(0, given - read - written),
        prompt_cache_read_tokens=read,
        prompt_cache_write_5m_tokens=written,
        completion_tokens=max(0, whole - reasoning),
        reasoning_tokens=reasoning,
    )
    adds_up = read + written <= given and reasoning <= whole and total in (0, given + whole)
    return Counted(usage, adds_up, bool(inside) or not read or provider not in _CACHE_BESIDE)


def agrees_with(block: Block, own: Usage) -> bool:
    """Whether an AI SDK's `block` counts as much as the provider's `own` figures, which it holds.

    Some of its versions leave reasoning out of the output. Figures that nobody can read contradict nothing.
    """
    try:
        given, made = figure(block, "inputTokens"), figure(block, "outputTokens")
    except NonsenseError:
        return True
    said = own.completion_tokens + own.completion_audio_tokens + own.completion_image_tokens
    return given in (0, context_tokens(own)) and made in (0, said, said + own.reasoning_tokens)


def pydantic_usage(block: Block, _provider: str) -> Counted:
    """What `block` says. Raises: NonsenseError."""
    given, made = figure(block, "input_tokens"), figure(block, "output_tokens")
    read, written = figure(block, "cache_read_tokens"), figure(block, "cache_write_tokens")
    audio, heard = figure(block, "input_audio_tokens"), figure(block, "cache_audio_read_tokens")
    details = section(block, "details")
    spoken, reasoning = figure(block, "output_audio_tokens"), figure(details, "reasoning_tokens")
    one_hour = figure(details, "ephemeral_1h_input_tokens")
    parts = {
        "prompt_tokens": given - read - written - audio + heard,
        "prompt_cache_read_tokens": read - heard,
        "prompt_cache_read_audio_tokens": heard,
        "prompt_cache_write_5m_tokens": written - one_hour,
        "prompt_cache_write_1h_tokens": one_hour,
        "prompt_audio_tokens": audio - heard,
        "completion_tokens": made - reasoning - spoken,
        "reasoning_tokens": reasoning,
        "completion_audio_tokens": spoken,
        "web_searches": figure(details, "web_search_requests"),
    }
    usage = Usage(**{name: max(0, count) for name, count in parts.items()})
    return Counted(usage, min(parts.values()) >= 0 and figure(block, "total_tokens") in (0, given + made))
