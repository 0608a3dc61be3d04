"""Where one request goes: the target that a route, or a choice beside it, comes to."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec.structs import replace

from schemas.attempts import StatusRange
from schemas.errors import InvalidRequest
from schemas.origin import Origin
from schemas.provider_key import ProviderKey
from services.domain.attribution.account import credential_in
from services.domain.exchange.headers import Head
from services.domain.providers.record import Provider

_VISIBLE = re.compile(rb"[!-~]*")
_SUSPECT = re.compile(rb"/\.|//|[%\\;#]")  # nothing a path can be misread by lacks all of these
_SEPARATOR = re.compile(rb"[/\\]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_KEY_SEGMENT = re.compile(rb"/(?:sk|pk)-helicone[^/]*")
_OWN_KEY: Final = re.compile(rb"[sp]k-helicone", re.IGNORECASE)
KEY_IN_PATH: Final = re.compile(_KEY_SEGMENT.pattern.decode(), re.IGNORECASE)
_REGION: Final = "{region}"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where one request goes."""

    provider: str
    origin: Origin
    path_and_query: bytes  # of the request to the provider
    url: str  # the same as a URL without its query, which may hold keys
    secret: bytes | None = None  # the Farebox key, for clients that can only put it in the path
    credential: bytes = b""  # for the provider, where no header holds it, but the query or `key`
    key: ProviderKey | None = None  # that Farebox adds, instead of what the client sends
    region: str = ""  # of the provider, where its path or its server names one
    stream_usage_on_request: bool = False  # streams from here have no usage unless the request sets `include_usage`
    route_path: bytes = b"/"  # path and query behind the route, for another server than the route's own
    gateway_path: bytes | None = None  # the same, for a server that the client names; None where it may not
    upstream: str = ""  # the name of an operator's row, where the path has one
    strips_credentials: bool = False  # the provider's keys are not forwarded
    mock_response: bytes | None = None  # JSON to respond with, instead of calling anybody
    fallbacks: "Sequence[Fallback]" = ()  # in their order, this target the first of them; () where there are none
    by_model: bool = False  # the body's `model` says where the request goes
    with_models: "Callable[[bytes], Target] | None" = None  # the target of a whole body, once the key is known

    @property
    def is_open(self) -> bool:
        """Whether the route alone does not say to which server the request goes."""
        return not self.origin.host


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """A target among several, and what is sent there."""

    target: Target
    head: Head
    on_codes: Sequence[StatusRange]
    body_override: Mapping[str, Any]
    model: str = ""  # where the body named it, in visible characters of ASCII


def checked_path(url: bytes) -> tuple[bytes, bytes | None]:
    """Path and query without a key of ours, and that key. Raises: InvalidRequest."""
    path, mark, query = url.partition(b"?")
    secret = None
    if b"k-helicone" in path:
        path, secret = without_key(path)
    if query and b"helicone" in unquote_to_bytes(query).lower():
        query, in_query = _without_own_key(query)
        mark, secret = mark if query else b"", secret or in_query
    if b"#" in url or _SUSPECT.search(path) or not _VISIBLE.fullmatch(url):
        _check_unambiguous(path, url)
    return path + mark + query, secret


def target_at(provider: Provider, origin: Origin, route_path: bytes, secret: bytes | None = None) -> Target:
    """The target of `route_path`, a path and a query that were checked, at a server of `provider`.

    Raises: InvalidRequest where the path has to name a region, and does not.
    """
    path, mark, query = route_path.partition(b"?")
    region = ""
    if provider.region_in_path:
        path, origin, region = _in_region(path, provider, origin)
    path = origin.path.encode() + path
    return Target(
        provider=provider.name,
        origin=origin,
        path_and_query=path + mark + query,
        url=f"{_site(origin)}{path.decode('ascii')}",
        secret=secret,
        credential=credential_in(query, provider),
        stream_usage_on_request=_ends_with_any(path, provider.stream_usage_paths)
        and not (provider.stream_usage_unknown and re.match(provider.stream_usage_unknown, query.decode("latin-1"))),
        route_path=route_path,
        region=region,
    )


def _in_region(path: bytes, provider: Provider, origin: Origin) -> tuple[bytes, Origin, str]:
    """`path` without its region, the server there, and the region, '' where neither says it."""
    found = re.match(provider.region_in_path.encode(), path)
    if found is not None:
        path = path[found.end() :]
    if _REGION not in origin.host:
        return path, origin, _region_of(origin.host, provider) or ("" if found is None else found[1].decode())
    if found is None:
        raise InvalidRequest(f"the path has to begin with a region of {provider.title}, such as /v1/us-east-1/")
    region = found[1].decode()
    host, url = origin.host.replace(_REGION, region), origin.url.replace(_REGION, region)
    return path, replace(origin, host=host, url=url), region


def _region_of(host: str, provider: Provider) -> str:
    found = None if provider.signing is None else re.fullmatch(provider.signing.region_in_host, host)
    return "" if found is None else found[1]


def _ends_with_any(path: bytes, ends: Sequence[str]) -> bool:
    return any(path.endswith(end.encode()) for end in ends)


def _site(origin: Origin) -> str:
    return origin.url.removesuffix(origin.path)


def without_key(path: bytes) -> tuple[bytes, bytes | None]:
    found = _KEY_SEGMENT.search(path)
    if found is None:
        return path, None
    return _KEY_SEGMENT.sub(b"", path) or b"/", found.group()[1:]


def _without_own_key(query: bytes) -> tuple[bytes, bytes | None]:
    """Clients that put a provider's key into the query, such as Google's, put ours there."""
    pairs = [(pair, unquote_to_bytes(pair.partition(b"=")[2])) for pair in query.split(b"&")]
    own = [value for _, value in pairs if _OWN_KEY.match(value)]
    kept = [pair for pair, value in pairs if value not in own]
    return b"&".join(kept), own[0] if own else None


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
