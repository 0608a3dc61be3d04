"""Headers: which are forwarded, which stay here, and what `Helicone-*` headers say about a request.

A request has some twenty headers and each is looked up, so they are sorted in one pass over bytes, and the meaning of a
name is resolved once per spelling.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from schemas.budget import OWN_PROPERTIES
from schemas.errors import InvalidRequest
from schemas.event import RequestTags
from services.domain.attribution.account import ACCOUNT_HEADERS
from services.domain.exchange.helicone_headers import KNOWN_HEADERS, SIGNING_HEADERS, Treatment

T = TypeVar("T")
Pair = tuple[bytes, bytes]  # name as spelled on the wire, value

_PERSISTENCE: Final = frozenset([b"keep-alive", b"close"])  # in Connection, these name no header
_OWN_PREFIX: Final = b"helicone-"
_PROPERTY_PREFIX: Final = b"helicone-property-"
_SPELLINGS: Final = 4096  # of names that are cached
_SPELLING_BYTES: Final = 80

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_MAX_LENGTH_DIGITS: Final = 15
_NO_TAGS = RequestTags()
NO_FRAMING: Final[Mapping[bytes, bytes]] = {}
_NO_ACCOUNT: Final[Mapping[bytes, bytes]] = {}


# Where a header is kept beside what is forwarded. Framing headers are parsed here, then made anew or left out.
Kept = Literal["", "framing", "account", "helicone", "unsupported"]
# Whether a header is forwarded, where it is kept, and its name in lower case.
HeaderAction = tuple[bool, Kept, bytes]

TARGET_URL: Final = b"helicone-target-url"
API_BASE: Final = b"helicone-openai-api-base"
UPSTREAM: Final = b"helicone-upstream"
MOCK_RESPONSE: Final = b"__helicone-mock-response"
RATE_LIMIT: Final = b"helicone-ratelimit-policy"
FALLBACKS: Final = b"helicone-fallbacks"
_RETRY: Final = b"helicone-retry-"
_RETRIES: Final = tuple(_RETRY + part for part in (b"enabled", b"num", b"factor", b"min-timeout", b"max-timeout"))
_SIGNING: Final = tuple(name.lower().encode() for name in SIGNING_HEADERS)
_ROUTING: Final = frozenset([TARGET_URL, API_BASE, UPSTREAM, MOCK_RESPONSE, *_SIGNING])

_DROPPED: Final[tuple[bool, Kept]] = (False, "")
_FRAMES: Final[tuple[bool, Kept]] = (False, "framing")
_FORWARDED_FRAMES: Final[tuple[bool, Kept]] = (True, "framing")
_ACTIONS: Final[Mapping[bytes, tuple[bool, Kept]]] = {
    **dict.fromkeys([*_ROUTING, RATE_LIMIT, FALLBACKS, *_RETRIES], (False, "unsupported")),
    b"connection": _FRAMES,
    b"cookie": _DROPPED,  # of this address, so of whichever provider was called through it before
    b"content-encoding": _FORWARDED_FRAMES,
    b"content-length": _FRAMES,
    b"content-type": _FORWARDED_FRAMES,
    b"expect": _FRAMES,
    b"helicone-auth": _FRAMES,
    b"host": _FRAMES,
    b"http2-settings": _DROPPED,
    b"keep-alive": _DROPPED,
    b"sec-websocket-key": _FRAMES,
    b"te": _DROPPED,
    b"traceparent": _FORWARDED_FRAMES,
    b"trailer": _DROPPED,
    b"transfer-encoding": _FRAMES,
    b"upgrade": _FRAMES,
    b"x-stripe-customer-id": (True, "helicone"),
}


class SpellingCache(dict[bytes, T]):
    """What names mean, by spelling. Bounded, as clients choose the spellings."""

    def __init__(self, resolve: Callable[[bytes], T]) -> None:
        super().__init__()
        self._resolve = resolve

    def __missing__(self, spelled: bytes) -> T:
        meaning = self._resolve(spelled)
        if len(self) < _SPELLINGS and len(spelled) <= _SPELLING_BYTES:
            self[spelled] = meaning
        return meaning


def _action(spelled: bytes) -> HeaderAction:
    name = spelled.lower()
    if name in _ACTIONS:
        return *_ACTIONS[name], name
    if name in ACCOUNT_HEADERS:
        return True, "account", name
    known = KNOWN_HEADERS.get(name)
    if known is not None and known.treatment is Treatment.REFUSED:
        return False, "unsupported", name
    if name.startswith(_OWN_PREFIX):
        is_known = known is not None or name.startswith(_PROPERTY_PREFIX)
        return False, "helicone" if is_known else "unsupported", name
    return not name.startswith(b"proxy-"), "", name


_ACTION_OF: Final = SpellingCache(_action)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of a request or a response, sorted by whom they are for."""

    forwarded: list[Pair]  # to the other side
    helicone_headers: Sequence[Pair]  # for us: every known `Helicone-*` header but the key, and tags under other names
    auth_header: bytes | None  # the value of Helicone-Auth; None without one
    framing_headers: Mapping[bytes, bytes]  # those parsed here, by lower-case name; repeated ones joined by ", "
    body_bytes: int | None  # the value of Content-Length; None without one
    chunked: bool
    account_headers: Mapping[bytes, bytes] = _NO_ACCOUNT  # that show whose account it is, like the framing headers
    # Names in lower case: headers that route, limit or retry the request, refused ones, and unknown `Helicone-*` ones.
    # Most requests have none of these.
    unsupported: Sequence[Pair] = ()

    @property
    def expects_continue(self) -> bool:
        """The client sends its body only after a 100 Continue."""
        return self.framing_headers.get(b"expect", b"").lower() == b"100-continue"

    @property
    def routing_headers(self) -> Sequence[Pair]:
        """Those that say where the request goes instead, and with which key it is signed; names in lower case."""
        return [pair for pair in self.unsupported if pair[0] in _ROUTING]

    @property
    def rate_limit(self) -> str:
        """The value of Helicone-RateLimit-Policy; '' without one."""
        return self._joined(RATE_LIMIT).strip() if self.unsupported else ""

    @property
    def fallbacks(self) -> str:
        """The value of Helicone-Fallbacks; '' without one."""
        return self._joined(FALLBACKS) if self.unsupported else ""

    @property
    def retry_headers(self) -> Sequence[Pair]:
        """Helicone-Retry-*; names in lower case."""
        return [pair for pair in self.unsupported if pair[0].startswith(_RETRY)]

    def _joined(self, wanted: bytes) -> str:
        return ", ".join(_decoded(value) for name, value in self.unsupported if name == wanted)


def parse_head(headers: Iterable[Pair]) -> Head:
    """Raises: InvalidRequest for ambiguous framing, which two parsers could read differently."""
    forwarded: list[Pair] = []
    helicone_headers: list[Pair] = []
    framing: dict[bytes, bytes] = {}
    account: dict[bytes, bytes] = {}
    unsupported: Sequence[Pair] = ()
    for pair in headers:
        is_forwarded, kept, name = _ACTION_OF[pair[0]]
        if is_forwarded:
            forwarded.append(pair)
        if not kept:
            continue
        if kept == "helicone":
            helicone_headers.append(pair)
        elif kept == "unsupported":
            unsupported = (*unsupported, (name, pair[1]))
        else:
            by_name = framing if kept == "framing" else account
            by_name[name] = pair[1] if name not in by_name else by_name[name] + b", " + pair[1]
    chunked = _is_chunked(framing) if b"transfer-encoding" in framing else False
    length = _length(framing[b"content-length"]) if b"content-length" in framing else None
    connection = framing.get(b"connection")
    return Head(
        forwarded=forwarded if connection is None else _without_named(forwarded, connection),
        helicone_headers=helicone_headers,
        auth_header=framing.pop(b"helicone-auth", None),
        framing_headers=framing,
        body_bytes=length,
        chunked=chunked,
        account_headers=account,
        unsupported=unsupported,
    )


def _is_chunked(framing: Mapping[bytes, bytes]) -> bool:
    if b"content-length" in framing:
        raise InvalidRequest("Content-Length and Transfer-Encoding must not both be set")
    if framing[b"transfer-encoding"].lower() != b"chunked":
        raise InvalidRequest("Transfer-Encoding must be chunked and nothing else")
    return True


def _length(text: bytes) -> int:
    if not text.isdigit() or len(text) > _MAX_LENGTH_DIGITS:
        raise InvalidRequest("Content-Length must be one number")
    return int(text)


def _without_named(forwarded: list[Pair], connection: bytes) -> list[Pair]:
    """`forwarded` without the headers that a Connection header declares to be for this hop only."""
    connection = connection.lower()
    if connection in _PERSISTENCE:
        return forwarded
    named = {token.strip() for token in connection.split(b",")} - _PERSISTENCE
    return [pair for pair in forwarded if pair[0].lower() not in named]


_FLAGS: Final = frozenset(["omit_request", "omit_response", "cache_enabled"])
YES: Final = frozenset(["true", "1", "yes", "on"])
_TEXTS: Final = (
    "user_id",
    "session_id",
    "session_name",
    "session_path",
    "prompt_id",
    "model_override",
    "request_id",
)
_FIELDS: Final = {b"helicone-" + field.replace("_", "-").encode(): field for field in (*_TEXTS, *_FLAGS)} | {
    b"helicone-cache-read": "cache_enabled"  # of either the cache may serve the request
}


# Kept as properties under these names, as Helicone has them.
_KEPT: Final = {
    name.lower().encode(): name
    for name in (
        *("Helicone-Experiment-Id", "Helicone-Cache-Control"),
        *("Helicone-Cache-Seed", "Helicone-Cache-Bucket-Max-Size"),
    )
} | {b"x-stripe-customer-id": "stripe_customer_id"}


def _tag(spelled: bytes) -> tuple[str, str, str]:
    """Which field of the tags a header sets, "" for none; for properties their name, in lower case and as spelled."""
    name = spelled.lower()
    if name.startswith(_PROPERTY_PREFIX):
        key = _decoded(spelled[len(_PROPERTY_PREFIX) :])
        is_kept = key and key.lower() not in OWN_PROPERTIES
        return ("properties" if is_kept else "", key.lower(), key)
    if (kept := _KEPT.get(name)) is not None:
        return "properties", kept.lower(), kept
    return _FIELDS.get(name, ""), "", ""


_TAG_OF: Final = SpellingCache(_tag)


def parse_helicone_headers(headers: Sequence[Pair]) -> tuple[RequestTags, str | None]:
    """The tags, and the request id when the client gave a valid one.

    Names match without regard to case. A header sent twice is one value, joined by ", ", as HTTP says; a flag sent
    twice is set as soon as either is a yes, since most flags are about not storing bodies.
    """
    if not headers:
        return _NO_TAGS, None
    fields: dict[str, Any] = {}
    properties: dict[str, str] = {}
    spellings: dict[str, str] = {}
    for spelled, value in headers:
        field, key, spelling = _TAG_OF[spelled]
        text = _decoded(value)
        if field == "properties":
            spelling = spellings.setdefault(key, spelling)
            properties[spelling] = text if spelling not in properties else f"{properties[spelling]}, {text}"
        elif field in _FLAGS:
            fields[field] = fields.get(field, False) or _is_yes(text)
        elif field and text:
            fields[field] = text if field not in fields else f"{fields[field]}, {text}"
    request_id = fields.pop("request_id", "").lower()
    tags = RequestTags(properties=properties, **fields)
    return tags, request_id if request_id and _UUID.fullmatch(request_id) else None


def _is_yes(text: str) -> bool:
    """Whether any part of a list is a yes, in any spelling."""
    return any(part.strip().lower() in YES for part in text.split(","))


def header_option(headers: Sequence[Pair], name: bytes) -> bytes:
    """The value of the header `name`, in lower case; b'' without one, or when it is sent with two values."""
    wanted = name.lower()
    values = {value.strip().lower() for spelled, value in headers if spelled.lower() == wanted}
    return values.pop() if len(values) == 1 else b""


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
