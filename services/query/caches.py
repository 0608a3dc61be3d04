"""What is cached between queries: API keys and property names for seconds, and the deployment's secrets for good."""

from collections.abc import Iterable, Mapping
from typing import Final

from cachetools import LRUCache, TTLCache

from schemas.errors import FareboxError, Unauthenticated
from schemas.key import Permission
from services.auth_cache import AuthCache, AuthCachePolicy
from services.ports import Clock, KeyStore, Secrets, Warehouse
from services.sql.compile import compile_spellings

# A revoked key is let in for so long at most. A wrong key is not cached, and the store is asked about few at once.
_POLICY: Final = AuthCachePolicy(fresh_s=5.0, stale_s=5.0, rejected_s=0.0, outage_retry_s=None, max_unknown_lookups=64)
_MAX_SECRET: Final = 256  # characters; no key is longer
_PROPERTY_NAMES_FOR_S: Final = 60.0
_MAX_ORGANIZATIONS: Final = 1000
_MAX_SECRETS: Final = 16

Owner = tuple[str, Permission]


class QueryKeyCache:
    """The key store, asked once per key and few seconds.

    Wrong keys may be a flood: few of them are looked up at once, and a valid key neither waits for them nor is it
    forgotten for one of them.
    """

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._cache: AuthCache[Owner] = AuthCache(self._look_up, _POLICY, now_s=lambda: clock.now().timestamp())

    async def organization_of(self, secret: str) -> Owner | None:
        """Whose key `secret` is, and its permission; None when unknown or revoked. Raises: StoreUnavailable, Busy."""
        if len(secret) > _MAX_SECRET:
            return None
        result = await self._cache.result_of(secret.encode(errors="surrogatepass"))
        if isinstance(result, Unauthenticated):
            return None
        if isinstance(result, FareboxError):
            raise result
        return result

    async def _look_up(self, secret: bytes) -> Owner | FareboxError:
        owner = await self._keys.organization_of(secret.decode(errors="surrogatepass"))
        return owner or Unauthenticated("unknown or revoked")

    async def close(self) -> None:
        await self._cache.close()


class PropertyNameCache:
    """How each organization spells its properties; queried again after a while, or for a name not seen yet."""

    def __init__(self, warehouse: Warehouse, clock: Clock) -> None:
        self._warehouse = warehouse
        self._known: TTLCache[str, Mapping[str, str]] = TTLCache(
            _MAX_ORGANIZATIONS, _PROPERTY_NAMES_FOR_S, timer=lambda: clock.now().timestamp()
        )

    async def of(self, organization_id: str, keys: Iterable[str]) -> Mapping[str, str]:
        """Spellings by lower case name, of all of `keys` that the warehouse knows. Raises: StoreUnavailable."""
        spellings = self._known.get(organization_id)
        if spellings is None or not all(key in spellings for key in keys):
            rows = await self._warehouse.query(compile_spellings(organization_id))
            spellings = {row["property_key"]: row["spelling"] for row in rows}
            self._known[organization_id] = spellings
        return spellings


class SecretCache:
    """The deployment's secrets, which never change."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._known: LRUCache[str, bytes] = LRUCache(_MAX_SECRETS)

    async def of(self, name: str) -> bytes:
        """Raises: StoreUnavailable."""
        secret = self._known.get(name)
        if secret is None:
            secret = self._known[name] = await self._secrets.secret(name)
        return secret
