"""The ManagedKeys port on the state database: keys in one table, the hashes of their secrets in another."""

import asyncio
import contextlib
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Insert, RowMapping, select
from sqlalchemy.exc import IntegrityError

from schemas.errors import Conflict, ExpiredKey, StoreUnavailable
from schemas.key import CLI, ApiKey, KeyTags, Permission
from services.key_secrets import hash_of, new_secret
from services.stores.state.database import Database
from services.stores.state.key_lookups import KeyLookups
from services.stores.state.tables import API_KEY, API_KEY_SECRET

# A use is written down when the one before is so long ago: beside a lookup, and no request waits for it.
USE_EVERY: Final = timedelta(minutes=5)

_KEY = [column for column in API_KEY.c if column.name != "tags"]
_SECRET = API_KEY_SECRET.c

_tags = msgspec.json.Decoder(KeyTags)


class _Found(msgspec.Struct, frozen=True):
    """A key by one of its secrets: who made that, when, and until when it is valid."""

    key: ApiKey
    made_at: datetime
    made_by: str
    valid_until: datetime | None


class SqlKeyStore:
    """API keys in two tables."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="keys")
        self._lookups = KeyLookups(partial(_found, self._database))
        self._uses: set[asyncio.Task[None]] = set()

    async def organization_of(self, secret: str) -> tuple[str, Permission] | None:
        """Whose key `secret` is and what it may do; None when it is none in force. It counts as no use of the key.

        Raises: StoreUnavailable.
        """
        try:
            key = _in_force(await self._lookups.find(hash_of(secret)))
        except ExpiredKey:
            return None
        return None if key is None else (key.organization_id, key.permission)

    async def key_of(self, secret: str) -> ApiKey | None:
        """The key that `secret` is; None when unknown or revoked. Raises: ExpiredKey, StoreUnavailable."""
        return self._used(_in_force(await self._lookups.find(hash_of(secret))))

    async def key_by_secret_id(self, secret_id: str) -> ApiKey | None:
        """As `key_of`, for those who were shown the secret before. Raises: ExpiredKey, StoreUnavailable."""
        found = await self._database.read(partial(_read_found, which=_SECRET.id == secret_id))
        return self._used(_in_force(next(iter(found.values()), None)))

    async def create_key(
        self,
        *,
        organization_id: str,
        name: str,
        permission: Permission,
        tags: KeyTags | None = None,
        expires_at: datetime | None = None,
        secret: str = "",
        created_by: str = CLI,
    ) -> tuple[ApiKey, str]:
        """The new key and its secret, which cannot be shown again. `secret` is one that exists; '' draws one.

        Raises: Conflict when it is that of a key, StoreUnavailable.
        """
        secret = secret or new_secret()
        key = ApiKey(
            id=str(uuid.uuid4()),
            organization_id=organization_id,
            name=name,
            permission=permission,
            secret_id=str(uuid.uuid4()),
            hint=secret[-4:],
            created_at=datetime.now(UTC),
            created_by=created_by,
            expires_at=expires_at,
            tags=tags,
        )
        values = {column.name: getattr(key, column.name) for column in _KEY}
        values |= {"permission": key.permission.value, "tags": _stored(key.tags)}

        def insert(connection: Connection) -> None:
            connection.execute(API_KEY.insert().values(values))
            connection.execute(_insert_secret(key, secret, key.created_at, created_by))

        try:
            await self._database.write(insert)
        except IntegrityError:
            raise Conflict("this secret is that of a key already") from None
        return key, secret

    async def list_keys(self, organization_id: str) -> Sequence[ApiKey]:
        """Its keys, revoked ones too, the oldest first. Raises: StoreUnavailable."""
        its_own = API_KEY.c.organization_id == organization_id
        found = await self._database.read(partial(_read_found, which=its_own))
        by_key: dict[str, list[_Found]] = defaultdict(list)
        for one in found.values():
            by_key[one.key.id].append(one)
        return sorted(map(_newest, by_key.values()), key=lambda key: (key.created_at, key.id))

    async def rename_key(self, organization_id: str, key_id: str, name: str) -> bool:
        """False when there is no such key in force. Raises: StoreUnavailable."""
        return await self._update(organization_id, key_id, name=name)

    async def rotate_key(
        self, organization_id: str, key_id: str, *, overlap: timedelta, rotated_by: str
    ) -> tuple[ApiKey, str] | None:
        """The key with a new secret, and that one; older ones end after `overlap`.

        None when there is no such key in force. Raises: StoreUnavailable.
        """
        secret, now = new_secret(), datetime.now(UTC)
        until = now + overlap
        outlives = _SECRET.valid_until.is_(None) | (_SECRET.valid_until > until)
        shorten = API_KEY_SECRET.update().where((_SECRET.key_id == key_id) & outlives).values(valid_until=until)
        its_key = (API_KEY.c.organization_id == organization_id) & (API_KEY.c.id == key_id)
        is_in_force = API_KEY.c.revoked_at.is_(None) & (API_KEY.c.expires_at.is_(None) | (API_KEY.c.expires_at > now))
        # An update that changes nothing locks the row: of two rotations at once one comes after the other.
        lock = API_KEY.update().where(its_key & is_in_force).values(revoked_by=API_KEY.c.revoked_by)

        def rotate(connection: Connection) -> ApiKey | None:
            if not connection.execute(lock).rowcount:
                return None
            connection.execute(shorten)
            before = _newest(list(_read_found(connection, which=its_key).values()))
            key = msgspec.structs.replace(before, secret_id=str(uuid.uuid4()))
            connection.execute(_insert_secret(key, secret, now, rotated_by))
            return _newest(list(_read_found(connection, which=its_key).values()))

        key = await self._database.write(rotate)
        return None if key is None else (key, secret)

    async def revoke_key(self, organization_id: str, key_id: str, *, revoked_by: str = CLI) -> bool:
        """False when there is no such key in force. Raises: StoreUnavailable."""
        return await self._update(organization_id, key_id, revoked_at=datetime.now(UTC), revoked_by=revoked_by)

    async def close(self) -> None:
        await asyncio.gather(*self._uses, return_exceptions=True)
        await self._database.close()

    async def _update(self, organization_id: str, key_id: str, **values: object) -> bool:
        its_key = (API_KEY.c.organization_id == organization_id) & (API_KEY.c.id == key_id)
        update = API_KEY.update().where(its_key & API_KEY.c.revoked_at.is_(None)).values(**values)
        return await self._database.write(lambda connection: connection.execute(update).rowcount > 0)

    def _used(self, key: ApiKey | None) -> ApiKey | None:
        """`key`, whose use is written down now and then, while others go on."""
        now = datetime.now(UTC)
        if key is not None and (key.last_used_at is None or key.last_used_at < now - USE_EVERY):
            task = asyncio.get_running_loop().create_task(self._write_use(key.id, now))
            self._uses.add(task)
            task.add_done_callback(self._uses.discard)
        return key

    async def _write_use(self, key_id: str, now: datetime) -> None:
        last = API_KEY.c.last_used_at
        is_due = last.is_(None) | (last < now - USE_EVERY)  # other processes write it too
        use = API_KEY.update().where((API_KEY.c.id == key_id) & is_due).values(last_used_at=now)
        with contextlib.suppress(StoreUnavailable):  # the next lookup tries again
            await self._database.write(lambda connection: connection.execute(use))


async def _found(database: Database, hashes: Sequence[str]) -> Mapping[str, _Found]:
    in_force = _SECRET.secret_hash.in_(hashes) & API_KEY.c.revoked_at.is_(None)
    return await database.read(partial(_read_found, which=in_force))


def _read_found(connection: Connection, which: ColumnElement[bool]) -> dict[str, _Found]:
    """By the hash of the secret; the secrets of a key in the order in which it had them."""
    of_secret = (_SECRET.id.label("secret_id"), _SECRET.hint, _SECRET.secret_hash, _SECRET.valid_until)
    made = (_SECRET.created_at.label("made_at"), _SECRET.created_by.label("made_by"))
    both = select(*_KEY, API_KEY.c.tags, *of_secret, *made).join_from(
        API_KEY, API_KEY_SECRET, _SECRET.key_id == API_KEY.c.id
    )
    # What has no end is the newest: two of them may have been made within the clock's step.
    in_order = both.where(which).order_by(_SECRET.valid_until.is_(None), _SECRET.created_at, _SECRET.id)
    return {
        row["secret_hash"]: _Found(_key(row), row["made_at"], row["made_by"], row["valid_until"])
        for row in connection.execute(in_order).mappings()
    }


def _key(row: RowMapping) -> ApiKey:
    shown = {name: row[name] for name in (*(column.name for column in _KEY), "secret_id", "hint")}
    tags = None if row["tags"] is None else _tags.decode(row["tags"])
    return ApiKey(**{**shown, "permission": Permission(row["permission"]), "tags": tags})


def _newest(found: Sequence[_Found]) -> ApiKey:
    """The key by its newest secret, with what is known of the one before. `found` are all its secrets in order."""
    newest = found[-1]
    if len(found) == 1:
        return newest.key
    return msgspec.structs.replace(
        newest.key, rotated_at=newest.made_at, rotated_by=newest.made_by, old_secret_until=found[-2].valid_until
    )


def _in_force(found: _Found | None) -> ApiKey | None:
    """It expires when the secret by which it was found does. Raises: ExpiredKey."""
    if found is None or found.key.revoked_at is not None:
        return None
    now, key = datetime.now(UTC), found.key
    if key.expires_at is not None and key.expires_at <= now:
        raise ExpiredKey(f"this API key expired at {key.expires_at:%Y-%m-%dT%H:%M:%SZ}")
    if found.valid_until is not None and found.valid_until <= now:
        raise ExpiredKey(
            f"this API key has a new secret; the old one was valid until {found.valid_until:%Y-%m-%dT%H:%M:%SZ}"
        )
    until = min((each for each in (key.expires_at, found.valid_until) if each is not None), default=None)
    return msgspec.structs.replace(key, expires_at=until)


def _insert_secret(key: ApiKey, secret: str, created_at: datetime, created_by: str) -> Insert:
    return API_KEY_SECRET.insert().values(
        id=key.secret_id,
        key_id=key.id,
        hint=secret[-4:],
        secret_hash=hash_of(secret),
        created_at=created_at,
        created_by=created_by,
    )


def _stored(tags: KeyTags | None) -> str | None:
    return None if tags is None else msgspec.json.encode(tags).decode()
