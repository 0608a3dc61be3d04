"""Which web pages browsers let call the proxy: the headers of cross-origin requests.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.domain.exchange.headers import Pair

ANY: Final = "*"
_PREFIX: Final = b"access-control-"
_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_MAX_AGE_S: Final = b"86400"


def allowed_origins(setting: str) -> frozenset[str]:
    """The origins in the setting FAREBOX_ALLOWED_ORIGINS, in lower case; `*` is any."""
    return frozenset(origin.strip().lower() for origin in setting.split(",") if origin.strip())


def is_preflight(method: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser asks whether it may send a request. `headers` by name in lower case."""
    return method == b"OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers


def cors_headers(origin: bytes, allowed: frozenset[str]) -> list[Pair]:
    """Of a response to a page of `origin`; none where it is not allowed to see it."""
    if ANY in allowed:
        shown = [(b"Access-Control-Allow-Origin", b"*")]
    elif origin.decode("latin-1").lower() in allowed:
        shown = [(b"Access-Control-Allow-Origin", origin), (b"Vary", b"Origin")]
    else:
        return []
    return [*shown, (b"Access-Control-Expose-Headers", b"*")]


def preflight_headers(headers: Mapping[bytes, bytes], allowed: frozenset[str]) -> list[Pair]:
    """Of the response to a preflight; none where the page may not send the request."""
    shown = cors_headers(headers[b"origin"], allowed)
    if not shown:
        return []
    # By name: a star would not mean Authorization.
    requested = headers.get(b"access-control-request-headers", b"")
    named = [(b"Access-Control-Allow-Headers", requested)] if requested else []
    return [*shown[:-1], (b"Access-Control-Allow-Methods", _METHODS), *named, (b"Access-Control-Max-Age", _MAX_AGE_S)]


def with_cors(headers: Sequence[Pair], shown: Sequence[Pair]) -> list[Pair]:
    """`headers` with `shown` in the place of what a provider says to pages of its own."""
    return [*(pair for pair in headers if not pair[0].lower().startswith(_PREFIX)), *shown]
