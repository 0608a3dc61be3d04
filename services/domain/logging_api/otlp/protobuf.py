"""OTLP's traces in protobuf -> spans. Read field by field, so that no message takes more memory than its bytes.

Source: https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

import struct
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec

from schemas.errors import InvalidRequest
from services.domain.logging_api.otlp.span import Attribute, Span

MAX_DEPTH: Final = 16  # of lists and objects in an attribute
MAX_ATTRIBUTES: Final = 5_000  # of a span

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES: Final = 10
_SPANS_OF: Final = (1, 2, 2)  # the fields from the export by its resources and scopes to the spans

# Of a span
_TRACE_ID, _SPAN_ID, _NAME, _START, _END, _ATTRIBUTES, _STATUS = 1, 2, 5, 7, 8, 9, 15

Field: TypeAlias = tuple[int, bytes | int]  # its number; a message, a text or bytes, or a number


def spans_in(payload: bytes) -> Iterator[Span]:
    """Raises: InvalidRequest, while they are read."""
    yield from map(_span, _below(payload, _SPANS_OF))


def _below(message: bytes, path: tuple[int, ...]) -> Iterator[bytes]:
    """The messages at `path`, a field of each message on the way."""
    if not path:
        yield message
        return
    for number, value in _fields(message):
        if number == path[0] and isinstance(value, bytes):
            yield from _below(value, path[1:])


def _fields(message: bytes) -> Iterator[Field]:
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        match kind:
            case 0:
                value, position = _varint(message, position)
                yield number, value
            case 1 | 5:
                size = 8 if kind == _FIXED64 else 4
                yield number, int.from_bytes(_slice(message, position, size), "little")
                position += size
            case 2:
                size, position = _varint(message, position)
                yield number, _slice(message, position, size)
                position += size
            case _:
                raise _malformed()


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(message[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, position + place + 1
    raise _malformed()


def _slice(message: bytes, position: int, size: int) -> bytes:
    if size > len(message) - position:
        raise _malformed()
    return message[position : position + size]


def _malformed() -> InvalidRequest:
    return InvalidRequest("the body is no ExportTraceServiceRequest in protobuf")


def _span(message: bytes) -> Span:
    values: dict[int, bytes | int] = {}
    attributes: dict[str, Attribute] = {}
    for number, value in _fields(message):
        if number == _ATTRIBUTES and isinstance(value, bytes):
            if len(attributes) < MAX_ATTRIBUTES:
                name, attribute = _key_value(value, 0)
                if attribute is not None:
                    attributes[name] = _plain(attribute)
        else:
            values[number] = value
    status = dict(_fields(_bytes_of(values.get(_STATUS))))
    return Span(
        name=_text(values.get(_NAME)),
        trace_id=_bytes_of(values.get(_TRACE_ID)),
        span_id=_bytes_of(values.get(_SPAN_ID)),
        start_ns=_number(values.get(_START)),
        end_ns=_number(values.get(_END)),
        status=_number(status.get(3)),
        status_message=_text(status.get(2)),
        attributes=attributes,
    )


def _key_value(message: bytes, depth: int) -> tuple[str, Any]:
    name, value = "", None
    for number, content in _fields(message):
        if number == 1:
            name = _text(content)
        elif number == 2 and isinstance(content, bytes):  # its value
            value = _any_value(content, depth)
    return name, value


def _any_value(message: bytes, depth: int) -> Any:
    """None for a value that is not set, and for bytes."""
    if depth > MAX_DEPTH:
        raise InvalidRequest("an attribute of a span is nested too deeply")
    value: Any = None
    for number, content in _fields(message):
        value = _scalar(number, content) if isinstance(content, int) else _content(number, content, depth)
    return value


def _scalar(number: int, content: int) -> bool | int | float | None:
    match number:
        case 2:
            return bool(content)
        case 3:
            return content - 2**64 if content >= 2**63 else content
        case 4:
            (value,) = struct.unpack("<d", content.to_bytes(8, "little"))
            return float(value)
    return None


def _content(number: int, content: bytes, depth: int) -> Any:
    match number:
        case 1:
            return _text(content)
        case 5:
            return [_any_value(one, depth + 1) for one in _below(content, (1,))]
        case 6:
            return dict(_key_value(one, depth + 1) for one in _below(content, (1,)))
    return None


def _plain(value: Any) -> Attribute:
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value


def _text(value: bytes | int | None) -> str:
    return _bytes_of(value).decode("utf-8", "replace")


def _bytes_of(value: bytes | int | None) -> bytes:
    return value if isinstance(value, bytes) else b""


def _number(value: bytes | int | None) -> int:
    return value if isinstance(value, int) else 0
