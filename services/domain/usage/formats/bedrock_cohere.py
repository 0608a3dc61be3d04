"""Usage as Bedrock's Converse and Cohere count.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html,
https://docs.cohere.com/reference/chat
"""

from typing import Final

from schemas.usage import Usage
from services.domain.usage.formats.fields import (
    ParsedUsage,
    UsageObject,
    count_field,
    entries,
    first_count_field,
    section,
)
from services.domain.usage.formats.unrecognized import Names

# Nova, called without Converse, has names of its own; Converse repeats them.
_READ: Final = ("cacheReadInputTokens", "cacheReadInputTokenCount")
_WRITTEN: Final = ("cacheWriteInputTokens", "cacheWriteInputTokenCount")
CONVERSE_NAMES: Final[Names] = {
    "": frozenset(("inputTokens", "outputTokens", "totalTokens", "cacheDetails", *_READ, *_WRITTEN))
}
COHERE_NAMES: Final[Names] = {
    "": frozenset(("tokens", "cached_tokens")),
    "billed_units": frozenset(("input_tokens", "output_tokens")),
}


def converse_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """Like Anthropic's, the input excludes cache reads and writes. Raises: InvalidUsage."""
    prompt, output = count_field(block, "inputTokens"), count_field(block, "outputTokens")
    read, written = first_count_field(block, *_READ), first_count_field(block, *_WRITTEN)
    one_hour = sum(
        count_field(entry, "inputTokens") for entry in entries(block, "cacheDetails") if entry.get("ttl") == "1h"
    )
    total = count_field(block, "totalTokens")
    usage = Usage(
        prompt_tokens=prompt,
        prompt_cache_read_tokens=read,
        prompt_cache_write_5m_tokens=max(0, written - one_hour),
        prompt_cache_write_1h_tokens=one_hour,
        completion_tokens=output,
    )
    return ParsedUsage(
        usage,
        one_hour <= written and total in (0, prompt + output, prompt + output + read + written),
    )


def cohere_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """What Cohere bills; what else it counts is not billed. Raises: InvalidUsage."""
    billed = section(block, "billed_units")
    usage = Usage(
        prompt_tokens=count_field(billed, "input_tokens"), completion_tokens=count_field(billed, "output_tokens")
    )
    return ParsedUsage(usage)
