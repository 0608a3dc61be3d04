"""What is cached between queries: API keys and property names for seconds, and the deployment's secrets for good."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from cachetools import LRUCache, TTLCache

from schemas.errors import ExpiredKey, FareboxError, Unauthenticated
from schemas.key import ApiKey
from services.auth_cache import AuthCache, AuthCachePolicy
from services.ports.clock import Clock
from services.ports.state import KeyStore, Secrets
from services.ports.warehouse import Warehouse
from services.sql.compile import compile_spellings
from services.sql.values import MAX_VALUE

# A revoked key is let in for so long at most. A wrong key is not cached, and few are looked up at once.
_POLICY: Final = AuthCachePolicy(fresh_s=5.0, stale_s=5.0, rejected_s=0.0, outage_retry_s=None, max_unknown_lookups=64)
_MAX_SECRET: Final = 256  # characters; no key is longer
_PROPERTY_NAMES_TTL_S: Final = 60.0
_MAX_CACHED_CHARACTERS: Final = 16 * 2**20  # of the names of all organizations
_ENTRY_CHARACTERS: Final = 200  # what an entry takes beside them, about
_MAX_CHARACTERS: Final = 16_000  # of names in one parameter: a server takes 128 KiB of them, escaped and in UTF-8
_QUOTES_CHARACTERS: Final = 3  # around each of them, with a comma
_MAX_SECRETS: Final = 16


class QueryKeyCache:
    """The key store, queried once per key and few seconds.

    Wrong keys may be a flood: few of them are looked up at once, and a valid key neither waits for them nor is it
    forgotten for one of them.
    """

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._cache: AuthCache[ApiKey] = AuthCache(self._look_up, _POLICY, now_s=lambda: clock.now().timestamp())

    async def key_of(self, secret: str) -> ApiKey | None:
        """The key that `secret` is; None when unknown or revoked. Raises: ExpiredKey, StoreUnavailable, Busy."""
        if len(secret) > _MAX_SECRET:
            return None
        result = await self._cache.result_of(secret.encode(errors="surrogatepass"))
        if isinstance(result, Unauthenticated) and not isinstance(result, ExpiredKey):
            return None
        if isinstance(result, FareboxError):
            raise result
        return result

    async def _look_up(self, secret: bytes) -> ApiKey | FareboxError:
        try:
            key = await self._keys.key_of(secret.decode(errors="surrogatepass"))
        except ExpiredKey as error:
            return error
        return key or Unauthenticated("unknown or revoked")

    async def close(self) -> None:
        await self._cache.close()


class PropertyNameCache:
    """How each organization spells its properties, by organization and lower-case name."""

    def __init__(self, warehouse: Warehouse, clock: Clock) -> None:
        self._warehouse = warehouse
        self._spellings: TTLCache[tuple[str, str], str] = TTLCache(
            _MAX_CACHED_CHARACTERS, _PROPERTY_NAMES_TTL_S, timer=lambda: clock.now().timestamp(), getsizeof=_size_of
        )

    async def spellings_of(self, organization_id: str, keys: Collection[str]) -> Mapping[str, str]:
        """The spelling to show of each of `keys` that has one, very long ones left out. Raises: StoreUnavailable."""
        found = {key: self._spellings.get((organization_id, key)) for key in keys if len(key) <= MAX_VALUE}
        for batch in _batches(sorted(key for key, spelling in found.items() if spelling is None)):
            for row in await self._warehouse.query(compile_spellings(organization_id, batch)):
                found[row["property_key"]] = self._spellings[organization_id, row["property_key"]] = row["spelling"]
        return {key: spelling for key, spelling in found.items() if spelling is not None}


def _size_of(spelling: str) -> int:
    return len(spelling) + _ENTRY_CHARACTERS


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """`keys` in as many lists as it takes for each to fit into one parameter of a statement."""
    batch: list[str] = []
    characters = 0
    for key in keys:
        if batch and characters + len(key) > _MAX_CHARACTERS:
            yield batch
            batch, characters = [], 0
        batch.append(key)
        characters += len(key) + _QUOTES_CHARACTERS
    if batch:
        yield batch


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
