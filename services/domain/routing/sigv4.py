"""Signature Version 4: a request, a key and a time -> the headers that prove whose request it is.

The signature covers the host that is called, the path, the body and the time, so a request that was signed for the
proxy's own address proves nothing to the provider: it is signed anew.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from schemas.provider_key import SigningKey
from services.domain.exchange.headers import Pair

_ALGORITHM: Final = b"AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-._~"
_SLASHES: Final = re.compile(rb"//+")
# What an earlier signature left. All else that begins with x-amz- is part of the new one.
_REPLACED: Final = frozenset([b"authorization", b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256"])


def signed_headers(
    key: SigningKey, *, method: bytes, target: bytes, host: bytes, headers: Sequence[Pair], body: bytes, at: datetime
) -> list[Pair]:
    """`headers` without an earlier signature and with a new one, of a request for `target` (path and query) at `host`.

    `at` is aware UTC; the provider takes a signature for some minutes.
    """
    kept = [pair for pair in headers if pair[0].lower() not in _REPLACED]
    timestamp = at.strftime("%Y%m%dT%H%M%SZ").encode()
    kept.append((b"X-Amz-Date", timestamp))
    if key.session_token:
        kept.append((b"X-Amz-Security-Token", key.session_token))
    signed = _signed(kept, host)
    names = b";".join(signed)
    lines = b"".join(b"%b:%b\n" % pair for pair in signed.items())
    path, _, query = target.partition(b"?")
    canonical = (
        method,
        _canonical_path(path),
        _canonical_query(query),
        lines,
        names,
        sha256(body).hexdigest().encode(),
    )
    scope = b"/".join((timestamp[:8], key.region, key.service, b"aws4_request"))
    digest = sha256(b"\n".join(canonical)).hexdigest().encode()
    signature = hmac.new(_derived(key, scope), b"\n".join((_ALGORITHM, timestamp, scope, digest)), sha256).hexdigest()
    value = b"%b Credential=%b/%b, SignedHeaders=%b, Signature=%b"
    kept.append((b"Authorization", value % (_ALGORITHM, key.key_id, scope, names, signature.encode())))
    return kept


def _signed(headers: list[Pair], host: bytes) -> dict[bytes, bytes]:
    """The headers that the signature covers, by name in lower case, in their order."""
    found: dict[bytes, bytes] = {b"host": host}
    for spelled, value in headers:
        name = spelled.lower()
        if name == b"content-type" or name.startswith(b"x-amz-"):
            text = b" ".join(value.split())
            found[name] = b"%b,%b" % (found[name], text) if name in found else text
    return dict(sorted(found.items()))


def _canonical_path(path: bytes) -> bytes:
    """Encoded once more than on the wire, as all services but S3 have it."""
    return quote(_SLASHES.sub(b"/", path) or b"/", safe="/" + _UNRESERVED).encode()


def _canonical_query(query: bytes) -> bytes:
    """Its parameters are encoded already."""
    pairs = [pair.partition(b"=") for pair in query.split(b"&") if pair]
    return b"&".join(b"%b=%b" % pair for pair in sorted((name, value) for name, _, value in pairs))


def _derived(key: SigningKey, scope: bytes) -> bytes:
    derived = b"AWS4" + key.secret
    for part in scope.split(b"/"):
        derived = hmac.digest(derived, part, "sha256")
    return derived
