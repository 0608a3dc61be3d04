"""Chunks of streams: how one differs from a whole response, and whether the response ended or failed in it."""

import re
from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.usage.formats.fields import UsageObject
from services.domain.usage.response.envelope import NOT_THERE, Part, parse_part, value_of

_CHUNK_TYPE: Final = re.compile(
    rb'"(?:message_(?:start|delta|stop)"|content_block_|ping"|[a-z_]+\.|(?:message|content|tool|citation)-)'
)
_NO_ENTRIES: Final = len(b"[]")
_NULL: Final = b"null"
_IMAGE_EVENT: Final = re.compile(rb'"image_(?:generation|edit)\.')
_STEP: Final = (b'"step.', b'"content.')


class _Shape(msgspec.Struct):
    """How a choice of a chunk differs from one of a whole response."""

    delta: dict[str, msgspec.Raw] | None = None
    message: msgspec.Raw = NOT_THERE
    text: msgspec.Raw = NOT_THERE
    finish_reason: msgspec.Raw = NOT_THERE  # null: not finished; some servers omit it in whole responses


class _Choice(msgspec.Struct):
    index: int = 0
    finish_reason: str | None = None
    finish_reason_google: str | None = msgspec.field(default=None, name="finishReason")


_choices = msgspec.json.Decoder(list[_Choice])
_shapes = msgspec.json.Decoder(list[_Shape])


def is_chunk(part: Part) -> bool:
    """Whether a body is a chunk of a stream, and no whole response."""
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
    except UNDECODABLE:
        return False


def _is_of_chunk(choice: _Shape) -> bool:
    if bytes(choice.message) not in (b"", _NULL):
        return False
    return choice.delta is not None or (bool(choice.text) and bytes(choice.finish_reason) == _NULL)


def shows_output(part: Part) -> bool:
    """Whether a part contains generated output, as embeddings and rankings do not."""
    return max(len(bytes(part.choices)), len(bytes(part.output))) > _NO_ENTRIES


def holds_images(part: Part, block: UsageObject) -> bool:
    """Whether a part with output in its usage `block` is a response of images: embeddings have no output.

    Of a large one only the end may have been stored: there the count of input images shows it.
    """
    if part.data or part.type:
        return bool(part.data) or _IMAGE_EVENT.match(part.type) is not None
    details = block.get("input_tokens_details")
    return isinstance(details, dict) and "image_tokens" in details


def is_intermediate(part: Part) -> bool:
    """Whether a chunk with usage is not the last one: Anthropic's without a stop reason, or a step of a Google
    interaction."""
    if part.event_type:
        return bytes(part.event_type).startswith(_STEP)
    if not part.delta or value_of(part.type) != "message_delta":
        return False
    delta = value_of(part.delta)
    return not (isinstance(delta, dict) and delta.get("stop_reason"))


def choices_finished(part: Part) -> dict[int, bool]:
    """Whether each choice in a chunk ended in it, by its index."""
    choices = part.choices or part.candidates
    if len(bytes(choices)) <= _NO_ENTRIES:
        return {}
    try:
        found = _choices.decode(choices)
    except UNDECODABLE:
        return {}
    return {one.index: bool(one.finish_reason or one.finish_reason_google) for one in found}


def is_error(chunk: bytes) -> bool:
    """Whether a stream's chunk reports that the provider failed."""
    if b'"error"' not in chunk and b"response.failed" not in chunk:
        return False
    part = parse_part(chunk)
    if part is None:
        return False
    return value_of(part.error) is not None or value_of(part.type) in ("error", "response.failed")
