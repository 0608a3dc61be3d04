"""The headers of a request -> what it wants of the response cache.

Source: https://docs.helicone.ai/features/advanced-usage/caching
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from schemas.cache import LIFETIME_S, MAX_BUCKET, CachePolicy
from schemas.errors import Rejected
from services.domain.exchange.headers import YES, Pair, SpellingCache
from services.domain.pricing.billable import path_generates

MAX_LIFETIME_S: Final = 365 * 86_400

_ENABLED: Final = "helicone-cache-enabled"
_SAVE: Final = "helicone-cache-save"
_READ: Final = "helicone-cache-read"
_COALESCE: Final = "helicone-cache-coalesce"
_BUCKET: Final = "helicone-cache-bucket-max-size"
_SEED: Final = "helicone-cache-seed"
_IGNORED: Final = "helicone-cache-ignore-keys"
_SWITCHES: Final = frozenset(name.encode() for name in (_ENABLED, _SAVE, _READ))

_MAX_AGE: Final = re.compile(r"(?<![\w-])(s-maxage|max-age)\s*=\s*\"?(\d{1,15})", re.IGNORECASE)
# Each of these begins something that is billed or read later: a second request begins it a second time.
_BEGINS: Final = re.compile(
    r"/(?:batches|containers|evals|fine_tuning|realtime|runs|sessions|threads|videos)(?:/|$)|:batch|:predictLongRunning"
)


class InvalidCacheHeader(Rejected):
    """A header of the cache has a value that means nothing."""

    code = "invalid_header"


_IS_SWITCH: Final = SpellingCache(lambda spelled: spelled.lower() in _SWITCHES)


def asks_for_cache(headers: Sequence[Pair]) -> bool:
    """Whether any of a request's `Helicone-*` headers may switch the cache on. Asked of every request."""
    for pair in headers:  # noqa: SIM110  # a generator would take several times as long
        if _IS_SWITCH[pair[0]]:
            return True
    return False


def cache_policy(helicone_headers: Sequence[Pair], forwarded: Sequence[Pair], *, omitted: bool) -> CachePolicy | None:
    """None where the cache is switched on by none of the headers. `omitted`: bodies of the request are kept nowhere.

    Raises: InvalidCacheHeader.
    """
    values = _values(helicone_headers)
    enabled, save, read = (_is_yes(values.get(name, "")) for name in (_ENABLED, _SAVE, _READ))
    if not (enabled or save or read):
        return None
    max_age_s = _max_age_s(_values(forwarded).get("cache-control", ""))
    reads, saves = enabled or read, (enabled or save) and not omitted and max_age_s != 0  # no time to live is an error
    return CachePolicy(
        reads=reads,
        saves=saves,
        coalesces=reads and saves and _is_yes(values.get(_COALESCE, "")),
        lifetime_s=LIFETIME_S if max_age_s is None else max_age_s,
        max_age_s=max_age_s,
        slots=_slots(values.get(_BUCKET, "")),
        seed=values.get(_SEED, ""),
        ignored_keys=_ignored_keys(values.get(_IGNORED, "")),
    )


def is_cacheable(method: str, provider: str, url: str) -> bool:
    """Whether a request only generates a response, so that the same one may be given again."""
    return path_generates(method, provider, url) and _BEGINS.search(url) is None


def _values(headers: Sequence[Pair]) -> Mapping[str, str]:
    """By name in lower case. What is sent twice is one list, as HTTP says."""
    values: dict[str, str] = {}
    for spelled, value in headers:
        name, text = spelled.lower().decode("latin-1"), value.decode("utf-8", "replace").strip()
        values[name] = f"{values[name]}, {text}" if name in values else text
    return values


def _is_yes(text: str) -> bool:
    return any(part.strip().lower() in YES for part in text.split(","))


def _max_age_s(cache_control: str) -> int | None:
    """`s-maxage` wins, as it is about shared caches; the rest of the header does not count."""
    ages = {name.lower(): int(number) for name, number in _MAX_AGE.findall(cache_control)}
    found = ages.get("s-maxage", ages.get("max-age"))
    return None if found is None else min(found, MAX_LIFETIME_S)


def _slots(text: str) -> int:
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_BUCKET):
        raise InvalidCacheHeader(f"Helicone-Cache-Bucket-Max-Size must be a whole number from 1 to {MAX_BUCKET}")
    return int(text)


def _ignored_keys(text: str) -> frozenset[str]:
    """Of `a,b`, of `"a","b"` and of `["a", "b"]`."""
    if '"' not in text:
        return frozenset(name for part in text.strip("[]").split(",") if (name := part.strip()))
    try:
        return frozenset(msgspec.json.decode(f"[{text.strip().removeprefix('[').removesuffix(']')}]", type=list[str]))
    except (msgspec.DecodeError, UnicodeError):
        raise InvalidCacheHeader('Helicone-Cache-Ignore-Keys must be names, as a,b or "a","b"') from None
