"""What a simulated provider counts in a request, and the words it responds with. Pure but for its draws."""

import random
from collections.abc import Iterator
from typing import Any

from schemas.usage import Usage

Json = dict[str, Any]

_SENTENCE = (
    "your order total includes shipping and the document names three risks we found two matching answers in "
    "the archive opening hours are nine to five please see section four for the terms of the contract"
)
_CACHE_STEP = 128  # OpenAI's prompt cache works in steps of so many tokens, from eight of them on
_REASONING = ("o1", "o3", "o4", "gpt-5")


def tokens_in(text: str) -> int:
    """About four characters a token, and never none."""
    return 1 + len(text) // 4


def text_of(value: Any) -> str:
    """All the text in a prompt, however it is nested."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(text_of(part) for part in value)
    if isinstance(value, dict):
        return "\n".join(text_of(value[name]) for name in ("text", "content", "input_text") if name in value)
    return ""


def words(draw: random.Random, limit: int | None) -> str:
    """What is written: 8 to 48 words, and no more than `limit` tokens."""
    text = " ".join(draw.choices(_SENTENCE.split(), k=draw.randint(8, 48)))
    return text if limit is None else text[: max(1, limit - 1) * 4]


def openai_tokens(prompt: str, text: str, model: str, draw: random.Random) -> Usage:
    """Long prompts are half the time found in the provider's cache; reasoning models reason before they write."""
    counted = tokens_in(prompt)
    steps = counted // _CACHE_STEP
    cached = _CACHE_STEP * draw.randint(1, steps) if steps >= 8 and draw.random() < 0.5 else 0
    return Usage(
        prompt_tokens=counted - cached,
        prompt_cache_read_tokens=cached,
        completion_tokens=tokens_in(text),
        reasoning_tokens=64 * draw.randint(1, 6) if model.startswith(_REASONING) else 0,
    )


def anthropic_tokens(request: Json, text: str, seen: set[int]) -> Usage:
    """Everything up to the last block with `cache_control` is written to the cache once, and read from then on.

    `seen` holds what was written before, and grows.
    """
    before, marks = "", []
    for block in _blocks(request):
        before += text_of(block) + "\n"
        if control := block.get("cache_control"):
            marks.append((before, control.get("ttl", "5m")))
    if not marks:
        return Usage(prompt_tokens=tokens_in(before), completion_tokens=tokens_in(text))
    prefix, lifetime = marks[-1]
    counted, rest, output = tokens_in(prefix), tokens_in(before) - tokens_in(prefix), tokens_in(text)
    if hash(prefix) in seen:
        return Usage(prompt_tokens=rest, prompt_cache_read_tokens=counted, completion_tokens=output)
    seen.add(hash(prefix))
    if lifetime == "1h":
        return Usage(prompt_tokens=rest, prompt_cache_write_1h_tokens=counted, completion_tokens=output)
    return Usage(prompt_tokens=rest, prompt_cache_write_5m_tokens=counted, completion_tokens=output)


def _blocks(request: Json) -> Iterator[Json]:
    """System blocks, then message blocks, in the order in which Anthropic caches them."""
    contents = [request.get("system", ""), *(turn.get("content", "") for turn in request.get("messages", []))]
    for content in contents:
        yield from content if isinstance(content, list) else [{"text": content}]
