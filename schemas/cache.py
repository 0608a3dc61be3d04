"""What the response cache keeps, and by which key."""

from typing import Final

import msgspec

from schemas.undecodable import UNDECODABLE

MAX_BUCKET: Final = 20  # responses under one key


LIFETIME_S: Final = 7 * 86_400  # of a response, unless a request says otherwise


class CachePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What one request wants of the response cache."""

    reads: bool = False
    saves: bool = False
    coalesces: bool = False  # identical requests wait for the first one's response
    lifetime_s: int = LIFETIME_S  # of what is saved
    max_age_s: int | None = None  # of what is read, where the request says so
    slots: int = 1  # different responses to one request
    seed: str = ""
    ignored_keys: frozenset[str] = frozenset()  # members of the body that make no difference


class CacheKey(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of a request can be read from it, its credentials included."""

    organization_id: str  # whose response it is: it is cleared with theirs, and part of `digest` too
    digest: str  # 64 hex digits


class CachedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A whole and successful response, as its provider sent it."""

    digest: str  # of the key: what is found under another one is not served, whatever went wrong in between
    request_id: str  # of the request that paid for it
    stored_at_s: float  # unix time
    latency_ms: int  # of the provider
    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    chunks: list[bytes]  # of the body, as they came


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One response of a bucket."""

    slot: int
    payload: bytes


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted."""

    entries: int
    size_bytes: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(CachedResponse)


def encode_response(response: CachedResponse) -> bytes:
    return _encoder.encode(response)


def decode_response(payload: bytes, key: CacheKey) -> CachedResponse | None:
    """None for what is no response that this version can read, or one to another request than `key` is of."""
    try:
        response = _decoder.decode(payload)
    except UNDECODABLE:
        return None
    return response if response.digest == key.digest else None
