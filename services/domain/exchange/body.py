"""A captured body -> its content for reading, and the text of it that is kept."""

from typing import Final

import msgspec

from services.domain.exchange.decompress import decompressed

_TEXTUAL: Final = ("json", "text/", "event-stream", "xml", "x-www-form-urlencoded", "yaml", "javascript", "graphql")
_LOOKED_AT: Final = 1024


class Body(msgspec.Struct, frozen=True):
    """What a body says."""

    content: bytes  # decompressed; empty when it cannot be
    content_type: str
    whole: bool  # False when the capture cut it
    note: str  # stands for a body that is no text; '' for one that is
    tail: bytes = b""  # the end of one that is not whole, where it can be read

    def text(self) -> str:
        """What is kept of the body: its text, or the note."""
        return self.note or self.content.decode("utf-8", "replace")


def read_body(body: bytes, content_type: str, content_encoding: str, body_bytes: int, tail: bytes = b"") -> Body:
    """The captured `body`, of which `body_bytes` went by, `tail` last. Any bytes can be read.

    What is no text, or cannot be decompressed, has a short note in its place.
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
    return b"\0" not in content[:_LOOKED_AT]
