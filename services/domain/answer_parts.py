"""The pieces of providers' answers that are looked at, and where in them model, usage and errors stand.

An answer, a chunk of a streamed one, and the object within a chunk that is the answer are all read as one `Part`:
nobody uses one of its names for anything else.
"""

import re
from typing import Final

import msgspec

from services.domain.figures import Block

NOT_THERE: Final = msgspec.Raw(b"")


class Part(msgspec.Struct):
    """Only what is asked for is decoded further."""

    type: msgspec.Raw = NOT_THERE
    model: msgspec.Raw = NOT_THERE
    usage: msgspec.Raw = NOT_THERE
    service_tier: msgspec.Raw = NOT_THERE
    bedrock_tier: msgspec.Raw = msgspec.field(default=NOT_THERE, name="serviceTier")
    bedrock_performance: msgspec.Raw = msgspec.field(default=NOT_THERE, name="performanceConfig")
    error: msgspec.Raw = NOT_THERE
    output: msgspec.Raw = NOT_THERE
    tools: msgspec.Raw = NOT_THERE
    message: msgspec.Raw = NOT_THERE  # Anthropic's message_start
    response: msgspec.Raw = NOT_THERE  # OpenAI's responses events, and the end of Cohere's first streams
    x_groq: msgspec.Raw = NOT_THERE
    model_version: msgspec.Raw = msgspec.field(default=NOT_THERE, name="modelVersion")  # Google's
    usage_metadata: msgspec.Raw = msgspec.field(default=NOT_THERE, name="usageMetadata")
    choices: msgspec.Raw = NOT_THERE
    candidates: msgspec.Raw = NOT_THERE  # Google's choices
    meta: msgspec.Raw = NOT_THERE  # Cohere's
    delta: msgspec.Raw = NOT_THERE  # the end of Cohere's streams; why Anthropic's stopped


class Found(msgspec.Struct):
    """A usage block and the part it stood in."""

    part: Part
    block: Block
    raw: bytes
    opening: bool = False  # stood in the message_start of a stream: what was put out is not known yet


class _Shape(msgspec.Struct):
    """What tells a choice of a chunk from one of a whole answer."""

    delta: dict[str, msgspec.Raw] | None = None
    message: msgspec.Raw = NOT_THERE
    text: msgspec.Raw = NOT_THERE
    finish_reason: msgspec.Raw = NOT_THERE  # null: not finished; some servers leave it out of whole answers


class _Choice(msgspec.Struct):
    index: int = 0
    finish_reason: str | None = None
    finish_reason_google: str | None = msgspec.field(default=None, name="finishReason")


_decoder = msgspec.json.Decoder(Part)
_any = msgspec.json.Decoder()
_choices = msgspec.json.Decoder(list[_Choice])
_shapes = msgspec.json.Decoder(list[_Shape])

_FAILURES: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
_CHUNK_TYPE: Final = re.compile(
    rb'"(?:message_(?:start|delta|stop)"|content_block_|ping"|[a-z_]+\.|(?:message|content|tool|citation)-)'
)
_NO_ENTRIES: Final = len(b"[]")
_NULL: Final = b"null"


def part_of(text: bytes | msgspec.Raw) -> Part | None:
    """None when `text` is not a JSON object."""
    if not text:
        return None
    try:
        return _decoder.decode(text)
    except _FAILURES:
        return None


def value_of(raw: msgspec.Raw) -> object:
    """None when there is nothing, or nothing that can be read."""
    if not raw:
        return None
    try:
        return _any.decode(raw)
    except _FAILURES:
        return None


def usage_in(part: Part) -> Found | None:
    """The usage block of a part, at the first of the known places that holds one."""
    for raw in (part.usage, part.usage_metadata):
        if raw and (found := _found(part, raw)) is not None:
            return found
    for wrapper, opening in ((part.response, False), (part.message, True), (part.x_groq, False), (part.delta, False)):
        inner = part_of(wrapper)
        raw = (inner.usage or inner.usage_metadata or inner.meta) if inner is not None else NOT_THERE
        if inner is not None and raw and (found := _found(inner, raw, opening=opening)) is not None:
            return found
    return _found(part, part.meta) if b"billed_units" in bytes(part.meta) else None


def _found(part: Part, raw: msgspec.Raw, *, opening: bool = False) -> Found | None:
    block = value_of(raw)
    if not isinstance(block, dict) or not block:
        return None
    return Found(part=part, block=block, raw=bytes(raw), opening=opening)


def model_in(part: Part) -> str:
    for holder in (part, part_of(part.message), part_of(part.response)):
        name = value_of(holder.model or holder.model_version) if holder is not None else None
        if isinstance(name, str) and name:
            return name
    return ""


def tier_in(part: Part) -> str:
    """The service tier that an answer names beside its usage; '' when it names none."""
    if part.service_tier:
        said = value_of(part.service_tier)
        return said if isinstance(said, str) else ""
    if part.bedrock_tier or part.bedrock_performance:
        tier, performance = value_of(part.bedrock_tier), value_of(part.bedrock_performance)
        named = tier.get("type") if isinstance(tier, dict) else ""
        latency = performance.get("latency") if isinstance(performance, dict) else ""
        return "optimized-latency" if latency == "optimized" else str(named or "")
    return ""


def is_chunk(part: Part) -> bool:
    """Whether a part that stands alone is a piece of a streamed answer, and no whole one."""
    if part.delta or (part.type and _CHUNK_TYPE.match(part.type) is not None):
        return True
    if part.candidates:
        candidates = bytes(part.candidates)
        return len(candidates) > _NO_ENTRIES and b'"finishReason"' not in candidates
    choices = bytes(part.choices)
    if b'"delta"' not in choices and b'"text"' not in choices:
        return False
    try:
        return any(map(_is_of_chunk, _shapes.decode(choices)))
    except _FAILURES:
        return False


def _is_of_chunk(choice: _Shape) -> bool:
    if bytes(choice.message) not in (b"", _NULL):
        return False
    return choice.delta is not None or (bool(choice.text) and bytes(choice.finish_reason) == _NULL)


def is_going_on(part: Part) -> bool:
    """Whether Anthropic's chunk with usage does not say that the answer stopped: another one will."""
    if not part.delta or value_of(part.type) != "message_delta":
        return False
    delta = value_of(part.delta)
    return not (isinstance(delta, dict) and delta.get("stop_reason"))


def choices_in(part: Part) -> dict[int, bool]:
    """Whether each choice that a chunk speaks of ended in it, by its index."""
    choices = part.choices or part.candidates
    if len(bytes(choices)) <= _NO_ENTRIES:
        return {}
    try:
        found = _choices.decode(choices)
    except _FAILURES:
        return {}
    return {one.index: bool(one.finish_reason or one.finish_reason_google) for one in found}


def has_failed(chunk: bytes) -> bool:
    """Whether a stream's chunk says that the provider gave up."""
    if b'"error"' not in chunk and b"response.failed" not in chunk:
        return False
    part = part_of(chunk)
    if part is None:
        return False
    return value_of(part.error) is not None or value_of(part.type) in ("error", "response.failed")
