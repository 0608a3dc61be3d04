"""Route, routing headers and the key's upstreams -> the target of one request, once its key is known.

In this order: the upstream that is named, by header or path; the server that a header names; the upstream of the key;
the route's own server. Credentials travel with the choice: a header never turns a provider's route to another server,
where the key for that provider would arrive.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.errors import InvalidRequest, NotFound, Rejected
from schemas.key import NO_PROVIDER_KEYS
from schemas.undecodable import UNDECODABLE
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.domain.attribution.account import (
    CREDENTIAL_HEADERS,
    without_credential,
    without_credential_subprotocols,
)
from services.domain.exchange.headers import API_BASE, MOCK_RESPONSE, TARGET_URL, UPSTREAM, Head, Pair
from services.domain.exchange.target import Target, target_at
from services.domain.providers.catalog import provider_named
from services.domain.providers.openai import OPENAI
from services.domain.routing.custom import AllowedHosts, Server, custom_target, parse_server
from services.domain.routing.provider_key import with_client_key, with_stored_key
from services.domain.routing.upstream import upstream_origin

_SUBPROTOCOLS: Final = b"sec-websocket-protocol"


class MissingTarget(InvalidRequest):
    """Nothing says to which server the request is to go."""

    code = "missing_target"


class MissingProviderKey(Rejected):
    """The operator's key for an upstream cannot be read."""

    code = "missing_provider_key"
    status = 503


def chosen_target(
    target: Target,
    headers: Sequence[Pair],
    upstreams: Sequence[NamedUpstream],
    *,
    key_id: str,
    allowed: AllowedHosts,
    provider_keys: Mapping[str, str] = NO_PROVIDER_KEYS,
) -> Target:
    """Where a request to the route `target` goes that was sent with the key `key_id`.

    `headers` are its routing headers, `upstreams` those of its organization, `provider_keys` what is stored for them,
    by name. Raises: Rejected.
    """
    given = values_of(headers)
    upstream = _upstream_of(target, given, upstreams, key_id=key_id)
    if upstream is None:
        found = with_client_key(_server_of(target, given, allowed=allowed), given)
    else:
        found = at_upstream(target, upstream, given, provider_keys)
    return with_mock_response(found, given)


def with_mock_response(target: Target, given: Mapping[bytes, bytes]) -> Target:
    """Raises: InvalidRequest."""
    mock = given.get(MOCK_RESPONSE)
    return target if mock is None else replace(target, mock_response=_json(mock))


def _upstream_of(
    target: Target, given: Mapping[bytes, bytes], upstreams: Sequence[NamedUpstream], *, key_id: str
) -> NamedUpstream | None:
    name = given.get(UPSTREAM, b"").decode("latin-1").lower() or target.upstream
    if name:
        return _named(name, upstreams)
    if TARGET_URL in given or API_BASE in given:
        return None
    of_key = (one for one in upstreams if key_id in one.key_ids and one.provider == target.provider)
    return next(of_key, None)


def _server_of(target: Target, given: Mapping[bytes, bytes], *, allowed: AllowedHosts) -> Target:
    if url := given.get(TARGET_URL):
        return at_server(target, "Helicone-Target-URL", parse_server(url), target.gateway_path, allowed)
    if url := given.get(API_BASE):
        # Azure OpenAI, and others that speak OpenAI's language.
        path = target.route_path if target.provider == OPENAI.name else target.gateway_path
        return at_server(target, "Helicone-OpenAI-Api-Base", parse_server(url), path, allowed)
    if not target.origin.host:
        raise _missing(target)
    return target


def values_of(headers: Sequence[Pair]) -> dict[bytes, bytes]:
    """By name in lower case; empty ones ask for nothing. Raises: InvalidRequest."""
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        stripped = value.strip()
        if given.setdefault(name, stripped) != stripped:
            raise InvalidRequest(f"{name.decode('latin-1')} is given twice, with different values")
    return {name: value for name, value in given.items() if value}


def _named(name: str, upstreams: Sequence[NamedUpstream]) -> NamedUpstream:
    for upstream in upstreams:
        if upstream.name == name:
            return upstream
    raise NotFound(f"there is no upstream with the name {name[:64]!r}")


def at_upstream(
    target: Target, upstream: NamedUpstream, given: Mapping[bytes, bytes], provider_keys: Mapping[str, str]
) -> Target:
    """The path of `target` at `upstream`, with the key for it. Raises: InvalidRequest, MissingProviderKey."""
    forwards = upstream.credentials is CredentialPolicy.FORWARD
    path = target.route_path if forwards else without_credential(target.route_path)
    found = target_at(provider_named(upstream.provider), upstream_origin(upstream), path)
    found = replace(
        found, secret=target.secret, region=upstream.region or found.region, strips_credentials=not forwards
    )
    if forwards:
        return with_client_key(found, given)
    if upstream.credentials is CredentialPolicy.STRIP:
        return found
    stored = provider_keys.get(upstream.name)
    if stored is None:
        raise MissingProviderKey(
            f"no provider key can be read for the upstream {upstream.name!r}: store it again (`farebox upstreams key`)"
        )
    return with_stored_key(found, stored)


def at_server(target: Target, header: str, server: Server, path: bytes | None, allowed: AllowedHosts) -> Target:
    """`path` at the server that `header` names; None where the route takes no other server than its own.

    Raises: InvalidRequest, TargetNotAllowed.
    """
    origin = target.origin
    if (server.tls, server.host, server.port) == (origin.tls, origin.host, origin.port):
        return target  # paths are not compared, as with Helicone
    if path is None:
        raise InvalidRequest(
            f"{header} names another server than this path leads to, which would receive the key for "
            f"{target.provider}: send such calls to /gateway/*"
        )
    custom = custom_target(server, allowed)
    return replace(target_at(custom.provider, custom.origin, path), secret=target.secret)


def _missing(target: Target) -> MissingTarget:
    if target.gateway_path is not None:
        return MissingTarget("Missing target base url: say by Helicone-Target-URL where this call is to go")
    provider = provider_named(target.provider)
    return MissingTarget(
        f"no server of {provider.title} is known: set FAREBOX_{provider.setting.upper()}, add an upstream "
        "(`farebox upstreams add`), or name one by Helicone-OpenAI-Api-Base on /oai/*"
    )


def _json(text: bytes) -> bytes:
    try:
        msgspec.json.decode(text)
    except UNDECODABLE:
        raise InvalidRequest("__helicone-mock-response must be JSON") from None
    return text


def without_credentials(head: Head) -> Head:
    """`head` without any provider's key."""
    return replace(
        head,
        forwarded=list(_without_credentials(head.forwarded)),
        account_headers={name: value for name, value in head.account_headers.items() if name not in CREDENTIAL_HEADERS},
    )


def _without_credentials(headers: Iterable[Pair]) -> Iterator[Pair]:
    for name, value in headers:
        lowered = name.lower()
        if lowered == _SUBPROTOCOLS:
            if left := without_credential_subprotocols(value):
                yield name, left
        elif lowered not in CREDENTIAL_HEADERS:
            yield name, value
