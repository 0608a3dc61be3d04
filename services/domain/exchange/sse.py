"""The bytes of a stream -> its server-sent events, JSON lines or binary frames.

Line ends may be LF, CR or CRLF; an event may hold several data lines; lines that begin with a colon are comments.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import re
from base64 import b64decode
from struct import Struct
from typing import Any, Final

import msgspec

from schemas.undecodable import UNDECODABLE

_DONE: Final = b"[DONE]"
_LAST_TYPES: Final = ("message_stop", "response.completed", "response.incomplete", "response.failed")
_BOM: Final = b"\xef\xbb\xbf"
_PRELUDE: Final = Struct(">III")  # of a binary frame: its length, its headers' length, a checksum of the two
_CHECKSUM_BYTES: Final = 4
_WRAPPED: Final = re.compile(rb'\s*\{\s*"bytes"\s*:\s*"([A-Za-z0-9+/=]*)"')
_FIRST_LINE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")


def events_of(body: bytes) -> list[bytes]:
    """The data of all events of a whole stream; a last one may lack its blank line. Data lines are joined by LF."""
    found = map(_data_of, _with_line_feeds(body).removeprefix(_BOM).split(b"\n\n"))
    return [data for data in found if data is not None]


def _data_of(block: bytes) -> bytes | None:
    """None when the block has no data line."""
    if block.startswith(b"event:"):
        block = block.partition(b"\n")[2]
    if block.startswith(b"data: ") and b"\n" not in block:
        return block[6:]
    lines = [_value(line) for line in block.split(b"\n") if line.startswith(b"data:") or line == b"data"]
    return b"\n".join(lines) if lines else None


def _value(line: bytes) -> bytes:
    return line[5:].removeprefix(b" ")


class _Typed(msgspec.Struct):
    type: Any = None


_typed = msgspec.json.Decoder(_Typed)


def ends_stream(end: bytes) -> bool:
    """Whether the last whole event in `end`, the last bytes of a stream so far, is a final one.

    Clients may disconnect after it: OpenAI's do after [DONE], without waiting for the end of the body.
    """
    if not end.endswith((b"\n", b"\r")):
        return False
    block = _with_line_feeds(end).rstrip(b"\n").rpartition(b"\n\n")[2]
    data = _data_of(block)
    return data is not None and (data.strip() == _DONE or _type_of(data) in _LAST_TYPES)


def _type_of(event: bytes) -> Any:
    try:
        return _typed.decode(event).type
    except UNDECODABLE:
        return None


def _with_line_feeds(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def looks_like_events(body: bytes) -> bool:
    """Whether `body` begins as an event stream does, whatever its content type."""
    return _FIRST_LINE.match(body, 0, 256) is not None


def json_lines(body: bytes) -> list[bytes]:
    """The objects of a stream that was logged as one JSON object a line."""
    return [line for line in body.splitlines() if line.startswith(b"{")]


def looks_like_frames(body: bytes) -> bool:
    """Whether `body` begins as Amazon's binary event stream does."""
    return body.startswith(b"\0") and len(body) >= _PRELUDE.size and _PRELUDE.unpack_from(body)[0] > _PRELUDE.size


def frames_of(body: bytes) -> list[bytes]:
    """The JSON of each whole frame of Amazon's binary event stream; Bedrock's base64 wrapping is removed.

    Source: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html
    """
    payloads = []
    position = 0
    while position + _PRELUDE.size <= len(body):
        length, header_length, _checksum = _PRELUDE.unpack_from(body, position)
        end = position + length
        if length < _PRELUDE.size + header_length + _CHECKSUM_BYTES or end > len(body):
            break
        payloads.append(_unwrapped(body[position + _PRELUDE.size + header_length : end - _CHECKSUM_BYTES]))
        position = end
    return payloads


def _unwrapped(payload: bytes) -> bytes:
    found = _WRAPPED.match(payload)
    if found is None:
        return payload
    try:
        return b64decode(found.group(1), validate=True)
    except ValueError:
        return payload
