"""Bodies that would take the interpreter long to parse -> their beginnings and ends, read as those of truncated bodies.

A JSON document is decoded in one call, during which no other thread runs: what such a call takes follows from the
values in the document rather than from its bytes.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from schemas.event import RequestEvent, ResponseEvent
from services.domain.exchange.body import read_body
from services.domain.exchange.sse import events_of, looks_like_events

MAX_CONTENT_BYTES: Final = 8 * 2**20  # of a decompressed body
MAX_MARKS: Final = 100_000  # structural characters of one document: decoded in 30 ms, and in most cases in far less
KEPT_BYTES: Final = 64 * 2**10  # of the beginning, and of the end

_MARKS: Final = (b",", b":", b"{", b"[")
_OPENINGS: Final = (b"{", b"[")


def bounded_request(request: RequestEvent) -> RequestEvent:
    """`request`, or with the beginning of its body only, decompressed, where all of it would take long to parse."""
    body = read_body(request.body, request.content_type, request.content_encoding, request.body_bytes)
    is_json = body.content.lstrip()[:1] in _OPENINGS  # of a form or of binary content nothing is decoded
    if not is_heavy(body.content, [body.content] if is_json else []):
        return request
    size_bytes = max(request.body_bytes, len(body.content))
    return replace(request, body=body.content[:KEPT_BYTES], content_encoding="", body_bytes=size_bytes)


def bounded_response(response: ResponseEvent) -> ResponseEvent:
    """`response`, or with the beginning and the end of its body only, where all of it would take long to parse."""
    body = read_body(
        response.body, response.content_type, response.content_encoding, response.body_bytes, response.body_tail
    )
    documents = events_of(body.content) if looks_like_events(body.content) else [body.content]
    if not is_heavy(body.content, [*documents, body.tail]):
        return response
    return replace(
        response,
        body=body.content[:KEPT_BYTES],
        body_tail=(body.content if body.whole else body.tail)[-KEPT_BYTES:],
        content_encoding="",
        body_bytes=max(response.body_bytes, len(body.content)),
    )


def is_heavy(content: bytes, documents: Sequence[bytes]) -> bool:
    """Whether the JSON `documents` in a body's `content` would take long to parse."""
    return len(content) > MAX_CONTENT_BYTES or any(map(_has_many_marks, documents))


def _has_many_marks(document: bytes) -> bool:
    return len(document) > MAX_MARKS and sum(map(document.count, _MARKS)) > MAX_MARKS
