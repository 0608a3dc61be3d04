"""Which responses may be served again: whole and successful ones, whatever their status pretends."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from schemas.cache import CachedResponse
from schemas.undecodable import UNDECODABLE
from services.domain.exchange.body import read_body
from services.domain.exchange.bounded import MAX_CONTENT_BYTES
from services.domain.exchange.sse import ends_stream, events_of, looks_like_events
from services.domain.usage.parse import parse_response
from services.domain.usage.response.chunks import is_error

_FRAMING: Final = frozenset([b"content-length", b"transfer-encoding"])
_OF_ONE_CLIENT: Final = frozenset([b"set-cookie", b"set-cookie2"])
_UNFINISHED: Final = ("queued", "in_progress", "cancelled", "failed")


def kept_headers(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Those of a response that others may get too."""
    return [pair for pair in headers if pair[0].lower() not in _OF_ONE_CLIENT]


def is_storable(response: CachedResponse, provider: str) -> bool:
    """Whether a response with status 200, of which the connection brought all, is one that its client can use.

    A stream must have come to its last event, with no error on the way. JSON must be whole, and must not say that the
    response failed or is still to come. Nothing is known of other content but its framing.
    """
    headers = {name.lower(): value for name, value in response.headers}
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    encoding = headers.get(b"content-encoding", b"").decode("latin-1")
    received = b"".join(response.chunks)
    body = read_body(received, content_type, encoding, len(received))
    if not body.content or len(body.content) > MAX_CONTENT_BYTES:
        return False
    if "event-stream" in content_type.lower() or looks_like_events(body.content):
        return _is_whole_stream(body.content, provider)
    if body.content.lstrip()[:1] in (b"{", b"["):
        return _is_whole_document(body.content)
    return bool(_FRAMING & headers.keys()) and "json" not in content_type.lower()


def _is_whole_stream(content: bytes, provider: str) -> bool:
    if any(map(is_error, events_of(content))):
        return False
    return ends_stream(content) or parse_response(content, provider).final


class _Document(msgspec.Struct):
    """What of a response says that it failed. All else is checked and skipped, which takes a tenth of the time."""

    error: Any = None
    type: Any = None
    status: Any = None


_document = msgspec.json.Decoder(_Document)
_list = msgspec.json.Decoder(list[msgspec.Raw])


def _is_whole_document(content: bytes) -> bool:
    try:
        parts = _list.decode(content) if content.lstrip()[:1] == b"[" else [content]
        documents = [_document.decode(part) for part in parts if bytes(part).lstrip()[:1] == b"{"]
    except UNDECODABLE:
        return False
    return bool(parts) and not any(map(_failed, documents))


def _failed(part: _Document) -> bool:
    return part.error is not None or part.type == "error" or part.status in _UNFINISHED
