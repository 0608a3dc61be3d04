"""A stored stream, in whichever of the known formats -> the JSON of one response."""

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.assembly.anthropic_messages import assemble_message
from services.domain.assembly.google_generate import assemble_generated
from services.domain.assembly.growing import Object
from services.domain.assembly.openai_chat import assemble_chat
from services.domain.assembly.openai_responses import assemble_response
from services.domain.exchange.sse import events_of, json_lines, looks_like_events

TRUNCATED: Final = "farebox_truncated"  # true in the JSON of a stream that broke off, or was stored in part

_DONE: Final = b"[DONE]"
_BETWEEN: Final = " \t\r\n,"  # the elements of an array

_Assembler = Callable[[Sequence[Object]], tuple[Object, bool]]

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_elements = json.JSONDecoder(parse_float=Decimal)


def assembled(stream: bytes) -> bytes | None:
    """The JSON of the response that the events of `stream` make; None for a body that is no stream of a known format.

    Every digit is kept. The response of a stream without its end is what there is of it, with `farebox_truncated`.
    """
    try:
        chunks, done = _chunks(stream)
        assemble = next(filter(None, map(_assembler, chunks)), None)
        if assemble is None:
            return None
        response, ended = assemble(chunks)
        return _encoder.encode(response if ended or done else response | {TRUNCATED: True})
    except UNDECODABLE:  # nested too deeply
        return None


def _assembler(chunk: Object) -> _Assembler | None:
    kind = chunk.get("type")
    if isinstance(chunk.get("choices"), list):
        return assemble_chat
    if isinstance(kind, str) and kind.startswith("response."):
        return assemble_response
    if kind in ("message_start", "content_block_start", "content_block_delta", "message_delta"):
        return assemble_message
    return assemble_generated if "candidates" in chunk or "usageMetadata" in chunk else None


def _chunks(stream: bytes) -> tuple[list[Object], bool]:
    """The events that are JSON objects, and whether the stream ends with [DONE]."""
    if looks_like_events(stream):
        events = events_of(stream)
        return [chunk for event in events if (chunk := _object(event)) is not None], _DONE in events[-2:]
    if stream.lstrip().startswith(b"["):
        return list(_array(stream.decode("utf-8", "replace").lstrip())), False
    lines = json_lines(stream)
    if len(lines) < 2:  # a response that was not streamed
        return [], False
    return [chunk for line in lines if (chunk := _object(line)) is not None], False


def _object(text: bytes) -> Object | None:
    try:
        value: Any = _decoder.decode(text)
    except UNDECODABLE:
        return None
    return value if isinstance(value, dict) else None


def _array(text: str) -> Iterator[Object]:
    """The objects of a JSON array, which may break off."""
    position = 1
    while True:
        while text[position : position + 1] and text[position] in _BETWEEN:
            position += 1
        try:
            value, position = _elements.raw_decode(text, position)
        except ValueError:
            return
        if isinstance(value, dict):
            yield value
