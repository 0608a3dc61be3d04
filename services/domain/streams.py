"""Bytes -> server-sent events, however the bytes were cut.

Line ends may be LF, CR or CRLF; an event may hold several data lines; lines that begin with a colon are comments.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import re
from base64 import b64decode
from struct import Struct
from typing import Final

_BOM: Final = b"\xef\xbb\xbf"
_PRELUDE: Final = Struct(">III")  # of a binary frame: its length, its headers' length, a checksum of the two
_CHECKSUM_BYTES: Final = 4
_WRAPPED: Final = re.compile(rb'\s*\{\s*"bytes"\s*:\s*"([A-Za-z0-9+/=]*)"')
_FIRST_LINE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")


class EventReader:
    """Takes a stream in pieces and gives the data of each event that is complete."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._held_return = b""
        self._begun = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that end in `piece`; several data lines are joined by LF."""
        seen = max(0, len(self._pending) - 1)
        self._pending += self._with_line_feeds(piece)
        end = self._pending.rfind(b"\n\n", seen)
        if end < 0:
            return []
        complete = bytes(self._pending[:end])
        del self._pending[: end + 2]
        return self._data(complete)

    def close(self) -> list[bytes]:
        """The data of a last event that no blank line ended: where a stream was cut there may be a whole one."""
        rest = bytes(self._pending)
        self._pending.clear()
        return self._data(rest)

    def _with_line_feeds(self, piece: bytes) -> bytes:
        """A CR at the end of a piece may be half a CRLF: it waits for the next piece."""
        if not self._held_return and b"\r" not in piece:
            return piece
        text = self._held_return + piece
        self._held_return = b"\r" if text.endswith(b"\r") else b""
        return text.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _data(self, text: bytes) -> list[bytes]:
        if not self._begun:
            self._begun = True
            text = text.removeprefix(_BOM)
        return _data(text)


def _data(text: bytes) -> list[bytes]:
    """The data of the events between blank lines, for lines that end in LF."""
    found = map(_data_of, text.split(b"\n\n"))
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


def events_of(body: bytes) -> list[bytes]:
    """The data of all events of a whole stream; a last one may lack its blank line."""
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return _data(body.removeprefix(_BOM))


def looks_like_events(body: bytes) -> bool:
    """Whether `body` begins as an event stream does, whatever its content type says."""
    return _FIRST_LINE.match(body, 0, 256) is not None


def json_lines(body: bytes) -> list[bytes]:
    """The objects of a stream that was kept as one JSON object a line."""
    return [line for line in body.splitlines() if line.startswith(b"{")]


def looks_like_frames(body: bytes) -> bool:
    """Whether `body` begins as Amazon's binary event stream does."""
    return body.startswith(b"\0") and len(body) >= _PRELUDE.size and _PRELUDE.unpack_from(body)[0] > _PRELUDE.size


def frames_of(body: bytes) -> list[bytes]:
    """The JSON of each whole frame of Amazon's binary event stream; what Bedrock wrapped in base64 is unwrapped.

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
