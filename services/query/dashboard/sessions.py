"""Sessions of the dashboard: a signed cookie that names a key's secret, and ends with it.

The cookie holds no secret of the key, and nothing is stored: every replica can check it.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from fastapi import Request

from schemas.errors import ExpiredKey, FareboxError, Unauthenticated
from schemas.key import ApiKey
from services.auth_cache import AuthCache, AuthCachePolicy
from services.ports.clock import Clock
from services.ports.state import ManagedKeys
from services.query.caches import QueryKeyCache, SecretCache

COOKIE: Final = "farebox_session"
PAGE_HEADER: Final = "farebox-dashboard"  # no form and no page elsewhere can send it
SESSION_S: Final = 7 * 24 * 3600

# As for keys: a revoked one is let in for so long at most.
_POLICY: Final = AuthCachePolicy(fresh_s=5.0, stale_s=5.0, rejected_s=5.0, outage_retry_s=None, max_unknown_lookups=64)
_SECRET: Final = "dashboard-sessions"  # noqa: S105 - the name of it
_MAX_TOKEN: Final = 1024  # characters
_READS: Final = ("GET", "HEAD")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What the cookie says."""

    secret_id: str  # of the key's secret that was shown: when that ends, by rotation too, so does the session
    expires_at_s: int  # Unix time


class Sessions:
    """Signs them and checks them. Belongs to one event loop."""

    def __init__(self, keys: ManagedKeys, checked_keys: QueryKeyCache, secrets: SecretCache, clock: Clock) -> None:
        """`checked_keys` bounds how many wrong keys are looked up at once, as for the API."""
        self._keys = keys
        self._checked_keys = checked_keys
        self._secrets = secrets
        self._clock = clock
        self._cache: AuthCache[ApiKey] = AuthCache(self._look_up, _POLICY, now_s=lambda: clock.now().timestamp())

    async def sign_in(self, secret: str) -> tuple[str, ApiKey] | None:
        """A cookie's value, and the key that `secret` is; None when it is unknown or revoked.

        Raises: ExpiredKey, Busy, StoreUnavailable.
        """
        key = await self._checked_keys.key_of(secret)
        if key is None:
            return None
        session = Session(secret_id=key.secret_id, expires_at_s=self._now_s() + SESSION_S)
        payload = urlsafe_b64encode(msgspec.json.encode(session))
        return f"{payload.decode()}.{await self._signature(payload)}", key

    async def key_of(self, request: Request) -> ApiKey | None:
        """The key that `request`'s cookie stands for; None without a valid one. Raises: Busy, StoreUnavailable.

        Changes count only with a header that other sites cannot send: a cookie alone proves no intent.
        """
        if request.method not in _READS and PAGE_HEADER not in request.headers:
            return None
        session = await self._session_of(request.cookies.get(COOKIE, ""))
        if session is None or session.expires_at_s <= self._now_s():
            return None
        found = await self._cache.result_of(session.secret_id.encode())
        if isinstance(found, Unauthenticated):
            return None
        if isinstance(found, FareboxError):
            raise found
        return found

    async def _session_of(self, token: str) -> Session | None:
        payload, _, signature = token.partition(".")
        if not signature or len(token) > _MAX_TOKEN or not token.isascii():
            return None
        if not hmac.compare_digest(signature, await self._signature(payload.encode())):
            return None
        return msgspec.json.decode(urlsafe_b64decode(payload), type=Session)

    async def _signature(self, payload: bytes) -> str:
        return hmac.new(await self._secrets.of(_SECRET), payload, hashlib.sha256).hexdigest()

    async def _look_up(self, secret_id: bytes) -> ApiKey | FareboxError:
        try:
            key = await self._keys.key_by_secret_id(secret_id.decode())
        except ExpiredKey as error:
            return error
        return key or Unauthenticated("the session's key is revoked")

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())

    async def close(self) -> None:
        await self._cache.close()
