"""What other models than the response's own used: Claude's advisors, and those that draw for OpenAI's.

An advisor's turns stand beside those of the model that it advises, in `usage.iterations`. What the models used that
drew is in `tool_usage`, and of those that wrote SVG in `svg_usage`, each apart from the usage of the response.
Sources: `formats/iterations.py`, https://platform.openai.com/docs/api-reference/responses/object (`tool_usage`),
https://platform.openai.com/docs/guides/tools-image-generation, .../docs/guides/prompt-caching (from 1,024 tokens on)
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from schemas.usage import ModelUsage, Usage, usage_of_all
from services.domain.providers.openai import OPENAI
from services.domain.usage.formats.anthropic import anthropic_usage
from services.domain.usage.formats.fields import (
    InvalidUsage,
    ParsedUsage,
    UsageObject,
    count_field,
    plausible,
    section,
)
from services.domain.usage.formats.iterations import advisors_turns
from services.domain.usage.formats.openai import OPENAI_NAMES, as_images, openai_usage
from services.domain.usage.formats.unrecognized import Names, counts_more
from services.domain.usage.request.billed import named_for_images
from services.domain.usage.response.envelope import NOT_THERE, Found, Part, value_of

_NO_TOOLS: Final = len(b"null")  # or {}
_CALL: Final = "image_generation_call"
_CALL_BYTES: Final = b'"image_generation_call"'
_FAILED: Final = "failed"
_LEAST_CACHED: Final = 1024  # tokens: no shorter prompt is cached
_CACHED: Final = "cached_tokens"
_CACHED_PARTS: Final = "cached_tokens_details"
_DRAWING_NAMES: Final[Names] = {
    **OPENAI_NAMES,
    _CACHED_PARTS: frozenset(("cached_image_tokens", "cached_text_tokens")),
}

_Others = Iterator[tuple[str, ParsedUsage]]  # each model, and what it used


class _Item(msgspec.Struct):
    type: str = ""
    status: str = ""
    svg_usage: msgspec.Raw = NOT_THERE


class _Drawn(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


class _ToolUsage(msgspec.Struct):
    image_gen: _Drawn | None = None


class _Tool(msgspec.Struct):
    type: Any = None
    model: Any = None


_items = msgspec.json.Decoder(list[_Item])
_tool_usages = msgspec.json.Decoder(_ToolUsage | None)
_tools = msgspec.json.Decoder(list[_Tool])


def with_other_models(parsed: ParsedUsage, found: Found, model: str) -> ParsedUsage:
    """`parsed`, the usage of `model`, with what others used; incomplete where that is unknown."""
    try:
        others = [*_advised(found.block, model), *_drawn(found.part)]
        if not others:
            return parsed
        together = usage_of_all(parsed.usage, (one.usage for _, one in others))
        for count in msgspec.structs.astuple(together):
            plausible(count)
    except (InvalidUsage, *UNDECODABLE):
        return msgspec.structs.replace(parsed, complete=False)
    return ParsedUsage(
        parsed.usage,
        parsed.consistent and all(one.consistent for _, one in others),
        parsed.complete and all(one.complete for _, one in others),
        tuple(
            ModelUsage(model=name, usage=one.usage) for name, one in others if any(msgspec.structs.astuple(one.usage))
        ),
    )


def _advised(block: UsageObject, model: str) -> _Others:
    """Turn by turn, since each is billed by the size of its own prompt. Raises: InvalidUsage."""
    for name, turn in advisors_turns(block, model):
        yield name, anthropic_usage(turn, "")


def _drawn(part: Part) -> _Others:
    """Raises: InvalidUsage, or one of UNDECODABLE."""
    if part.svg_usage:
        yield from _written(part.svg_usage)
    has_calls = _CALL_BYTES in bytes(part.output)
    if not has_calls and len(bytes(part.tool_usage)) <= _NO_TOOLS:
        return
    calls = [item for item in _items.decode(part.output) if item.type == _CALL] if has_calls else []
    for call in calls:
        yield from _written(call.svg_usage)
    tools = _tool_usages.decode(part.tool_usage or b"null")
    drawn = None if tools is None else tools.image_gen
    if drawn is not None and any(msgspec.structs.astuple(drawn)):
        yield _model_that_draws(bytes(part.tools)), _drawing(part)
    elif any(call.status != _FAILED or drawn is None for call in calls):
        yield "", ParsedUsage(Usage(), complete=False)  # a call whose usage was not recorded is left out there


def _written(svg_usage: msgspec.Raw) -> _Others:
    """What the model used that wrote an SVG. It is named there, and is billed apart from the one that draws."""
    block = value_of(svg_usage)
    if isinstance(block, dict) and block:
        parsed = openai_usage(block, OPENAI.name)
        complete = parsed.usage != Usage() and not counts_more(block, OPENAI_NAMES)
        yield str(block.get("model") or ""), ParsedUsage(parsed.usage, parsed.consistent, complete)


def _drawing(part: Part) -> ParsedUsage:
    """What the model used that draws. Where it does not say what was cached, only a short prompt is known not to be."""
    tools = value_of(part.tool_usage)
    block = section(tools, "image_gen") if isinstance(tools, dict) else {}
    cached = section(block, _CACHED_PARTS)
    details = {
        **section(block, "input_tokens_details"),
        _CACHED: count_field(block, _CACHED),
        _CACHED_PARTS: {"image_tokens": count_field(cached, "cached_image_tokens")},
    }
    parsed = as_images(openai_usage({**block, "input_tokens_details": details}, OPENAI.name), block)
    says_what_was_cached = block.get(_CACHED) is not None or count_field(block, "input_tokens") < _LEAST_CACHED
    complete = says_what_was_cached and not counts_more(block, _DRAWING_NAMES)
    return ParsedUsage(parsed.usage, parsed.consistent, complete)


def _model_that_draws(tools: bytes) -> str:
    """As the response repeats the tools of its request; '' where it names none."""
    try:
        return named_for_images((tool.type, tool.model) for tool in _tools.decode(tools))
    except UNDECODABLE:
        return ""
