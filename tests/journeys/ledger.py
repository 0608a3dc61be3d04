"""What the client saw, added up by hand: the figures that Farebox's must equal, to the last digit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

MILLION = Decimal(1_000_000)

# US dollars per million tokens, from the providers' price pages:
# input, cache read, 5-minute cache write, 1-hour cache write, output.
PRICES: Mapping[str, tuple[str, str, str, str, str]] = {
    "gpt-4o-mini": ("0.15", "0.075", "0", "0", "0.60"),
    "gpt-4o": ("2.50", "1.25", "0", "0", "10.00"),
    "text-embedding-3-small": ("0.02", "0", "0", "0", "0"),
    "claude-sonnet-4": ("3.00", "0.30", "3.75", "6.00", "15.00"),
}


def cost_of(model: str, usage: Mapping[str, Any]) -> Decimal:
    """US dollars for a provider's usage block, OpenAI's or Anthropic's."""
    name = max((known for known in PRICES if model.startswith(known)), key=len)
    prices = (Decimal(figure) / MILLION for figure in PRICES[name])
    counts = _anthropic_counts(usage) if model.startswith("claude") else _openai_counts(usage)
    return sum((count * price for count, price in zip(counts, prices, strict=True)), Decimal(0))


def _openai_counts(usage: Mapping[str, Any]) -> tuple[int, ...]:
    """OpenAI counts cached tokens inside the prompt; responses and chat name the same things differently."""
    prompt = int(usage.get("prompt_tokens") or usage.get("input_tokens") or 0)
    output = int(usage.get("completion_tokens") or usage.get("output_tokens") or 0)
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = int(details.get("cached_tokens") or 0)
    return prompt - cached, cached, 0, 0, output


def _anthropic_counts(usage: Mapping[str, Any]) -> tuple[int, ...]:
    """Anthropic counts cached tokens outside the input."""
    written = int(usage.get("cache_creation_input_tokens") or 0)
    written_1h = int((usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0)
    read = int(usage.get("cache_read_input_tokens") or 0)
    return int(usage["input_tokens"]), read, written - written_1h, written_1h, int(usage["output_tokens"])
