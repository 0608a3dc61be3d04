"""The provider's key of a request, where the client's own headers are not simply forwarded.

Either the client names a key to sign with, or the operator's row has one. It belongs to the target and never to the
headers, so it goes where the target goes, and nowhere else.
"""

import re
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from schemas.errors import InvalidRequest
from schemas.provider_key import HeaderKey, ProviderKey, SigningKey
from services.domain.exchange.target import Target
from services.domain.providers.catalog import provider_named
from services.domain.providers.record import Provider, RequestSigning

_AUTHORIZATION: Final = "authorization"
# ID:SECRET or ID:SECRET:TOKEN; neither an id nor a secret has a colon in it.
_SIGNING: Final = re.compile(r"(?P<id>[A-Z0-9]{16,128}):(?P<secret>[!-9;-~]{16,256})(?::(?P<token>[!-~]{1,8192}))?")
_SENT: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]* )?[!-~]{1,8192}")


def with_client_key(target: Target, given: Mapping[bytes, bytes]) -> Target:
    """`target` with the signing key among the headers `given`, by name in lower case, if there is one.

    For a provider whose requests are not signed these mean nothing, and end here. Raises: InvalidRequest.
    """
    signing = provider_named(target.provider).signing
    if signing is None:
        return target
    key_id, secret, token = (given.get(name.lower().encode(), b"") for name in signing.headers)
    if not (key_id or secret or token):
        return target
    if not (key_id and secret):
        raise InvalidRequest(f"{signing.key_header} and {signing.secret_header} belong together: one is missing")
    region = _region(target, signing)
    key = SigningKey(key_id=key_id, secret=secret, session_token=token, region=region, service=signing.service.encode())
    return _with_key(target, key)


def with_stored_key(target: Target, stored: str) -> Target:
    """`target` with the key that was stored for it. Raises: InvalidRequest."""
    provider = provider_named(target.provider)
    found = _SIGNING.fullmatch(stored) if provider.signing is not None else None
    if found is None or provider.signing is None:
        return _with_key(target, _header_key(provider, stored))
    key = SigningKey(
        key_id=found["id"].encode(),
        secret=found["secret"].encode(),
        session_token=(found["token"] or "").encode(),
        region=_region(target, provider.signing),
        service=provider.signing.service.encode(),
    )
    return _with_key(target, key)


def check_provider_key(provider: Provider, text: str) -> None:
    """Whether `text` can be a key of `provider`. Raises: InvalidRequest, which does not repeat it."""
    if not _SENT.fullmatch(text):
        raise InvalidRequest("provider_key: a key has up to 8192 visible characters of ASCII, without spaces")
    if provider.signing is not None and ":" in text and not _SIGNING.fullmatch(text):
        raise InvalidRequest("provider_key: a key that signs requests is ID:SECRET, or ID:SECRET:TOKEN")


def _with_key(target: Target, key: ProviderKey) -> Target:
    return replace(target, key=key, credential=key.credential, strips_credentials=True)


def _header_key(provider: Provider, stored: str) -> HeaderKey:
    """As the provider's own SDK sends it."""
    name = provider.credential_headers[0]
    is_bare = name.lower() == _AUTHORIZATION and " " not in stored
    value = f"Bearer {stored}" if is_bare else stored
    return HeaderKey(name=name.encode(), value=value.encode(), credential=value.encode())


def _region(target: Target, signing: RequestSigning) -> bytes:
    if not target.region:
        raise InvalidRequest(
            f"no region is known to sign requests to {signing.service} for: the path has to begin with one, such as "
            "/v1/us-east-1/"
        )
    return target.region.encode()
