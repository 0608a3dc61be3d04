"""Path of a request -> provider and upstream, from a fixed table: a client chooses a row, never a host."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from schemas.errors import InvalidRequest, InvalidSetting
from schemas.origin import Origin

PROVIDERS: Final[Mapping[bytes, str]] = {b"oai": "OPENAI", b"anthropic": "ANTHROPIC"}  # path label -> stored name
ROUTE_SHAPES: Final = (b"/%b", b"/v1/gateway/%b")  # the short path, and the one of Helicone's self-hosted gateway
_LOG_SUFFIX: Final = b"/v1/log"  # below a label this is Helicone's manual logging, which no provider may see
_COMPLETIONS: Final = b"/completions"  # of chats, and of the older kind without

_VISIBLE = re.compile(rb"[!-~]*")
_SUSPECT = re.compile(rb"/\.|//|[%\\;#]")  # nothing a path can be misread by lacks all of these
_SEPARATOR = re.compile(rb"[/\\]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SCHEME_AND_AUTHORITY = re.compile(rb"https?://[^/?#]+", re.IGNORECASE)
_KEY_SEGMENT = re.compile(rb"/(?:sk|pk)-helicone[^/]*")
KEY_IN_PATH: Final = re.compile(_KEY_SEGMENT.pattern.decode(), re.IGNORECASE)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where one request goes."""

    provider: str
    origin: Origin
    path_and_query: bytes  # what the provider is asked for
    url: str  # the same as a URL without its query, in which keys may travel
    secret: bytes | None = None  # the Farebox key, for clients that can only put it in the path
    tells_usage_when_asked: bool = False  # streams from here end without it otherwise


class Routes:
    """The provider routes of one proxy."""

    def __init__(self, origins: Mapping[bytes, Origin]) -> None:
        self._rows = [
            (shape % label, PROVIDERS[label], origin) for shape in ROUTE_SHAPES for label, origin in origins.items()
        ]
        # An application calls few different paths, many times.
        self.resolve = lru_cache(maxsize=256)(self._resolve)

    @property
    def known(self) -> list[str]:
        return [f"{prefix.decode()}/*" for prefix, _, _ in self._rows]

    def _resolve(self, url: bytes) -> Target | None:
        """None when `url` is no provider's.

        Raises: InvalidRequest for a path that a provider could read as another path than we do.
        """
        url = _origin_form(url)
        for prefix, provider, origin in self._rows:
            if url.startswith(prefix) and url[len(prefix) : len(prefix) + 1] == b"/":
                return _target(url[len(prefix) :], provider, origin)
        return None


def _origin_form(url: bytes) -> bytes:
    """Servers have to take whole URLs too. Whoever they name, we were asked, and what is meant is the path."""
    named = _SCHEME_AND_AUTHORITY.match(url)
    return url if named is None else url[named.end() :]


def _target(url: bytes, provider: str, origin: Origin) -> Target | None:
    path, mark, query = url.partition(b"?")
    secret = None
    if b"k-helicone" in path:
        path, secret = _cut_key(path)
    if path.startswith(_LOG_SUFFIX) and path in (_LOG_SUFFIX, _LOG_SUFFIX + b"/"):
        return None
    if b"#" in url or _SUSPECT.search(path) or not _VISIBLE.fullmatch(url):
        _refuse_tricks(path, url)
    path = origin.path.encode() + path
    return Target(
        provider=provider,
        origin=origin,
        path_and_query=path + mark + query,
        url=f"{_site(origin)}{path.decode('ascii')}",
        secret=secret,
        tells_usage_when_asked=provider == "OPENAI" and path.endswith(_COMPLETIONS),
    )


def _site(origin: Origin) -> str:
    return origin.url.removesuffix(origin.path)


def _cut_key(path: bytes) -> tuple[bytes, bytes | None]:
    found = _KEY_SEGMENT.search(path)
    if found is None:
        return path, None
    return _KEY_SEGMENT.sub(b"", path) or b"/", found.group()[1:]


def _refuse_tricks(path: bytes, url: bytes) -> None:
    """Dot segments, however encoded, could leave the path the operator configured; the rest could confuse a parser."""
    if b"#" in url:
        raise InvalidRequest("a request's target holds no fragment: what follows # is the client's own, or is %23")
    if not _VISIBLE.fullmatch(url):
        raise InvalidRequest("the path holds characters that must be percent-encoded")
    decoded = unquote_to_bytes(path)
    if _CONTROL.search(decoded):
        raise InvalidRequest("the path holds encoded control characters, which are not passed on")
    if b"\\" in path or path.startswith(b"//") or _has_dots(decoded) or _has_dots(unquote_to_bytes(decoded)):
        raise InvalidRequest("the path holds dot segments or empty first segments, which are not passed on")


def _has_dots(path: bytes) -> bool:
    """Some servers take a backslash for a slash, and leave out what follows a semicolon within a segment."""
    return any(segment.partition(b";")[0] in (b".", b"..") for segment in _SEPARATOR.split(path))


def origin_of(base_url: str) -> Origin:
    """Raises: InvalidSetting. Credentials, queries and fragments have no place in a base URL."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        raise InvalidSetting(f"{base_url!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidSetting(f"{base_url!r} must look like https://host or https://host/path")
    if parts.username or parts.password or parts.query or parts.fragment or not base_url.isascii():
        raise InvalidSetting("a provider's base URL holds scheme, host, port and path only, in ASCII")
    tls = parts.scheme == "https"
    path = parts.path.rstrip("/")
    origin = Origin(url="", tls=tls, host=parts.hostname, port=port or (443 if tls else 80), path=path)
    return msgspec.structs.replace(origin, url=f"{parts.scheme}://{origin.authority}{path}")
