"""What is remembered between questions: for seconds whose a key is and how properties are spelled; for good secrets."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from schemas.errors import Busy
from schemas.key import Permission
from services.ports import Clock, KeyStore, Secrets, Warehouse
from services.sql.compile import compile_spellings

_KEYS_FOR = timedelta(seconds=5)  # so long may a revoked key still be let in
_KEYS = 10_000
_MAX_SECRET = 256  # characters; no key is longer
_UNKNOWN_AT_ONCE = 2  # of the four connections of the key store
_UNKNOWN_WAITING = 64
_SPELLINGS_FOR = timedelta(seconds=60)
_SPELLINGS_OF = 1000

Owner = tuple[str, Permission]


class QueryKeyCache:
    """The key store, asked once per key and few seconds. Keys are remembered by their hash.

    Keys that nobody has seen yet may be a flood: few of them are looked up at once, and a known key never waits for
    them, nor is it forgotten for one that is wrong.
    """

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[datetime, Owner]] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[Owner | None]] = {}
        self._unknown = 0  # lookups of keys that are not known, those that wait included
        self._unknown_turn = asyncio.Semaphore(_UNKNOWN_AT_ONCE)

    async def organization_of(self, secret: str) -> Owner | None:
        """Whose key `secret` is and what it may do; None when unknown or revoked. Raises: StoreUnavailable, Busy."""
        if len(secret) > _MAX_SECRET:
            return None
        digest = hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
        until, owner = self._known.get(digest, (None, None))
        if until is not None and until > self._clock.now():
            return owner
        lookup = self._lookups.get(digest)
        if lookup is None:
            look_up = self._look_up_unknown if owner is None else self._look_up
            self._lookups[digest] = lookup = asyncio.create_task(look_up(digest, secret))
            lookup.add_done_callback(lambda _: self._lookups.pop(digest))
        return await asyncio.shield(lookup)

    async def _look_up_unknown(self, digest: bytes, secret: str) -> Owner | None:
        if self._unknown >= _UNKNOWN_WAITING:
            raise Busy("too many unknown API keys are being looked up; try again")
        self._unknown += 1
        try:
            async with self._unknown_turn:
                return await self._look_up(digest, secret)
        finally:
            self._unknown -= 1

    async def _look_up(self, digest: bytes, secret: str) -> Owner | None:
        asked_at = self._clock.now()
        owner = await self._keys.organization_of(secret)
        self._known.pop(digest, None)
        if owner is not None:
            while len(self._known) >= _KEYS:
                self._known.popitem(last=False)
            self._known[digest] = (asked_at + _KEYS_FOR, owner)
        return owner


class PropertyNameCache:
    """How each organization spells its properties; asked again after a while, or for a name not seen yet."""

    def __init__(self, warehouse: Warehouse, clock: Clock) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._known: dict[str, tuple[datetime, Mapping[str, str]]] = {}

    async def of(self, organization_id: str, keys: Iterable[str]) -> Mapping[str, str]:
        """PropertyNameCache by lower case name; of all of `keys` that the warehouse knows. Raises: StoreUnavailable."""
        now = self._clock.now()
        until, spellings = self._known.get(organization_id, (now, {}))
        if until > now and all(key in spellings for key in keys):
            return spellings
        rows = await self._warehouse.query(compile_spellings(organization_id))
        spellings = {row["property_key"]: row["spelling"] for row in rows}
        if len(self._known) >= _SPELLINGS_OF:
            self._known.clear()
        self._known[organization_id] = (now + _SPELLINGS_FOR, spellings)
        return spellings


class SecretCache:
    """The deployment's secrets, which never change."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._known: dict[str, bytes] = {}

    async def of(self, name: str) -> bytes:
        """Raises: StoreUnavailable."""
        if name not in self._known:
            self._known[name] = await self._secrets.secret(name)
        return self._known[name]
