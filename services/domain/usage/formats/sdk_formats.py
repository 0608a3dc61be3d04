"""Usage in the formats of libraries that clients log with: the input includes cached tokens, with any provider.

Sources: https://ai-sdk.dev/docs/reference/ai-sdk-core/generate-text, https://ai.pydantic.dev/api/usage
"""

from typing import Final

from schemas.usage import Usage, context_tokens
from services.domain.providers.catalog import has_quirk
from services.domain.providers.record import Quirk
from services.domain.usage.formats.fields import InvalidUsage, ParsedUsage, UsageObject, count_field, section
from services.domain.usage.formats.unrecognized import Names

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
            *("requests", "tool_calls", "details"),  # details repeat the provider's own usage, flat
        )
    )
}


def ai_sdk_usage(block: UsageObject, provider: str) -> ParsedUsage:
    """Raises: InvalidUsage."""
    prompt, output = count_field(block, "inputTokens"), count_field(block, "outputTokens")
    total = count_field(block, "totalTokens")
    inside, of_output = section(block, "inputTokenDetails"), section(block, "outputTokenDetails")
    read = count_field(inside, "cacheReadTokens") or count_field(block, "cachedInputTokens")
    written = count_field(inside, "cacheWriteTokens")
    reasoning = count_field(of_output, "reasoningTokens") or count_field(block, "reasoningTokens")
    completion = output + reasoning if reasoning and total == prompt + output + reasoning else output
    usage = Usage(
        prompt_tokens=max(0, prompt - read - written),
        prompt_cache_read_tokens=read,
        prompt_cache_write_5m_tokens=written,
        completion_tokens=max(0, completion - reasoning),
        reasoning_tokens=reasoning,
    )
    consistent = read + written <= prompt and reasoning <= completion and total in (0, prompt + completion)
    # Of such providers the fifth AI SDK reports the input without what was cached, and no cache writes.
    cache_beside = has_quirk(provider, Quirk.CACHE_BESIDE_INPUT)
    return ParsedUsage(usage, consistent, bool(inside) or not read or not cache_beside)


def agrees_with(block: UsageObject, own: Usage) -> bool:
    """Whether an AI SDK's `block` agrees with the provider's `own` usage, which it contains.

    Some of its versions leave reasoning out of the output. Counts that are invalid contradict nothing.
    """
    try:
        prompt, output = count_field(block, "inputTokens"), count_field(block, "outputTokens")
    except InvalidUsage:
        return True
    completion = own.completion_tokens + own.completion_audio_tokens + own.completion_image_tokens
    return prompt in (0, context_tokens(own)) and output in (0, completion, completion + own.reasoning_tokens)


def pydantic_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """Raises: InvalidUsage."""
    prompt, output = count_field(block, "input_tokens"), count_field(block, "output_tokens")
    read, written = count_field(block, "cache_read_tokens"), count_field(block, "cache_write_tokens")
    audio, cached_audio = count_field(block, "input_audio_tokens"), count_field(block, "cache_audio_read_tokens")
    details = section(block, "details")
    output_audio, reasoning = count_field(block, "output_audio_tokens"), count_field(details, "reasoning_tokens")
    one_hour = count_field(details, "ephemeral_1h_input_tokens")
    parts = {
        "prompt_tokens": prompt - read - written - audio + cached_audio,
        "prompt_cache_read_tokens": read - cached_audio,
        "prompt_cache_read_audio_tokens": cached_audio,
        "prompt_cache_write_5m_tokens": written - one_hour,
        "prompt_cache_write_1h_tokens": one_hour,
        "prompt_audio_tokens": audio - cached_audio,
        "completion_tokens": output - reasoning - output_audio,
        "reasoning_tokens": reasoning,
        "completion_audio_tokens": output_audio,
        "web_searches": count_field(details, "web_search_requests"),
    }
    usage = Usage(**{name: max(0, count) for name, count in parts.items()})
    return ParsedUsage(usage, min(parts.values()) >= 0 and count_field(block, "total_tokens") in (0, prompt + output))
