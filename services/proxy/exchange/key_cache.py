"""Who sends a request: the rules of the Helicone-Auth header, over the cache of authentication results."""

import re
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from msgspec.structs import replace

from schemas.errors import ExpiredKey, FareboxError, Forbidden, Unauthenticated
from schemas.key import ApiKey, KeyOwner, Permission
from schemas.upstream import CredentialPolicy
from services.auth_cache import AuthCache, AuthCachePolicy
from services.hashing import KeyedHashes
from services.ports.clock import Clock
from services.ports.state import KeyStore, Upstreams

# Requests pass while the store is unavailable: a known key stays valid until it expires.
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
        self,
        store: KeyStore,
        policy: AuthCachePolicy = POLICY,
        *,
        clock: Clock,
        hashes: KeyedHashes | None = None,
        upstreams: Upstreams | None = None,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        """`hashes`, of the same database, are loaded before the first owner is known, who may need them.

        `upstreams` are looked up with each key, so they are cached and refreshed as keys are.
        """
        self._clock = clock
        self._upstreams = upstreams
        self._store = store
        self._hashes = hashes
        self._cache: AuthCache[KeyOwner] = AuthCache(self._look_up, policy, expired=self._expired, now_s=now_s)

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
        if self._hashes is not None:
            await self._hashes.load()
        try:
            result = _auth_result(await self._store.key_of(header.removeprefix(_SCHEME).decode("ascii")))
        except ExpiredKey as error:
            return error
        if self._upstreams is None or not isinstance(result, KeyOwner):
            return result
        upstreams = tuple(await self._upstreams.upstreams_of(result.organization_id))
        if all(one.credentials is not CredentialPolicy.STORED for one in upstreams):
            return replace(result, upstreams=upstreams)
        keys = await self._upstreams.provider_keys_of(result.organization_id)
        return replace(result, upstreams=upstreams, provider_keys=keys)

    def _expired(self, owner: KeyOwner) -> ExpiredKey | None:
        if owner.expires_at is None or owner.expires_at > self._clock.now():
            return None
        return ExpiredKey(f"this API key expired at {owner.expires_at:%Y-%m-%dT%H:%M:%SZ}")

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
    return KeyOwner(organization_id=key.organization_id, key_id=key.id, tags=key.tags, expires_at=key.expires_at)
