"""The KeyStore port on the state database."""

import hashlib
import secrets
import string
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, RowMapping, select

from schemas.key import ApiKey, Permission
from services.stores.state.database import Database
from services.stores.state.key_lookups import KeyLookups
from services.stores.state.tables import API_KEY

_SHOWN = [column for column in API_KEY.c if column.name != "secret_hash"]


class SqlKeyStore:
    """API keys in a table."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="keys")
        self._lookups = KeyLookups(partial(_in_force, self._database))

    async def organization_of(self, secret: str) -> tuple[str, Permission] | None:
        """Whose key `secret` is and its permission; None when unknown or revoked. Raises: StoreUnavailable."""
        key = await self.key_of(secret)
        return None if key is None else (key.organization_id, key.permission)

    async def key_of(self, secret: str) -> ApiKey | None:
        """The key that `secret` is; None when unknown or revoked. Raises: StoreUnavailable."""
        return await self._lookups.find(hash_of(secret))

    async def create_key(self, *, organization_id: str, name: str, permission: Permission) -> tuple[ApiKey, str]:
        """The new key and its secret, which cannot be shown again. Raises: StoreUnavailable."""
        secret = _new_secret()
        key = ApiKey(
            id=str(uuid.uuid4()),
            organization_id=organization_id,
            name=name,
            permission=permission,
            hint=secret[-4:],
            created_at=datetime.now(UTC),
        )
        values = {column.name: getattr(key, column.name) for column in _SHOWN}
        values |= {"permission": key.permission.value, "secret_hash": hash_of(secret)}
        await self._database.write(lambda connection: connection.execute(API_KEY.insert().values(values)))
        return key, secret

    async def list_keys(self, organization_id: str) -> Sequence[ApiKey]:
        """Its keys, revoked ones too, the oldest first. Raises: StoreUnavailable."""
        its_keys = select(*_SHOWN).where(API_KEY.c.organization_id == organization_id)

        def read(connection: Connection) -> list[ApiKey]:
            rows = connection.execute(its_keys.order_by(API_KEY.c.created_at, API_KEY.c.id)).mappings()
            return [_key(row) for row in rows]

        return await self._database.read(read)

    async def revoke_key(self, organization_id: str, key_id: str) -> bool:
        """False when there is no such key in force. Raises: StoreUnavailable."""
        its_key = (API_KEY.c.organization_id == organization_id) & (API_KEY.c.id == key_id)
        revoke = API_KEY.update().where(its_key & API_KEY.c.revoked_at.is_(None)).values(revoked_at=datetime.now(UTC))
        return await self._database.write(lambda connection: connection.execute(revoke).rowcount > 0)

    async def close(self) -> None:
        await self._database.close()


async def _in_force(database: Database, hashes: Sequence[str]) -> Mapping[str, ApiKey]:
    in_force = API_KEY.c.secret_hash.in_(hashes) & API_KEY.c.revoked_at.is_(None)
    their_rows = select(API_KEY.c.secret_hash, *_SHOWN).where(in_force)
    rows = await database.read(lambda connection: connection.execute(their_rows).mappings().all())
    return {row["secret_hash"]: _key(row) for row in rows}


def _key(row: RowMapping) -> ApiKey:
    shown = {column.name: row[column.name] for column in _SHOWN}
    return ApiKey(**{**shown, "permission": Permission(row["permission"])})


def hash_of(secret: str) -> str:
    """What is stored of a key: SHA-256 of the header that carries it, as hex. Helicone's stored keys have this form."""
    return hashlib.sha256(f"Bearer {secret}".encode(errors="surrogatepass")).hexdigest()


def _new_secret() -> str:
    """145 random bits in the shape that Helicone's clients check for."""
    alphabet = string.ascii_lowercase + string.digits
    groups = ("".join(secrets.choice(alphabet) for _ in range(7)) for _ in range(4))
    return f"sk-helicone-{'-'.join(groups)}"
