"""Header tables: which headers travel on, which stay here, and what `Helicone-*` headers say about a request.

A request has some twenty headers and this runs for each of them, so a table is read in one pass over bytes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from schemas.errors import InvalidRequest
from schemas.event import RequestTags

Pair = tuple[bytes, bytes]  # name as spelled on the wire, value

OWN_PREFIX: Final = b"helicone-"
PROPERTY_PREFIX: Final = b"helicone-property-"
HOP_BY_HOP: Final = frozenset(
    [
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ]
)
_REQUEST_NOTED = HOP_BY_HOP | {b"host", b"content-length", b"content-type", b"content-encoding", b"expect"}
_ANSWER_NOTED = HOP_BY_HOP | {b"content-length", b"content-type", b"content-encoding"}
_KEPT_NOTED = frozenset([b"content-type", b"content-encoding"])
_PERSISTENCE = frozenset([b"keep-alive", b"close"])  # in Connection, these name no header

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]{1,15}")
_NO_TAGS = RequestTags()
NO_NOTES: Final[Mapping[bytes, bytes]] = {}


class RequestHead(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of a request, sorted by whom they are for."""

    kept: Sequence[Pair]  # for the provider
    labels: Sequence[Pair]  # for us: everything `Helicone-*`
    notes: dict[bytes, bytes]  # headers we had to look at, by lower-case name; repeated ones joined by ", "
    body_bytes: int | None  # what Content-Length says; None when it is not there
    chunked: bool

    @property
    def expects_continue(self) -> bool:
        return self.notes.get(b"expect", b"").lower() == b"100-continue"


class AnswerHead(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of a provider's answer."""

    kept: list[Pair]  # for the caller
    notes: dict[bytes, bytes]
    body_bytes: int | None


def read_request_head(headers: Iterable[Pair]) -> RequestHead:
    """Raises: InvalidRequest when the framing is not plain: it could be read in two ways."""
    kept: list[Pair] = []
    labels: list[Pair] = []
    notes: dict[bytes, bytes] = {}
    for pair in headers:
        name = pair[0].lower()
        if name in _REQUEST_NOTED:
            notes[name] = pair[1] if name not in notes else notes[name] + b", " + pair[1]
            if name in _KEPT_NOTED:
                kept.append(pair)
        elif name.startswith(OWN_PREFIX):
            labels.append(pair)
        else:
            kept.append(pair)
    if b"connection" in notes:
        kept = _without_named(kept, notes[b"connection"])
    coding = notes.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise InvalidRequest("Transfer-Encoding must be chunked and nothing else")
    body_bytes = _length(notes)
    if coding is not None and body_bytes is not None:
        raise InvalidRequest("Content-Length and Transfer-Encoding contradict each other")
    return RequestHead(kept=kept, labels=labels, notes=notes, body_bytes=body_bytes, chunked=coding is not None)


def read_answer_head(headers: Iterable[Pair]) -> AnswerHead:
    """Raises: InvalidRequest when the framing is not plain."""
    kept: list[Pair] = []
    notes: dict[bytes, bytes] = {}
    for pair in headers:
        name = pair[0].lower()
        if name in _ANSWER_NOTED:
            notes[name] = pair[1] if name not in notes else notes[name] + b", " + pair[1]
            if name in _KEPT_NOTED:
                kept.append(pair)
        elif not name.startswith(OWN_PREFIX):
            kept.append(pair)
    if b"connection" in notes:
        kept = _without_named(kept, notes[b"connection"])
    if notes.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise InvalidRequest("Transfer-Encoding must be chunked and nothing else")
    return AnswerHead(kept=kept, notes=notes, body_bytes=_length(notes))


def _length(notes: dict[bytes, bytes]) -> int | None:
    text = notes.get(b"content-length")
    if text is None:
        return None
    if not _DIGITS.fullmatch(text):
        raise InvalidRequest("Content-Length must be one number")
    return int(text)


def _without_named(kept: list[Pair], connection: bytes) -> list[Pair]:
    """`kept` without the headers that a Connection header declares to be for this hop only."""
    named = {token.strip() for token in connection.lower().split(b",")} - _PERSISTENCE
    return [pair for pair in kept if pair[0].lower() not in named] if named else kept


def bearer_of(labels: Iterable[Pair]) -> bytes | None:
    """The value of `Helicone-Auth`, None when there is none."""
    for name, value in labels:
        if len(name) == 13 and name.lower() == b"helicone-auth":
            return value
    return None


def read_labels(labels: Sequence[Pair]) -> tuple[RequestTags, str | None]:
    """The tags, and the request id when the caller gave a valid one.

    Names match without regard to case. A header given twice is one value, joined by ", ", as HTTP says.
    """
    if not labels or (len(labels) == 1 and bearer_of(labels) is not None):
        return _NO_TAGS, None
    told: dict[bytes, tuple[bytes, bytes]] = {}
    for name, value in labels:
        lower = name.lower()
        earlier = told.get(lower)
        told[lower] = (name, value) if earlier is None else (earlier[0], earlier[1] + b", " + value)
    request_id = told.get(b"helicone-request-id", (b"", b""))[1]
    return _tags(told), request_id.decode().lower() if _UUID.fullmatch(request_id) else None


def _tags(told: dict[bytes, tuple[bytes, bytes]]) -> RequestTags:
    def text(name: bytes) -> str | None:
        entry = told.get(name)
        return (_decoded(entry[1]) or None) if entry else None

    def flag(name: bytes) -> bool:
        entry = told.get(name)
        return entry is not None and entry[1] == b"true"

    start = len(PROPERTY_PREFIX)
    return RequestTags(
        user_id=text(b"helicone-user-id"),
        session_id=text(b"helicone-session-id"),
        session_name=text(b"helicone-session-name"),
        session_path=text(b"helicone-session-path"),
        prompt_id=text(b"helicone-prompt-id"),
        model_override=text(b"helicone-model-override"),
        properties={
            _decoded(name[start:]): _decoded(value)
            for lower, (name, value) in told.items()
            if lower.startswith(PROPERTY_PREFIX) and len(lower) > start
        },
        omit_request=flag(b"helicone-omit-request"),
        omit_response=flag(b"helicone-omit-response"),
        cache_enabled=flag(b"helicone-cache-enabled"),
    )


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
