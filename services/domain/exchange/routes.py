"""Path and host of a request -> provider and server, from the providers' records: a client chooses a row, never a host.

Where the client, its key or an operator's row chooses the server, the route is all that is known here: `routing/` finds
the rest once the key is.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from schemas.errors import InvalidSetting
from schemas.origin import Origin
from services.domain.exchange.host import parse_host
from services.domain.exchange.target import Target, checked_path, target_at, without_key
from services.domain.providers.catalog import ROUTED, provider_named
from services.domain.providers.others import CUSTOM
from services.domain.providers.record import Provider

GATEWAY: Final = b"gateway"  # the label of the route whose server each request names
AI_GATEWAY: Final = b"ai-gateway"  # likewise; the body's `model` names servers
CHAT: Final = b"/chat/completions"  # what the AI gateway takes
UPSTREAMS: Final = b"upstreams"  # likewise; what follows is the name of an operator's row
_JAWN: Final = b"/v1/gateway"  # before every route, as Helicone's self-hosted gateway has them
_LOG_SUFFIX: Final = b"/v1/log"  # below a label this is Helicone's manual logging, which no provider may see

_SCHEME_AND_AUTHORITY = re.compile(rb"https?://[^/?#]+", re.IGNORECASE)
_NOWHERE: Final = Origin(url="", tls=True, host="", port=0, path="")  # of a route that leads to no server by itself
_UPSTREAM: Final = re.compile(rb"/([a-z0-9][a-z0-9_.-]{0,63})(?=/)", re.IGNORECASE)


class _Row(msgspec.Struct, frozen=True):
    """A route."""

    provider: Provider
    origin: Origin


class Routes:
    """The provider routes of one proxy, to `origins` by the providers' stored names."""

    def __init__(self, origins: Mapping[str, Origin], *, own_paths: Collection[str] = ()) -> None:
        """`own_paths` are the proxy's under every host name."""
        rows = [
            _Row(provider, origins.get(provider.name, _NOWHERE))
            for provider in ROUTED
            if provider.name in origins or not provider.base_url
        ]
        self._by_label = {row.provider.label.encode(): row for row in rows}
        self._own_paths = frozenset(path.encode() for path in own_paths)
        # An application calls few different paths, many times.
        self.resolve = lru_cache(maxsize=256)(self._resolve)

    @property
    def known(self) -> list[str]:
        """The short paths, for people."""
        labels = [*self._by_label, GATEWAY, AI_GATEWAY, UPSTREAMS + b"/NAME"]
        return [f"/{label.decode()}/*" for label in labels]

    def _resolve(self, url: bytes, host: bytes = b"") -> Target | None:
        """None for a `url` that leads to no provider; `host` is the Host header, whose first label may be a route's.

        Raises: InvalidRequest for a path that a provider could parse as another one than we do.
        """
        url = _origin_form(url)
        label = _label_of(host)
        if label == GATEWAY:
            return self._at_gateway_host(url)
        if label == AI_GATEWAY and url.partition(b"?")[0].endswith(CHAT):
            return self._by_path(url) or _models_target(url)
        row = self._by_label.get(label)
        if row is None:
            return self._by_path(url)
        if self._is_own(url):
            return None
        by_path = self._by_path(url)
        # Whoever names a route means it, unless this provider's own API has such a path.
        its_own = tuple(f"/{one}/".encode() for one in row.provider.paths_like_routes)
        if by_path is not None and not url.startswith(its_own):
            return by_path
        return _target(url, row.provider, row.origin)

    def _at_gateway_host(self, url: bytes) -> Target | None:
        """The path is that of the server that a header names; of a request without that header it may be a route."""
        if self._is_own(url):
            return None
        by_path = self._by_path(url)
        if by_path is None:
            return _gateway_target(url)
        return replace(by_path, gateway_path=by_path.gateway_path or checked_path(url)[0])

    def _is_own(self, url: bytes) -> bool:
        return not url.startswith(b"/") or url.partition(b"?")[0].rstrip(b"/") in self._own_paths

    def _by_path(self, url: bytes) -> Target | None:
        if url.startswith(_JAWN + b"/"):
            url = url[len(_JAWN) :]
        root, _, routed = url.partition(b"/")
        label, slash, rest = routed.partition(b"/")
        if root or not slash:
            return None
        path = slash + rest
        if (row := self._by_label.get(label)) is not None:
            return _target(path, row.provider, row.origin)
        if label == GATEWAY:
            return _gateway_target(path)
        if label == AI_GATEWAY:
            return _models_target(path)
        found = _UPSTREAM.match(path) if label == UPSTREAMS else None
        return None if found is None else _upstream_target(found[1], path[found.end() :])


def _label_of(host: bytes) -> bytes:
    """The first label of a name that has more; b'' for an address, and for names such as a container's."""
    if not host:
        return b""
    parsed = parse_host(host)
    label, dot, _ = parsed.name.partition(".")
    return label.encode() if dot and not parsed.is_address else b""


def _origin_form(url: bytes) -> bytes:
    """Servers must accept absolute URLs too. Only the path counts: the request came here, whichever host it names."""
    absolute = _SCHEME_AND_AUTHORITY.match(url)
    return url if absolute is None else url[absolute.end() :]


def _target(url: bytes, provider: Provider, origin: Origin) -> Target | None:
    path = url.partition(b"?")[0]
    if b"k-helicone" in path:
        path, _ = without_key(path)
    if path.startswith(_LOG_SUFFIX) and path in (_LOG_SUFFIX, _LOG_SUFFIX + b"/"):
        return None
    route_path, secret = checked_path(url)
    return target_at(provider, origin, route_path, secret)


def _gateway_target(url: bytes) -> Target:
    target = _open_target(url)
    return replace(target, gateway_path=target.route_path)


def _models_target(url: bytes) -> Target:
    return replace(_open_target(url), by_model=True, stream_usage_on_request=True)


def _upstream_target(name: bytes, url: bytes) -> Target:
    return replace(_open_target(url), upstream=name.decode().lower())


def _open_target(url: bytes) -> Target:
    path, secret = checked_path(url)
    return Target(provider=CUSTOM.name, origin=_NOWHERE, path_and_query=path, url="", secret=secret, route_path=path)


def origins_of(base_urls: Mapping[str, str]) -> dict[str, Origin]:
    """The origins of `base_urls`, by the same stored names, but for empty ones.

    Raises: InvalidSetting, which names the setting.
    """
    origins = {}
    for name, url in base_urls.items():
        if not url:
            continue  # each client has a server of its own
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
    return replace(origin, url=f"{parts.scheme}://{origin.authority}{path}")
