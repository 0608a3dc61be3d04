"""Which requests are the same to the response cache, and so have one response.

The same are two of one organization, with one credential, that differ in nothing that the provider may act on: method,
URL, body, and the headers named here. Users, sessions and properties do not matter, nor do the other headers of the
cache: what one request saves, another reads.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from schemas.cache import CacheKey, CachePolicy
from schemas.undecodable import UNDECODABLE
from services.domain.attribution.account import CREDENTIAL_HEADERS
from services.domain.exchange.headers import Pair

_VERSION: Final = b"1"  # of what is stored under a key, and of what a key is made of
_NAMES: Final = frozenset(
    [
        *(b"accept", b"accept-encoding", b"content-encoding", b"content-type", b"x-goog-user-project"),
        *(b"azureml-model-deployment", b"extra-parameters", b"ocp-apim-subscription-key"),  # of Azure
    ]
)
# Of Bedrock, guardrails among them; of gateways, which take the provider and its key from such headers.
_PREFIXES: Final = (b"anthropic-", b"openai-", b"x-amzn-bedrock-", b"x-portkey-", b"cf-aig-")
_GOOGLE_TOKEN: Final = b"ya29."
_PASSING: Final = (_GOOGLE_TOKEN, b"AWS4-")


def cache_key(
    policy: CachePolicy,
    *,
    organization_id: str,
    credential: str,
    method: bytes,
    url: bytes,
    headers: Sequence[Pair],
    body: bytes,
) -> CacheKey:
    """The key of a request to `url`, query included, with the `headers` that the provider gets.

    `credential` is a hash of the provider's key; '' where it makes no difference.
    """
    digest = sha256()
    parts = (
        *(_VERSION, organization_id.encode(), credential.encode(), policy.seed.encode(), method, url),
        *_told_apart(headers),
        canonical_body(body, policy.ignored_keys),
    )
    for part in parts:  # each with its length, so that nothing can pass for two parts
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return CacheKey(organization_id=organization_id, digest=digest.hexdigest())


def lasting_credential(key_hash: str, headers: Sequence[Pair]) -> str:
    """A hash of everything in `headers` that may be a key of the provider, and of `key_hash`, that of the one known.

    A server of which little is known may take its key from any of them. Google's tokens, which last for an hour, and
    signatures, which are of one request, are no part of it; '' where nothing else is there.
    """
    found = [(name.lower(), value) for name, value in headers if name.lower() in CREDENTIAL_HEADERS]
    lasting = sorted(pair for pair in found if not any(mark in pair[1] for mark in _PASSING))
    is_token = any(name == b"authorization" and _GOOGLE_TOKEN in value for name, value in found)
    known = "" if is_token else key_hash
    if not lasting:
        return known
    parts = (known.encode(), *(part for pair in lasting for part in pair))
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest()


def _told_apart(headers: Sequence[Pair]) -> list[bytes]:
    lowered = ((name.lower(), value) for name, value in headers)
    kept = [pair for pair in lowered if pair[0] in _NAMES or pair[0].startswith(_PREFIXES)]
    return [b"%d" % len(kept), *(b": ".join(pair) for pair in sorted(kept))]


def canonical_body(body: bytes, ignored: frozenset[str] = frozenset()) -> bytes:
    """JSON without white space and without the members that are `ignored`; their order stays. Other bodies as they are.

    Of two members with one name the last one counts, as it does for most parsers.
    """
    try:
        document = msgspec.json.decode(body)
        if ignored and isinstance(document, dict):
            document = {name: value for name, value in document.items() if name not in ignored}
        return msgspec.json.encode(document)
    except (*UNDECODABLE, OverflowError):
        return body
