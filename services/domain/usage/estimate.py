"""How much a stream used that never said, or broke off before it did: four characters are a token, rounded up.

A rule that anybody can redo by hand, and rough on purpose: an estimate fills the token columns, and is never money.
What put out nothing yet has no estimate, since nobody can tell whether its prompt was ever read.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse, Usage
from services.domain.usage.request.hints import Hints

_CHARACTERS_A_TOKEN: Final = 4

# In the deltas of a response: its text, and the arguments of the tools it calls.
_SAID: Final = frozenset(("content", "text", "refusal", "arguments", "partial_json", "input", "tool_plan"))
_THOUGHT: Final = frozenset(("reasoning", "reasoning_content", "thinking", "reasoningContent"))
_AGAIN: Final = "reasoning_details"  # the same reasoning once more

_Put = Iterator[tuple[int, bool]]  # characters, and whether they are reasoning
_any = msgspec.json.Decoder()


def estimated_usage(reading: ParsedResponse, hints: Hints) -> Usage | None:
    """What a stream without final figures used; None when it had put out nothing.

    What the provider had said by then counts before what we can guess.
    """
    known = reading.usage or Usage()
    if not (known.completion_tokens or known.reasoning_tokens):
        passed, thought = _tokens(reading.passed_characters), _tokens(reading.thought_characters)
        known = msgspec.structs.replace(known, completion_tokens=passed, reasoning_tokens=thought)
    if reading.usage is None and known != Usage():
        return msgspec.structs.replace(known, prompt_tokens=_tokens(hints.text_characters))
    return known if known != Usage() else None


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_A_TOKEN)


def output_characters(chunks: Sequence[bytes]) -> tuple[int, int]:
    """The characters of text and calls in the deltas of a stream, and those of its reasoning."""
    return _summed(chunks, _of_chunk)


def whole_output_characters(answer: bytes) -> tuple[int, int]:
    """The same of a response that was not streamed."""
    return _summed([answer], _of_whole)


def _summed(texts: Sequence[bytes], put: Callable[[object], _Put]) -> tuple[int, int]:
    passed = thought = 0
    for text in texts:
        try:
            for characters, is_thought in put(_any.decode(text)):
                passed += 0 if is_thought else characters
                thought += characters if is_thought else 0
        except UNDECODABLE:
            continue
    return passed, thought


def _of_whole(answer: object) -> _Put:
    if not isinstance(answer, dict):
        return
    yield from _of_chunk(answer)
    yield from _of_delta(answer.get("output"), thought=False)
    for choice in _objects(answer.get("choices")):
        yield from _of_delta(choice.get("message"), thought=False)


def _of_chunk(chunk: object) -> _Put:
    """Only from where new text stands: some providers repeat all of it beside, in every chunk or at the end."""
    if not isinstance(chunk, dict):
        return
    for choice in _objects(chunk.get("choices")):
        yield from _of_delta(choice.get("delta"), thought=False)
        yield from _of_delta({"text": choice.get("text")}, thought=False)
    for candidate in _objects(chunk.get("candidates")):
        yield from _of_delta(candidate.get("content"), thought=False)
    kind, delta = str(chunk.get("type", "")), chunk.get("delta")
    if isinstance(delta, str) and not kind.endswith("audio.delta"):
        yield len(delta), "reasoning" in kind
    yield from _of_delta(delta, thought=False)
    if chunk.get("event_type") == "text-generation":
        yield from _of_delta({"text": chunk.get("text")}, thought=False)


def _of_delta(value: object, *, thought: bool) -> _Put:
    for part in _objects(value if isinstance(value, list) else [value]):
        is_thought = thought or part.get("thought") is True
        for name, inner in part.items():
            if name == _AGAIN or (name == "reasoning_content" and part.get("reasoning")):
                continue
            if name == "args":
                yield len(msgspec.json.encode(inner)), False
            elif not isinstance(inner, str):
                yield from _of_delta(inner, thought=is_thought or name in _THOUGHT)
            elif name in _SAID or name in _THOUGHT:
                yield len(inner), is_thought or name in _THOUGHT


def _objects(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
