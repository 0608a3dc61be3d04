"""Who sends a request: the rules of the Helicone-Auth header, over the cache of authentication results."""

import re
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from schemas.errors import FareboxError, Forbidden, Unauthenticated
from schemas.key import ApiKey, KeyOwner, Permission
from services.auth_cache import AuthCache, AuthCachePolicy
from services.ports import KeyStore

# Requests pass while the store is unavailable: a known key stays valid, whatever happens to the store.
POLICY: Final = AuthCachePolicy(
    fresh_s=60.0, stale_s=120.0, rejected_s=5.0, outage_retry_s=5.0, max_unknown_lookups=5_000
)

AuthResult = KeyOwner | FareboxError  # whose key it is, or why not
AuthCallback = Callable[[AuthResult], None]

_SCHEME: Final = b"Bearer "
_BEARER: Final = re.compile(rb"[Bb]earer +([!-~]{8,256})")
_ONE_WORD: Final = re.compile(rb"[Bb]earer +[^ \t]+")


class KeyCheck(Protocol):
    def check(self, auth_header: bytes | None, callback: AuthCallback) -> None:
        """Calls `callback` once, now or later. `auth_header` is None where no header holds a key."""
        ...


class ApiKeyCache:
    """Authentication results by the value of the header. They live in this process's memory only."""

    def __init__(
        self, store: KeyStore, policy: AuthCachePolicy = POLICY, *, now_s: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._cache: AuthCache[KeyOwner] = AuthCache(self._look_up, policy, now_s=now_s)

    def check(self, auth_header: bytes | None, callback: AuthCallback) -> None:
        """Calls `callback` with the owner, or with Unauthenticated, Forbidden, StoreUnavailable or Busy.

        At once when the key was seen lately; otherwise after a lookup in the store.
        """
        if auth_header is None:
            callback(Unauthenticated("Helicone-Auth is missing: send 'Helicone-Auth: Bearer <key>'"))
            return
        result = self._cache.cached(auth_header)
        if result is not None:
            callback(result)
        elif found := _BEARER.fullmatch(auth_header):
            self._cache.check(_SCHEME + found[1], callback)  # a key has one place, however its header is spelled
        else:
            callback(_invalid(auth_header))

    async def _look_up(self, header: bytes) -> AuthResult:
        return _auth_result(await self._store.key_of(header.removeprefix(_SCHEME).decode("ascii")))

    async def close(self) -> None:
        await self._cache.close()


def _invalid(auth_header: bytes) -> Unauthenticated:
    """For what cannot be a key that was ever made. In the right form it is wrong, not malformed."""
    if _ONE_WORD.fullmatch(auth_header):
        return _unknown_key()
    return Unauthenticated("Helicone-Auth is malformed: it must be 'Bearer <key>'")


def _unknown_key() -> Unauthenticated:
    return Unauthenticated("Helicone-Auth holds a key that is unknown or revoked")


def _auth_result(key: ApiKey | None) -> AuthResult:
    if key is None:
        return _unknown_key()
    if key.permission is Permission.READ:
        return Forbidden("this key is read-only; requests need a key with write permission")
    return KeyOwner(organization_id=key.organization_id, key_id=key.id)
