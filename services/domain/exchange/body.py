"""A captured body -> its content, decompressed, and the text of it that is stored."""

from typing import Final

import msgspec

from services.domain.exchange.decompress import decompressed

_TEXTUAL: Final = ("json", "text/", "event-stream", "xml", "x-www-form-urlencoded", "yaml", "javascript", "graphql")
_SNIFFED_BYTES: Final = 1024


class Body(msgspec.Struct, frozen=True):
    """A captured body, decompressed."""

    content: bytes  # decompressed; empty when it cannot be
    content_type: str
    whole: bool  # False when the capture truncated it
    note: str  # stored in place of a body that is no text; '' for text
    tail: bytes = b""  # the end of a truncated one, where it can be parsed

    def text(self) -> str:
        """What is stored of the body: its text, or the note."""
        return self.note or self.content.decode("utf-8", "replace")


def read_body(body: bytes, content_type: str, content_encoding: str, body_bytes: int, tail: bytes = b"") -> Body:
    """The captured part of a body of `body_bytes`: its beginning, and its `tail`. Accepts any bytes.

    A body that is no text, or cannot be decompressed, has a short note in its place.
    """
    whole = len(body) + len(tail) >= body_bytes
    content = decompressed(body + tail if whole else body, content_encoding)
    if content is None:
        note = f"[{content_encoding[:64]}, {body_bytes} bytes that cannot be decompressed]"
        return Body(b"", content_type, whole, note)
    note = "" if _is_text(content, content_type) else f"[{content_type[:64] or 'binary'}, {body_bytes} bytes]"
    readable_end = b"" if whole or content_encoding.lower() not in ("", "identity") else tail
    return Body(content, content_type, whole, note, readable_end)


def _is_text(content: bytes, content_type: str) -> bool:
    if content_type:
        lowered = content_type.lower()
        return any(part in lowered for part in _TEXTUAL)
    return b"\0" not in content[:_SNIFFED_BYTES]
