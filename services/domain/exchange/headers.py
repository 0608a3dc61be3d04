"""Header tables: which headers travel on, which stay here, and what `Helicone-*` headers say about a request.

A request has some twenty headers and every one is looked at, so tables are read in one pass over bytes, and what a
name means is worked out once per spelling.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from schemas.errors import InvalidRequest
from schemas.event import RequestTags
from services.domain.exchange.helicone_headers import KNOWN_HEADERS, Treatment

T = TypeVar("T")
Pair = tuple[bytes, bytes]  # name as spelled on the wire, value

_PERSISTENCE: Final = frozenset([b"keep-alive", b"close"])  # in Connection, these name no header
_OWN_PREFIX: Final = b"helicone-"
_PROPERTY_PREFIX: Final = b"helicone-property-"
_SPELLINGS: Final = 4096  # of names that are remembered
_SPELLING_BYTES: Final = 80

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_NO_TAGS = RequestTags()
NO_NOTES: Final[Mapping[bytes, bytes]] = {}


# What becomes of a header; what is only noted is read here, then made anew or left out.
Fate = Literal["kept", "kept and noted", "noted", "label", "bearer", "unserved", "dropped"]

_FATES: Final[Mapping[bytes, Fate]] = {
    b"connection": "noted",
    b"content-encoding": "kept and noted",
    b"content-length": "noted",
    b"content-type": "kept and noted",
    b"expect": "noted",
    b"helicone-auth": "bearer",
    b"host": "noted",
    b"http2-settings": "dropped",
    b"keep-alive": "dropped",
    b"sec-websocket-key": "noted",
    b"te": "dropped",
    b"trailer": "dropped",
    b"transfer-encoding": "noted",
    b"upgrade": "noted",
}


class _Remembered(dict[bytes, T]):
    """What names mean, by spelling. Bounded, as clients choose the spellings."""

    def __init__(self, meaning: Callable[[bytes], T]) -> None:
        super().__init__()
        self._meaning = meaning

    def __missing__(self, spelled: bytes) -> T:
        meaning = self._meaning(spelled)
        if len(self) < _SPELLINGS and len(spelled) <= _SPELLING_BYTES:
            self[spelled] = meaning
        return meaning


def _fate(spelled: bytes) -> tuple[Fate, bytes]:
    """What becomes of a header, and its name in lower case."""
    name = spelled.lower()
    if name in _FATES:
        return _FATES[name], name
    known = KNOWN_HEADERS.get(name)
    if known is not None and known.treatment is Treatment.REFUSED:
        return "unserved", name
    if name.startswith(_OWN_PREFIX):
        return "label" if known is not None or name.startswith(_PROPERTY_PREFIX) else "unserved", name
    return "dropped" if name.startswith(b"proxy-") else "kept", name


_FATE_OF: Final = _Remembered(_fate)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of a request or a response, sorted by whom they are for."""

    kept: list[Pair]  # for the other side
    labels: Sequence[Pair]  # for us: everything `Helicone-*` that is known, but the key
    bearer: bytes | None  # the value of Helicone-Auth
    notes: Mapping[bytes, bytes]  # what had to be looked at, by lower-case name; repeated ones joined by ", "
    body_bytes: int | None  # what Content-Length says; None when it is not there
    chunked: bool
    unserved: Sequence[Pair] = ()  # names in lower case: headers that are refused, and `Helicone-*` that is unknown

    @property
    def expects_continue(self) -> bool:
        """The client holds its body back until it is asked for."""
        return self.notes.get(b"expect", b"").lower() == b"100-continue"


def parse_head(headers: Iterable[Pair]) -> Head:
    """Raises: InvalidRequest when the framing is not plain, so that two readers could differ about it."""
    kept: list[Pair] = []
    labels: list[Pair] = []
    notes: dict[bytes, bytes] = {}
    unserved: Sequence[Pair] = ()
    bearer = None
    for pair in headers:
        fate, name = _FATE_OF[pair[0]]
        if fate == "kept":
            kept.append(pair)
        elif fate == "label":
            labels.append(pair)
        elif fate == "bearer":
            bearer = pair[1]
        elif fate == "unserved":
            unserved = (*unserved, (name, pair[1]))
        elif fate != "dropped":
            earlier = notes.get(name)
            notes[name] = pair[1] if earlier is None else earlier + b", " + pair[1]
            if fate == "kept and noted":
                kept.append(pair)
    chunked = _is_chunked(notes) if b"transfer-encoding" in notes else False
    length = _length(notes[b"content-length"]) if b"content-length" in notes else None
    connection = notes.get(b"connection")
    return Head(
        kept=kept if connection is None else _without_named(kept, connection),
        labels=labels,
        bearer=bearer,
        notes=notes,
        body_bytes=length,
        chunked=chunked,
        unserved=unserved,
    )


def _is_chunked(notes: Mapping[bytes, bytes]) -> bool:
    if b"content-length" in notes:
        raise InvalidRequest("Content-Length and Transfer-Encoding contradict each other")
    if notes[b"transfer-encoding"].lower() != b"chunked":
        raise InvalidRequest("Transfer-Encoding must be chunked and nothing else")
    return True


def _length(text: bytes) -> int:
    if not _LENGTH.fullmatch(text):
        raise InvalidRequest("Content-Length must be one number")
    return int(text)


def _without_named(kept: list[Pair], connection: bytes) -> list[Pair]:
    """`kept` without the headers that a Connection header declares to be for this hop only."""
    connection = connection.lower()
    if connection in _PERSISTENCE:
        return kept
    named = {token.strip() for token in connection.split(b",")} - _PERSISTENCE
    return [pair for pair in kept if pair[0].lower() not in named]


_FLAGS: Final = frozenset(["omit_request", "omit_response", "cache_enabled"])
_YES: Final = frozenset(["true", "1", "yes", "on"])
_TEXTS: Final = (
    "user_id",
    "session_id",
    "session_name",
    "session_path",
    "prompt_id",
    "model_override",
    "request_id",
)
_FIELDS: Final = {b"helicone-" + field.replace("_", "-").encode(): field for field in (*_TEXTS, *_FLAGS)}


def _label(spelled: bytes) -> tuple[str, str, str]:
    """Which field a header fills, "" for none; for properties their name, in lower case and as spelled."""
    name = spelled.lower()
    if name.startswith(_PROPERTY_PREFIX):
        key = _decoded(spelled[len(_PROPERTY_PREFIX) :])
        return ("properties" if key else "", key.lower(), key)
    return _FIELDS.get(name, ""), "", ""


_LABEL_OF: Final = _Remembered(_label)


def parse_helicone_headers(labels: Sequence[Pair]) -> tuple[RequestTags, str | None]:
    """The tags, and the request id when the client gave a valid one.

    Names match without regard to case. A header given twice is one value, joined by ", ", as HTTP says; a flag given
    twice is set as soon as any of the two says yes, since most of them are for not keeping what was said.
    """
    if not labels:
        return _NO_TAGS, None
    told: dict[str, Any] = {}
    properties: dict[str, str] = {}
    spellings: dict[str, str] = {}
    for spelled, value in labels:
        field, key, spelling = _LABEL_OF[spelled]
        text = _decoded(value)
        if field == "properties":
            spelling = spellings.setdefault(key, spelling)
            properties[spelling] = text if spelling not in properties else f"{properties[spelling]}, {text}"
        elif field in _FLAGS:
            told[field] = told.get(field, False) or _says_yes(text)
        elif field and text:
            told[field] = text if field not in told else f"{told[field]}, {text}"
    request_id = told.pop("request_id", "").lower()
    tags = RequestTags(properties=properties, **told)
    return tags, request_id if request_id and _UUID.fullmatch(request_id) else None


def _says_yes(text: str) -> bool:
    """Whether any part of a list does, in any spelling."""
    return any(part.strip().lower() in _YES for part in text.split(","))


def header_option(labels: Sequence[Pair], name: bytes) -> bytes:
    """What the client says in the header called `name`, in lower case; nothing when it says two things."""
    wanted = name.lower()
    values = {value.strip().lower() for spelled, value in labels if spelled.lower() == wanted}
    return values.pop() if len(values) == 1 else b""


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
