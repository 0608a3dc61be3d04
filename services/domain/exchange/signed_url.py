"""The signature of a URL that returns the bodies of one request, to whoever has it, until it expires.

Helicone's clients fetch bodies from such a URL without their key. What may be fetched is part of what is signed, so
a URL is valid for one request of one organization; it contains no key, and none can be derived from it.
"""

import hmac
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Final

import msgspec

VALID_FOR: Final = timedelta(minutes=30)  # as Helicone's; an export may take long to reach a row
SIGNED_URLS: Final = "signed_body_url"  # the name of the secret in the state database

_PURPOSE: Final = "farebox signed_body_url"  # no signature made for anything else is valid here


class SignedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a URL gives access to."""

    organization_id: str
    request_id: str
    created_at: str  # as the URL spells it
    expires_at_s: int  # Unix seconds


def signature_of(body: SignedBody, secret: bytes) -> str:
    """256 bits in URL-safe base64."""
    # JSON, so that no two requests have the same text.
    signed = (_PURPOSE, body.organization_id, body.request_id, body.created_at, body.expires_at_s)
    digest = hmac.digest(secret, msgspec.json.encode(signed), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def is_signed(body: SignedBody, signature: str, secret: bytes) -> bool:
    """Whether `signature` is that of `body`. Compared in constant time."""
    return hmac.compare_digest(signature_of(body, secret).encode(), signature.encode("utf-8", "replace"))
