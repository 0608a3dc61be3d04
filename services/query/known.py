"""What is remembered between questions: for seconds whose a key is and how properties are spelled; for good secrets."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from schemas.key import Permission
from services.ports import Clock, KeyStore, Secrets, Warehouse
from services.sql.printer import print_spellings

_KEYS_FOR = timedelta(seconds=5)  # so long may a revoked key still be let in
_KEYS = 10_000
_SPELLINGS_FOR = timedelta(seconds=60)
_SPELLINGS_OF = 1000


class KnownKeys:
    """The key store, asked once per key and few seconds. Keys are remembered by their hash."""

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._known: dict[bytes, tuple[datetime, tuple[str, Permission]]] = {}

    async def organization_of(self, secret: str) -> tuple[str, Permission] | None:
        """Whose key `secret` is and what it may do; None when unknown or revoked. Raises: StoreUnavailable."""
        digest = hashlib.sha256(secret.encode()).digest()
        now = self._clock.now()
        until, owner = self._known.get(digest, (now, None))
        if owner and until > now:
            return owner
        owner = await self._keys.organization_of(secret)
        if owner:
            if len(self._known) >= _KEYS:
                self._known.clear()
            self._known[digest] = (now + _KEYS_FOR, owner)
        return owner


class Spellings:
    """How each organization spells its properties; asked again after a while, or for a name not seen yet."""

    def __init__(self, warehouse: Warehouse, clock: Clock) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._known: dict[str, tuple[datetime, Mapping[str, str]]] = {}

    async def of(self, organization_id: str, keys: Iterable[str]) -> Mapping[str, str]:
        """Spellings by lower case name; of all of `keys` that the warehouse knows. Raises: StoreUnavailable."""
        now = self._clock.now()
        until, spellings = self._known.get(organization_id, (now, {}))
        if until > now and all(key in spellings for key in keys):
            return spellings
        rows = await self._warehouse.query(print_spellings(organization_id))
        spellings = {row["property_key"]: row["spelling"] for row in rows}
        if len(self._known) >= _SPELLINGS_OF:
            self._known.clear()
        self._known[organization_id] = (now + _SPELLINGS_FOR, spellings)
        return spellings


class KnownSecrets:
    """The deployment's secrets, which never change."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._known: dict[str, bytes] = {}

    async def of(self, name: str) -> bytes:
        """Raises: StoreUnavailable."""
        if name not in self._known:
            self._known[name] = await self._secrets.secret(name)
        return self._known[name]
