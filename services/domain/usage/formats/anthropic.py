"""Usage as Anthropic counts: the input excludes what was read from or written to the prompt cache.

Source: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance
"""

from typing import Final

from schemas.usage import Usage
from services.domain.usage.formats.fields import ParsedUsage, UsageObject, count_field, plausible, section, summed_count
from services.domain.usage.formats.iterations import all_turns
from services.domain.usage.formats.unrecognized import Names

_INPUT_NAMES: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
CACHE_LIFETIMES: Final = frozenset(("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"))
# Fetching a page and searching for a tool cost nothing but tokens.
SERVER_TOOLS: Final = frozenset(("web_search_requests", "web_fetch_requests", "tool_search_requests"))
ANTHROPIC_NAMES: Final[Names] = {
    "": frozenset(
        (
            *("input_tokens", "output_tokens", "total_tokens"),
            *("cache_read_input_tokens", "cache_creation_input_tokens"),
        )
    ),
    "iterations": frozenset((*_INPUT_NAMES, "output_tokens")),
    "cache_creation": CACHE_LIFETIMES,
    "output_tokens_details": frozenset(("thinking_tokens",)),
    "server_tool_use": SERVER_TOOLS,
}


def merged_stream_usage(start: UsageObject, end: UsageObject) -> UsageObject:
    """The usage at a stream's `start`, overlaid by that at its `end`, which counts the input again.

    Some servers report zeros at the end instead. Those are ignored where they would make the input smaller.
    """
    stated = {name: value for name, value in end.items() if value is not None}
    block = {**start, **stated}
    if _input_tokens(block) >= _input_tokens(start):
        return block
    return {**start, **{name: value for name, value in stated.items() if _has_value(value)}}


def _input_tokens(block: UsageObject) -> int:
    return sum(value for name in _INPUT_NAMES if type(value := block.get(name)) is int)


def _has_value(value: object) -> bool:
    return any(value.values()) if isinstance(value, dict) else bool(value)


def anthropic_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """Raises: InvalidUsage."""
    turns = all_turns(block)
    written = [_written(turn) for turn in turns]
    output = summed_count(turns, "output_tokens")
    reasoning = count_field(section(block, "output_tokens_details"), "thinking_tokens")
    usage = Usage(
        prompt_tokens=summed_count(turns, "input_tokens"),
        prompt_cache_read_tokens=summed_count(turns, "cache_read_input_tokens"),
        prompt_cache_write_5m_tokens=plausible(sum(five_minutes for five_minutes, _, _ in written)),
        prompt_cache_write_1h_tokens=plausible(sum(one_hour for _, one_hour, _ in written)),
        completion_tokens=max(0, output - reasoning),
        reasoning_tokens=reasoning,
        web_searches=count_field(section(block, "server_tool_use"), "web_search_requests"),
    )
    writes_add_up = all(adds_up for _, _, adds_up in written)
    # With a credit the bill is not that of the tokens that are counted.
    credited = section(section(block, "fallback_credit"), "status").get("type") == "redeemed"
    return ParsedUsage(
        usage, writes_add_up and reasoning <= output and _total_agrees(block, usage, output), not credited
    )


def _total_agrees(block: UsageObject, usage: Usage, output: int) -> bool:
    """Anthropic reports no total, but others who repeat its counts do: with cached tokens, or without."""
    total = count_field(block, "total_tokens") if "total_tokens" in block else 0
    stated = usage.prompt_tokens + output
    read, five_minutes = usage.prompt_cache_read_tokens, usage.prompt_cache_write_5m_tokens
    return total in (0, stated, stated + read + five_minutes + usage.prompt_cache_write_1h_tokens)


def _written(block: UsageObject) -> tuple[int, int, bool]:
    """Cache writes of five minutes and of one hour, and whether they are certain.

    Without the split all are of five minutes, the default. A stream may count more at its end than it split at its
    start: the rest has the lifetime of those, unless they had both.
    """
    split = section(block, "cache_creation")
    five_minutes = count_field(split, "ephemeral_5m_input_tokens")
    one_hour = count_field(split, "ephemeral_1h_input_tokens")
    whole = count_field(block, "cache_creation_input_tokens")
    unsplit = whole - five_minutes - one_hour
    if unsplit > 0 and one_hour and not five_minutes:
        one_hour += unsplit
    elif unsplit > 0:
        return five_minutes + unsplit, one_hour, not one_hour
    return five_minutes, one_hour, unsplit >= 0 or not whole
