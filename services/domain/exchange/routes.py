"""Path of a request -> provider and upstream, from the providers' records: a client chooses a row, never a host."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from schemas.errors import InvalidRequest, InvalidSetting
from schemas.origin import Origin
from services.domain.providers.catalog import provider_named
from services.domain.providers.record import Provider

ROUTE_SHAPES: Final = ("/{}", "/v1/gateway/{}")  # the short path, and the one of Helicone's self-hosted gateway
_LOG_SUFFIX: Final = b"/v1/log"  # below a label this is Helicone's manual logging, which no provider may see

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
    path_and_query: bytes  # of the request to the provider
    url: str  # the same as a URL without its query, which may hold keys
    secret: bytes | None = None  # the Farebox key, for clients that can only put it in the path
    stream_usage_on_request: bool = False  # streams from here have no usage unless the request sets `include_usage`


class Routes:
    """The provider routes of one proxy, to `origins` by the providers' stored names."""

    def __init__(self, origins: Mapping[str, Origin]) -> None:
        targets = [(provider_named(name), origin) for name, origin in origins.items()]
        self._rows = [
            (shape.format(provider.label).encode(), provider, origin)
            for shape in ROUTE_SHAPES
            for provider, origin in targets
        ]
        # An application calls few different paths, many times.
        self.resolve = lru_cache(maxsize=256)(self._resolve)

    @property
    def known(self) -> list[str]:
        return [f"{prefix.decode()}/*" for prefix, _, _ in self._rows]

    def _resolve(self, url: bytes) -> Target | None:
        """None for a `url` that leads to no provider.

        Raises: InvalidRequest for a path that a provider could parse as another one than we do.
        """
        url = _origin_form(url)
        for prefix, provider, origin in self._rows:
            if url.startswith(prefix) and url[len(prefix) : len(prefix) + 1] == b"/":
                return _target(url[len(prefix) :], provider, origin)
        return None


def _origin_form(url: bytes) -> bytes:
    """Servers must accept absolute URLs too. Only the path counts: the request came here, whichever host it names."""
    absolute = _SCHEME_AND_AUTHORITY.match(url)
    return url if absolute is None else url[absolute.end() :]


def _target(url: bytes, provider: Provider, origin: Origin) -> Target | None:
    path, mark, query = url.partition(b"?")
    secret = None
    if b"k-helicone" in path:
        path, secret = _without_key(path)
    if path.startswith(_LOG_SUFFIX) and path in (_LOG_SUFFIX, _LOG_SUFFIX + b"/"):
        return None
    if b"#" in url or _SUSPECT.search(path) or not _VISIBLE.fullmatch(url):
        _check_unambiguous(path, url)
    path = origin.path.encode() + path
    return Target(
        provider=provider.name,
        origin=origin,
        path_and_query=path + mark + query,
        url=f"{_site(origin)}{path.decode('ascii')}",
        secret=secret,
        stream_usage_on_request=_ends_with_any(path, provider.stream_usage_paths),
    )


def _ends_with_any(path: bytes, ends: Sequence[str]) -> bool:
    return any(path.endswith(end.encode()) for end in ends)


def _site(origin: Origin) -> str:
    return origin.url.removesuffix(origin.path)


def _without_key(path: bytes) -> tuple[bytes, bytes | None]:
    found = _KEY_SEGMENT.search(path)
    if found is None:
        return path, None
    return _KEY_SEGMENT.sub(b"", path) or b"/", found.group()[1:]


def _check_unambiguous(path: bytes, url: bytes) -> None:
    """Dot segments, however encoded, could leave the path the operator configured; the rest could confuse a parser.

    Raises: InvalidRequest.
    """
    if b"#" in url:
        raise InvalidRequest("a request target must not contain a fragment; a # in it is written %23")
    if not _VISIBLE.fullmatch(url):
        raise InvalidRequest("the path contains characters that must be percent-encoded")
    decoded = unquote_to_bytes(path)
    if _CONTROL.search(decoded):
        raise InvalidRequest("the path contains encoded control characters, which are not forwarded")
    if b"\\" in path or path.startswith(b"//") or _has_dots(decoded) or _has_dots(unquote_to_bytes(decoded)):
        raise InvalidRequest("the path contains dot segments or an empty first segment, which are not forwarded")


def _has_dots(path: bytes) -> bool:
    """Some servers treat a backslash as a slash, and ignore what follows a semicolon within a segment."""
    return any(segment.partition(b";")[0] in (b".", b"..") for segment in _SEPARATOR.split(path))


def origins_of(base_urls: Mapping[str, str]) -> dict[str, Origin]:
    """The origins of `base_urls`, by the same stored names. Raises: InvalidSetting, which names the setting."""
    origins = {}
    for name, url in base_urls.items():
        try:
            origins[name] = origin_of(url)
        except InvalidSetting as error:
            raise InvalidSetting(f"setting FAREBOX_{provider_named(name).setting.upper()}: {error}") from error
    return origins


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
        raise InvalidSetting("a provider's base URL contains scheme, host, port and path only, in ASCII")
    tls = parts.scheme == "https"
    path = parts.path.rstrip("/")
    origin = Origin(url="", tls=tls, host=parts.hostname, port=port or (443 if tls else 80), path=path)
    return msgspec.structs.replace(origin, url=f"{parts.scheme}://{origin.authority}{path}")
