"""The opening of a WebSocket: what a client has to offer, what a provider is offered, and whether it agreed."""

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import Final

from schemas.errors import UpstreamUnavailable
from services.domain.exchange.headers import Head, Pair
from services.ports.upstream import Headers
from services.proxy.errors import MalformedRequest

_KEY: Final = b"sec-websocket-key"
_EXTENSIONS: Final = b"sec-websocket-extensions"
_VERSION: Final = b"13"
_VALID_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OFFER: Final = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]


def offers_web_socket(framing_headers: Mapping[bytes, bytes]) -> bool:
    """A server before this one may have removed the offer itself, and left the key."""
    return _KEY in framing_headers or b"websocket" in framing_headers.get(b"upgrade", b"").lower()


def check_offer(method: bytes, head: Head) -> None:
    """Raises: MalformedRequest where it is none that a WebSocket can begin with."""
    framing = head.framing_headers
    is_upgrade = b"upgrade" in framing.get(b"connection", b"").lower()
    if method != b"GET" or not is_upgrade or framing.get(b"upgrade", b"").lower() != b"websocket":
        raise MalformedRequest(
            "a WebSocket begins with GET, 'Connection: Upgrade' and 'Upgrade: websocket': "
            "a server in between may have removed these"
        )
    if not _VALID_KEY.fullmatch(framing.get(_KEY, b"")):
        raise MalformedRequest("Sec-WebSocket-Key must be 16 bytes in Base64")
    if _value_of(b"sec-websocket-version", head.forwarded) != _VERSION:
        raise MalformedRequest("Sec-WebSocket-Version must be 13")
    if head.chunked or head.body_bytes:
        raise MalformedRequest("the request that begins a WebSocket has no body")


def offered_headers(head: Head) -> list[Pair]:
    """Those of the request to the provider. Extensions are not offered, so that frames are as they look."""
    key = head.framing_headers[_KEY]
    kept = [pair for pair in head.forwarded if pair[0].lower() != _EXTENSIONS]
    return [*kept, *_OFFER, (b"Sec-WebSocket-Key", key)]


def accepted_headers(request: Head, response: Head) -> list[Pair]:
    """Those of the response to the client. Raises: UpstreamUnavailable where the provider's is no valid one."""
    expected = b64encode(sha1(request.framing_headers[_KEY] + _GUID, usedforsecurity=False).digest())
    named = response.forwarded
    if _value_of(b"sec-websocket-accept", named) != expected or _value_of(_EXTENSIONS, named):
        raise UpstreamUnavailable("the provider's response is not one that begins a WebSocket")
    return [*named, *_OFFER]


def _value_of(name: bytes, headers: Headers) -> bytes:
    return b", ".join(value for spelled, value in headers if spelled.lower() == name)
