"""What an operator types of an upstream -> the row, checked once; and the server that a row names."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from schemas.errors import InvalidRequest, InvalidSetting
from schemas.origin import Origin, Reach
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.domain.exchange.routes import origin_of
from services.domain.providers.catalog import known_provider
from services.domain.routing.address import is_reachable
from services.domain.routing.provider_key import check_provider_key

NAME: Final = r"[a-z0-9][a-z0-9_.-]{0,63}"
MAX_KEYS: Final = 100
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}")
_PLACE: Final = "{region}"
_ADDRESS: Final = re.compile(r"[0-9.]+|.*:.*")


def new_upstream(
    *,
    name: str,
    provider: str,
    url: str,
    region: str = "",
    credentials: CredentialPolicy = CredentialPolicy.FORWARD,
    private: bool = False,
    key_ids: Sequence[str] = (),
    provider_key: str = "",
) -> NamedUpstream:
    """The row; `provider_key` is no part of it. Raises: InvalidRequest, which names what is wrong."""
    if not re.fullmatch(NAME, name.lower()):
        raise InvalidRequest("the name of an upstream has letters, digits, dots, dashes and underscores, 64 at most")
    known = known_provider(provider)
    if known is None:
        raise InvalidRequest(f"provider {provider[:64]!r} is not known: its prices and rules hold for the upstream")
    if bool(region) != (_PLACE in url) or (region and not _REGION.fullmatch(region)):
        raise InvalidRequest("a region is given exactly where the URL has {region} in its place")
    if len(key_ids) > MAX_KEYS:
        raise InvalidRequest(f"an upstream has {MAX_KEYS} keys at most")
    if bool(provider_key) != (credentials is CredentialPolicy.STORED):
        raise InvalidRequest("a provider_key is given exactly where credentials are `stored`")
    if provider_key:
        check_provider_key(known, provider_key)
    found = NamedUpstream(
        name=name.lower(),
        provider=known.name,
        url=url.rstrip("/"),
        region=region,
        credentials=credentials,
        private=private,
        key_ids=tuple(dict.fromkeys(key_ids)),
    )
    _check_server(found)
    return found


def _check_server(upstream: NamedUpstream) -> None:
    try:
        origin = upstream_origin(upstream)
    except InvalidSetting as error:
        raise InvalidRequest(f"url: {error}") from error
    if not origin.tls and not upstream.private:
        raise InvalidRequest("url: without TLS only servers inside are called: use https, or allow private addresses")
    if _ADDRESS.fullmatch(origin.host) and not is_reachable(origin.reach, origin.host):
        raise InvalidRequest("url: this address is private, or is none that calls are sent to")


@lru_cache(maxsize=1024)
def upstream_origin(upstream: NamedUpstream) -> Origin:
    """The server of a row. Raises: InvalidSetting where its URL is none."""
    origin = origin_of(upstream.url.replace(_PLACE, upstream.region))
    return replace(origin, reach=Reach.INTERNAL if upstream.private else Reach.PUBLIC)
