"""A request's body -> its fingerprint, by which the same prompt is found again.

A keyed hash of the body without what is volatile: neither order, whitespace and escapes of the JSON, nor ids, users and
the form of the response change it, and all else does. Without the deployment's secret no prompt can be guessed from it.
"""

import re
from typing import Final

import msgspec

from schemas.event import RequestEvent
from schemas.undecodable import UNDECODABLE
from services.domain.attribution.digest import keyed_digest
from services.domain.exchange.body import Body
from services.domain.exchange.bounded import is_heavy

# Members of a body that differ between requests for the same thing: whom it is for, its ids, how the response comes.
VOLATILE: Final = frozenset(
    (
        *("user", "user_id", "safety_identifier", "metadata", "requestMetadata", "labels", "seed", "random_seed"),
        *("stream", "stream_options", "request_id", "requestId", "session_id", "trace"),
        *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "cache_control"),
        *("service_tier", "serviceTier", "store", "background"),
    )
)
_CACHE_MARK: Final = "cache_control"  # moves through a conversation, from block to block
_PURPOSE: Final = b"request body"
_PLAIN: Final = ("", "identity")
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder(order="deterministic")


def fingerprint_of(request: RequestEvent, body: Body, key: bytes) -> str:
    """16 hex digits; '' without a body or a `key`, and for a body of which something is missing.

    Where the body was omitted, what was computed before.

    JSON that takes long to parse, and what is no JSON, has the fingerprint of its bytes as they are.
    """
    if request.hints is not None:
        return request.hints.fingerprint
    if not (key and body.content and body.whole):
        return ""
    is_json = body.content.lstrip()[:1] in (b"{", b"[")
    if is_json and not is_heavy(body.content, [body.content]):
        try:
            return keyed_digest(_normal_form(body.content), key, purpose=_PURPOSE)
        except UNDECODABLE:
            pass
    if request.content_encoding.lower() not in _PLAIN:
        return ""  # decompressing ends early where it would take too long
    return keyed_digest(_without_boundary(body), key, purpose=_PURPOSE)


def _normal_form(content: bytes) -> bytes:
    value = _decoder.decode(content)
    if isinstance(value, dict):
        value = {name: member for name, member in value.items() if name not in VOLATILE}
    return _encoder.encode(_without_marks(value) if _CACHE_MARK.encode() in content else value)


def _without_marks(value: object) -> object:
    if isinstance(value, list):
        return [_without_marks(one) for one in value]
    if isinstance(value, dict):
        return {
            name: _without_marks(member)
            for name, member in value.items()
            if not (name == _CACHE_MARK and _marks(member))
        }
    return value


def _marks(member: object) -> bool:
    return isinstance(member, dict) and member.get("type") == "ephemeral"


def _without_boundary(body: Body) -> bytes:
    """A form has another boundary each time."""
    found = _BOUNDARY.search(body.content_type)
    return body.content.replace((found[1] or found[2]).encode("latin-1", "replace"), b"") if found else body.content
