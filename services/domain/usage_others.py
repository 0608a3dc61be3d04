"""Usage as Bedrock's Converse and Cohere count.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html,
https://docs.cohere.com/reference/chat
"""

from typing import Final

from schemas.usage import Usage
from services.domain.figures import Block, Counted, entries, figure, first_figure, section
from services.domain.unread import Names

# Nova, asked without Converse, has names of its own; Converse repeats them.
_READ: Final = ("cacheReadInputTokens", "cacheReadInputTokenCount")
_WRITTEN: Final = ("cacheWriteInputTokens", "cacheWriteInputTokenCount")
CONVERSE_NAMES: Final[Names] = {
    "": frozenset(("inputTokens", "outputTokens", "totalTokens", "cacheDetails", *_READ, *_WRITTEN))
}
COHERE_NAMES: Final[Names] = {
    "": frozenset(("tokens", "cached_tokens")),
    "billed_units": frozenset(("input_tokens", "output_tokens")),
}


def converse_usage(block: Block, _provider: str) -> Counted:
    """As Anthropic, cache reads and writes stand beside the input. Raises: NonsenseError."""
    given, made = figure(block, "inputTokens"), figure(block, "outputTokens")
    read, written = first_figure(block, *_READ), first_figure(block, *_WRITTEN)
    one_hour = sum(figure(entry, "inputTokens") for entry in entries(block, "cacheDetails") if entry.get("ttl") == "1h")
    total = figure(block, "totalTokens")
    usage = Usage(
        prompt_tokens=given,
        prompt_cache_read_tokens=read,
        prompt_cache_write_5m_tokens=max(0, written - one_hour),
        prompt_cache_write_1h_tokens=one_hour,
        completion_tokens=made,
    )
    return Counted(usage, one_hour <= written and total in (0, given + made, given + made + read + written))


def cohere_usage(block: Block, _provider: str) -> Counted:
    """What Cohere bills; what it counted besides is not billed. Raises: NonsenseError."""
    billed = section(block, "billed_units")
    usage = Usage(prompt_tokens=figure(billed, "input_tokens"), completion_tokens=figure(billed, "output_tokens"))
    return Counted(usage)
