"""Usage as Bedrock's Converse and Cohere count.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html,
https://docs.cohere.com/reference/chat
"""

from schemas.usage import Usage
from services.domain.figures import Block, figure, section


def converse_usage(block: Block, _provider: str) -> tuple[Usage, bool]:
    """As Anthropic, cache reads and writes stand beside the input. Raises: NonsenseError."""
    given, made = figure(block, "inputTokens"), figure(block, "outputTokens")
    read, written = figure(block, "cacheReadInputTokens"), figure(block, "cacheWriteInputTokens")
    one_hour = _one_hour_writes(block)
    total = figure(block, "totalTokens")
    usage = Usage(
        prompt_tokens=given,
        prompt_cache_read_tokens=read,
        prompt_cache_write_5m_tokens=max(0, written - one_hour),
        prompt_cache_write_1h_tokens=one_hour,
        completion_tokens=made,
    )
    return usage, one_hour <= written and total in (0, given + made, given + made + read + written)


def _one_hour_writes(block: Block) -> int:
    details = block.get("cacheDetails")
    entries = details if isinstance(details, list) else []
    return sum(
        figure(entry, "inputTokens") for entry in entries if isinstance(entry, dict) and entry.get("ttl") == "1h"
    )


def cohere_usage(block: Block, _provider: str) -> tuple[Usage, bool]:
    """What Cohere bills; what it counted besides is not billed. Raises: NonsenseError."""
    billed = section(block, "billed_units")
    usage = Usage(prompt_tokens=figure(billed, "input_tokens"), completion_tokens=figure(billed, "output_tokens"))
    unheld = figure(billed, "search_units") + figure(billed, "classifications") + figure(billed, "images")
    return usage, not unheld
