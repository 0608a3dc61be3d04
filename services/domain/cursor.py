"""Where a list or an export goes on: an opaque text that only this deployment can make, for one query of one client.

What is in it can be read by who has it, and nothing in it is a secret. Its signature says that the place is one that
this organization was given for this very query, so nobody goes on with another filter and takes that for the rest.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from schemas.errors import InvalidRequest

CURSORS: Final = "cursor"  # the name of the secret in the state database

_PURPOSE: Final = "farebox cursor"  # no signature made for anything else is valid here
_SIGNATURE_BYTES: Final = 16
_MAX_CHARACTERS: Final = 1000

_encoder: Final = msgspec.json.Encoder(order="deterministic")


class Cursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Behind which row of which query it goes on."""

    query: str  # its digest
    created_at: datetime
    request_id: str
    until: datetime | None = None  # the end of an export, as it was fixed at the start
    rows: int = 0  # that an export has had so far


def digest_of(*query: object) -> str:
    """Equal for equal queries. Their parts are JSON values."""
    return sha256(_encoder.encode(query)).hexdigest()[:16]


def encode_cursor(cursor: Cursor, organization_id: str, secret: bytes) -> str:
    content = _encoder.encode(cursor)
    return urlsafe_b64encode(_signature(content, organization_id, secret) + content).rstrip(b"=").decode("ascii")


def parse_cursor(text: str, query: str, organization_id: str, secret: bytes) -> Cursor:
    """Raises: InvalidRequest when it is no cursor of this organization for the query with the digest `query`."""
    cursor = _signed(text, organization_id, secret)
    if cursor is None:
        raise InvalidRequest("cursor: this is no cursor of this Farebox for this organization: send it as it came")
    if cursor.query != query:
        raise InvalidRequest("cursor: it belongs to another query; all fields but it must be as they were")
    return cursor


def _signed(text: str, organization_id: str, secret: bytes) -> Cursor | None:
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        signed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    signature, content = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(content, organization_id, secret)):
        return None
    return msgspec.json.decode(content, type=Cursor)


def _signature(content: bytes, organization_id: str, secret: bytes) -> bytes:
    # JSON, so that no two of them have the same text.
    signed = _encoder.encode((_PURPOSE, organization_id, content.decode("utf-8", "replace")))
    return hmac.digest(secret, signed, "sha256")[:_SIGNATURE_BYTES]
