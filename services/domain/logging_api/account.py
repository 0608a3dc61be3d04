"""The account at the provider on which a logged call ran, as far as its client logged headers."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from schemas.event import ProviderAccount
from schemas.undecodable import UNDECODABLE
from services.domain.attribution.account import ACCOUNT_HEADERS, credential_hash, credential_in, request_account
from services.domain.providers.catalog import provider_named

_MAX_HEADERS_BYTES: Final = 64 * 2**10

_headers = msgspec.json.Decoder(dict[str, Any])


def logged_request_account(provider: str, meta: Mapping[str, Any], url: str, hash_key: bytes) -> ProviderAccount:
    """By the provider's headers in a log's `meta`, and the query of the `url`."""
    in_query = b""
    if "?" in url:
        in_query = credential_in(urlsplit(url).query.encode(), provider_named(provider))
    return request_account(provider, account_headers(meta), lambda value: credential_hash(value, hash_key), in_query)


def logged_response_headers(raw: msgspec.Raw) -> Mapping[bytes, bytes]:
    """Those in a log's `providerResponse.headers` that show an account, by lower-case name; they may be any JSON."""
    text = bytes(raw)
    if len(text) > _MAX_HEADERS_BYTES or not text.startswith(b"{"):
        return {}
    try:
        return account_headers(_headers.decode(text))
    except UNDECODABLE:
        return {}


def account_headers(headers: Mapping[str, Any]) -> dict[bytes, bytes]:
    named = ((name.lower().encode(), value) for name, value in headers.items() if isinstance(value, str))
    return {name: value.encode() for name, value in named if name in ACCOUNT_HEADERS}
