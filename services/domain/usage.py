"""A provider's answer, plain or streamed -> Reading: model, usage in disjoint classes, the provider's own figures.

Families are told apart by the names in the usage block, not by the provider: many providers speak several of them.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from schemas.usage import Reading, Usage
from services.domain.figures import Block, NonsenseError
from services.domain.streams import events_of, frames_of, json_lines, looks_like_events, looks_like_frames
from services.domain.tool_fees import with_tool_fees
from services.domain.usage_anthropic import anthropic_usage
from services.domain.usage_google import google_usage
from services.domain.usage_openai import openai_usage
from services.domain.usage_others import cohere_usage, converse_usage

_MOST_BLOCK_CHARACTERS: Final = 16_384
_STANDARD_TIERS: Final = frozenset({"default", "standard", "standard_only", "auto", "on_demand"})
_NOT_THERE: Final = msgspec.Raw(b"")
_OPENING_CHUNKS: Final = 3  # a stream names its model in the first that is not a ping or a filter's result


class _Part(msgspec.Struct):
    """An answer, a chunk of one, or the object within it that is the answer. Only what is asked for is decoded."""

    type: msgspec.Raw = _NOT_THERE
    model: msgspec.Raw = _NOT_THERE
    usage: msgspec.Raw = _NOT_THERE
    service_tier: msgspec.Raw = _NOT_THERE
    error: msgspec.Raw = _NOT_THERE
    output: msgspec.Raw = _NOT_THERE
    message: msgspec.Raw = _NOT_THERE  # Anthropic's message_start
    response: msgspec.Raw = _NOT_THERE  # OpenAI's responses events
    x_groq: msgspec.Raw = _NOT_THERE
    model_version: msgspec.Raw = msgspec.field(default=_NOT_THERE, name="modelVersion")  # Google's
    usage_metadata: msgspec.Raw = msgspec.field(default=_NOT_THERE, name="usageMetadata")
    choices: msgspec.Raw = _NOT_THERE
    candidates: msgspec.Raw = _NOT_THERE  # Google's choices
    meta: msgspec.Raw = _NOT_THERE  # Cohere's
    delta: msgspec.Raw = _NOT_THERE  # the end of Cohere's stream


class _Choice(msgspec.Struct):
    finish_reason: str | None = None
    finish_reason_google: str | None = msgspec.field(default=None, name="finishReason")


class _Found(msgspec.Struct):
    """A usage block and the part it stood in."""

    part: _Part
    block: Block
    raw: bytes
    opening: bool = False  # stood in the message_start of a stream: what was put out is not known yet


_decoder = msgspec.json.Decoder(_Part)
_any = msgspec.json.Decoder()
_chunks = msgspec.json.Decoder(list[msgspec.Raw])
_choices = msgspec.json.Decoder(list[_Choice])

_FAMILIES: Final[Sequence[tuple[str, Callable[[Block, str], tuple[Usage, bool]]]]] = (
    ("prompt_tokens", openai_usage),
    ("input_tokens_details", openai_usage),
    ("input_token_details", openai_usage),
    ("total_tokens", openai_usage),
    ("input_tokens", anthropic_usage),
    ("promptTokenCount", google_usage),
    ("totalTokenCount", google_usage),
    ("inputTokens", converse_usage),
    ("billed_units", cohere_usage),
)


def read_answer(body: bytes, provider: str) -> Reading:
    """What `body`, decompressed, says. Any bytes have a reading; those that say nothing have an empty one."""
    if looks_like_events(body):
        return _read_stream(events_of(body), provider)
    if looks_like_frames(body):
        return _read_stream(frames_of(body), provider)
    answer = _part(body)
    if answer is not None:
        return _reading(_find(answer), answer, provider)
    chunks = _array(body) if body.lstrip()[:1] == b"[" else json_lines(body)
    return _read_stream(chunks, provider) if chunks and _part(chunks[0]) is not None else Reading()


def _array(body: bytes) -> list[bytes]:
    """The chunks of Google's streams when nobody asked for server-sent events."""
    try:
        return [bytes(chunk) for chunk in _chunks.decode(body)]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return []


def _read_stream(events: Sequence[bytes], provider: str) -> Reading:
    chunks = [event for event in events if event.startswith(b"{")]
    found = _last_usage(chunks)
    if found is not None:
        found = _overlaid(found, chunks)
    reading = _reading(found, None, provider)
    return Reading(
        model=reading.model or _first_model(chunks),
        usage=reading.usage,
        usage_block=reading.usage_block,
        complete=reading.complete and not (found is not None and _midway(found.part)),
        tier=reading.tier,
        streamed=True,
        failed=bool(chunks) and _failed(chunks[-1]),
    )


def _first_model(chunks: Sequence[bytes]) -> str:
    parts = map(_part, chunks[:_OPENING_CHUNKS])
    return next((model for part in parts if part is not None and (model := _model(part))), "")


def _midway(part: _Part) -> bool:
    """Whether a chunk came before its answer's end: some providers put running figures into every chunk."""
    choices = part.choices or part.candidates
    if not choices:
        return False
    try:
        return any(not (one.finish_reason or one.finish_reason_google) for one in _choices.decode(choices))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False


def _last_usage(chunks: Sequence[bytes]) -> _Found | None:
    for chunk in reversed(chunks):
        if b'"usage' in chunk and (part := _part(chunk)) is not None and (found := _find(part)) is not None:
            return found
    return None


def _overlaid(last: _Found, chunks: Sequence[bytes]) -> _Found:
    """Anthropic says what was put in at the start and what was put out at the end: the end's figures win."""
    if last.opening:
        return last
    for chunk in chunks[:_OPENING_CHUNKS]:
        part = _part(chunk) if b'"message_start"' in chunk else None
        start = _find(part) if part is not None else None
        if start is not None and start.opening:
            block = {**start.block, **{name: value for name, value in last.block.items() if value is not None}}
            return _Found(part=start.part, block=block, raw=msgspec.json.encode(block))
    return last


def _reading(found: _Found | None, answer: _Part | None, provider: str) -> Reading:
    if found is None:
        return Reading(model=_model(answer) if answer is not None else "")
    usage, complete = _usage(found, provider)
    raw = found.raw if len(found.raw) <= _MOST_BLOCK_CHARACTERS else b""
    return Reading(
        model=_model(found.part) or (_model(answer) if answer is not None else ""),
        usage=usage,
        usage_block=raw.decode("utf-8", "replace"),
        complete=complete,
        tier=_tier(found),
    )


def _usage(found: _Found, provider: str) -> tuple[Usage | None, bool]:
    """None for nonsense, for a block of no known family, and for one that says that nothing at all was used."""
    read = next((read for name, read in _FAMILIES if name in found.block), None)
    if read is None:
        return None, False
    try:
        usage, complete = read(found.block, provider)
        usage, fees_complete = with_tool_fees(usage, found.part.output)
    except NonsenseError:
        return None, False
    if found.opening:
        # The opening counts one token put out, as a placeholder.
        return msgspec.structs.replace(usage, completion_tokens=0, reasoning_tokens=0), False
    return (usage if usage != _NO_USAGE else None), complete and fees_complete


_NO_USAGE: Final = Usage()


def _find(part: _Part) -> _Found | None:
    """The usage block of a part, at the first of the known places that holds one."""
    for raw in (part.usage, part.usage_metadata):
        if raw and (found := _found(part, raw)) is not None:
            return found
    for wrapper, opening in ((part.response, False), (part.message, True), (part.x_groq, False), (part.delta, False)):
        inner = _part(wrapper)
        raw = (inner.usage or inner.usage_metadata) if inner is not None else _NOT_THERE
        if inner is not None and raw and (found := _found(inner, raw, opening=opening)) is not None:
            return found
    return _found(part, part.meta) if b"billed_units" in bytes(part.meta) else None


def _found(part: _Part, raw: msgspec.Raw, *, opening: bool = False) -> _Found | None:
    block = _value(raw)
    if not isinstance(block, dict) or not block:
        return None
    return _Found(part=part, block=block, raw=bytes(raw), opening=opening)


def _model(part: _Part) -> str:
    for holder in (part, _part(part.message), _part(part.response)):
        name = _value(holder.model or holder.model_version) if holder is not None else None
        if isinstance(name, str) and name:
            return name
    return ""


def _tier(found: _Found) -> str:
    """OpenAI says it beside the usage, Anthropic inside it; Anthropic's fast mode is a tier by another name."""
    for value in (_value(found.part.service_tier), found.block.get("service_tier"), found.block.get("speed")):
        if isinstance(value, str) and value and value.lower() not in _STANDARD_TIERS:
            return value.lower()
    return ""


def _failed(chunk: bytes) -> bool:
    if b'"error"' not in chunk and b"response.failed" not in chunk:
        return False
    part = _part(chunk)
    if part is None:
        return False
    return _value(part.error) is not None or _value(part.type) in ("error", "response.failed")


def _part(text: bytes | msgspec.Raw) -> _Part | None:
    """None when `text` is not a JSON object."""
    if not text:
        return None
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _value(raw: msgspec.Raw) -> object:
    """None when there is nothing, or nothing that can be read."""
    if not raw:
        return None
    try:
        return _any.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
