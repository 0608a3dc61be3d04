"""Estimated usage of a stream that reported none, or broke off before it did: four characters are a token, rounded up.

The rule can be redone by hand, and is rough on purpose: an estimate fills the token columns, and is never charged. A
stream without any output has no estimate, since the provider may not have processed its prompt.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse, Usage
from services.domain.usage.request.hints import Hints

_CHARACTERS_A_TOKEN: Final = 4

# In the deltas of a response: its text, and the arguments of its tool calls.
_OUTPUT_FIELDS: Final = frozenset(("content", "text", "refusal", "arguments", "partial_json", "input", "tool_plan"))
_REASONING_FIELDS: Final = frozenset(("reasoning", "reasoning_content", "thinking", "reasoningContent"))
_REPEATED_REASONING: Final = "reasoning_details"  # the same reasoning a second time

_Characters = Iterator[tuple[int, bool]]  # characters, and whether they are reasoning
_any = msgspec.json.Decoder()


def estimated_usage(parsed: ParsedResponse, hints: Hints) -> Usage | None:
    """Estimated usage of a stream without final usage; None when it had no output.

    Usage that the provider had reported by then takes precedence over the estimate.
    """
    known = parsed.usage or Usage()
    if not (known.completion_tokens or known.reasoning_tokens):
        output, reasoning = _tokens(parsed.output_characters), _tokens(parsed.reasoning_characters)
        known = msgspec.structs.replace(known, completion_tokens=output, reasoning_tokens=reasoning)
    if parsed.usage is None and known != Usage():
        return msgspec.structs.replace(known, prompt_tokens=_tokens(hints.text_characters))
    return known if known != Usage() else None


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_A_TOKEN)


def output_characters(chunks: Sequence[bytes]) -> tuple[int, int]:
    """The characters of text and tool calls in the deltas of a stream, and those of its reasoning."""
    return _sums(chunks, _of_chunk)


def whole_output_characters(response: bytes) -> tuple[int, int]:
    """The same of a response that was not streamed."""
    return _sums([response], _of_whole)


def _sums(texts: Sequence[bytes], characters_in: Callable[[object], _Characters]) -> tuple[int, int]:
    output = reasoning = 0
    for text in texts:
        try:
            for characters, is_reasoning in characters_in(_any.decode(text)):
                output += 0 if is_reasoning else characters
                reasoning += characters if is_reasoning else 0
        except UNDECODABLE:
            continue
    return output, reasoning


def _of_whole(response: object) -> _Characters:
    if not isinstance(response, dict):
        return
    yield from _of_chunk(response)
    yield from _of_delta(response.get("output"), reasoning=False)
    for choice in _objects(response.get("choices")):
        yield from _of_delta(choice.get("message"), reasoning=False)


def _of_chunk(chunk: object) -> _Characters:
    """Only from the fields with new text: some providers repeat all of it elsewhere, in each chunk or at the end."""
    if not isinstance(chunk, dict):
        return
    for choice in _objects(chunk.get("choices")):
        yield from _of_delta(choice.get("delta"), reasoning=False)
        yield from _of_delta({"text": choice.get("text")}, reasoning=False)
    for candidate in _objects(chunk.get("candidates")):
        yield from _of_delta(candidate.get("content"), reasoning=False)
    kind, delta = str(chunk.get("type", "")), chunk.get("delta")
    if isinstance(delta, str) and not kind.endswith("audio.delta"):
        yield len(delta), "reasoning" in kind
    yield from _of_delta(delta, reasoning=False)
    if chunk.get("event_type") == "text-generation":
        yield from _of_delta({"text": chunk.get("text")}, reasoning=False)


def _of_delta(value: object, *, reasoning: bool) -> _Characters:
    for part in _objects(value if isinstance(value, list) else [value]):
        is_reasoning = reasoning or part.get("thought") is True
        for name, inner in part.items():
            if name == _REPEATED_REASONING or (name == "reasoning_content" and part.get("reasoning")):
                continue
            if name == "args":
                yield len(msgspec.json.encode(inner)), False
            elif not isinstance(inner, str):
                yield from _of_delta(inner, reasoning=is_reasoning or name in _REASONING_FIELDS)
            elif name in _OUTPUT_FIELDS or name in _REASONING_FIELDS:
                yield len(inner), is_reasoning or name in _REASONING_FIELDS


def _objects(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
