"""On whose account a call ran at its provider: what the headers of request and response show.

The names of the headers stand in the providers' records. A request's credential becomes a keyed hash: the same key has
the same hash in whichever header it comes, and the key itself is in no event.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from schemas.event import NO_ACCOUNT, ProviderAccount
from services.domain.attribution.digest import keyed_digest
from services.domain.providers.catalog import PROVIDERS, provider_named
from services.domain.providers.record import Provider

MAX_CHARACTERS: Final = 256  # of a name or an id
_PURPOSE: Final = b"provider key"

_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9-]* +")
# Of a signed request only the id of its key is the same in the next one.
_SIGNED: Final = tuple(
    re.compile(provider.signed_credentials.encode()) for provider in PROVIDERS if provider.signed_credentials
)
_OWN: Final = (b"sk-helicone", b"pk-helicone")


class _Names(msgspec.Struct, frozen=True):
    """The headers of one provider, in lower case, those first that count first."""

    credentials: tuple[bytes, ...]
    organizations: tuple[bytes, ...]
    projects: tuple[bytes, ...]
    request_ids: tuple[bytes, ...]


@lru_cache(maxsize=1024)
def _names_of(provider: str) -> _Names:
    """Of a provider in any spelling of its name; for one of which nothing is known, what most have."""
    return _names(provider_named(provider))


def _names(provider: Provider) -> _Names:
    return _Names(
        _lower(provider.credential_headers),
        _lower(provider.organization_headers),
        _lower(provider.project_headers),
        _lower(provider.request_id_headers),
    )


def _lower(names: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(name.lower().encode() for name in names)


# Every header that shows anything of this, of whichever provider.
ACCOUNT_HEADERS: Final = frozenset(
    header
    for names in (*map(_names, PROVIDERS), _names_of(""))
    for header in (*names.credentials, *names.organizations, *names.projects, *names.request_ids)
)

# Those of them that hold a provider's key.
CREDENTIAL_HEADERS: Final = frozenset(
    header for names in (*map(_names, PROVIDERS), _names_of("")) for header in names.credentials
)

_PARAMETERS: Final = frozenset(name for provider in PROVIDERS for name in _lower(provider.credential_parameters))
_SUBPROTOCOLS: Final = tuple(
    {name for one in PROVIDERS if one.realtime is not None for name in _lower(one.realtime.credential_subprotocols)}
)


def request_account(
    provider: str, headers: Mapping[bytes, bytes], hash_of: Callable[[bytes], str], in_query: bytes = b""
) -> ProviderAccount:
    """Of a request with these `headers`, by lower-case name, and the credential `in_query`, b'' for none.

    `hash_of` returns what `credential_hash` does.
    """
    names = _names_of(provider)
    credential = _first(names.credentials, headers) or in_query
    if not credential and not headers:
        return NO_ACCOUNT
    return ProviderAccount(
        key_hash=hash_of(credential) if credential else "",
        organization=_text(_first(names.organizations, headers)),
        project=_text(_first(names.projects, headers)),
    )


def response_account(provider: str, headers: Mapping[bytes, bytes]) -> ProviderAccount:
    """Of a response with these `headers`, by lower-case name."""
    if not headers:
        return NO_ACCOUNT
    names = _names_of(provider)
    organization, project = _first(names.organizations, headers), _first(names.projects, headers)
    if not organization and not project:
        return NO_ACCOUNT
    return ProviderAccount(organization=_text(organization), project=_text(project))


def provider_request_id(provider: str, headers: Mapping[bytes, bytes]) -> str:
    """The id by which the provider finds the request, in its response's `headers`; '' without one."""
    return _text(_first(_names_of(provider).request_ids, headers)) if headers else ""


def credential_hash(value: bytes, key: bytes) -> str:
    """The hash of the credential in a header's or a parameter's `value`; '' for none, and for a key of Farebox."""
    signed = next((found for pattern in _SIGNED if (found := pattern.match(value))), None)
    credential = signed[1] if signed else _SCHEME.sub(b"", value.lstrip(), count=1).strip()
    if not credential or credential.startswith(_OWN):
        return ""
    return keyed_digest(credential, key, purpose=_PURPOSE)


def credential_in(query: bytes, provider: Provider) -> bytes:
    """The value of the parameter that holds the credential; b'' where there is none."""
    wanted = _lower(provider.credential_parameters)
    for pair in query.split(b"&") if wanted else ():
        name, _, value = pair.partition(b"=")
        if name.lower() in wanted and value:
            return unquote_to_bytes(value)
    return b""


def without_credential(path_and_query: bytes) -> bytes:
    """Without the parameters in which any provider's key may be."""
    path, _, query = path_and_query.partition(b"?")
    kept = [pair for pair in query.split(b"&") if unquote_to_bytes(pair.partition(b"=")[0]).lower() not in _PARAMETERS]
    return b"?".join((path, b"&".join(kept))) if any(kept) else path


def without_credential_subprotocols(offered: bytes) -> bytes:
    """Of the subprotocols that a WebSocket is offered, those without any provider's key; b'' where none is left."""
    names = (name.strip() for name in offered.split(b","))
    return b", ".join(name for name in names if name and not name.lower().startswith(_SUBPROTOCOLS))


def project_in(url: str, provider: str) -> str:
    """The project that the path of `url` names; '' where the provider's paths name none."""
    pattern = provider_named(provider).project_paths
    found = re.search(pattern, url) if pattern else None
    return found[1][:MAX_CHARACTERS] if found else ""


def _first(names: tuple[bytes, ...], headers: Mapping[bytes, bytes]) -> bytes:
    for name in names:
        if value := headers.get(name):
            return value
    return b""


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip()[:MAX_CHARACTERS] if value else ""
