"""The Upstreams port on the state database: servers that an operator added by name."""

import logging
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, select
from sqlalchemy.exc import IntegrityError

from schemas.errors import Conflict, InvalidSetting
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.stores.state.database import Database
from services.stores.state.secret_box import SecretBox
from services.stores.state.tables import NAMED_UPSTREAM, PROVIDER_KEY

_SHOWN = [column for column in NAMED_UPSTREAM.c if column.name != "organization_id"]

logger = logging.getLogger(__name__)
_key_ids = msgspec.json.Decoder(tuple[str, ...])


class SqlUpstreams:
    """Named upstreams in a table, and their providers' keys, encrypted, in another one."""

    def __init__(self, url: str, *, encryption_key: str = "") -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="upstreams")
        self._box = SecretBox(url, encryption_key=encryption_key)

    async def upstreams_of(self, organization_id: str) -> Sequence[NamedUpstream]:
        """Its rows, by name. Raises: StoreUnavailable."""
        its_rows = select(*_SHOWN).where(NAMED_UPSTREAM.c.organization_id == organization_id)

        def read(connection: Connection) -> list[NamedUpstream]:
            return [_upstream(row) for row in connection.execute(its_rows.order_by(NAMED_UPSTREAM.c.name)).mappings()]

        return await self._database.read(read)

    async def provider_keys_of(self, organization_id: str) -> Mapping[str, str]:
        """Raises: StoreUnavailable."""
        its_rows = select(PROVIDER_KEY.c.upstream, PROVIDER_KEY.c.secret).where(
            PROVIDER_KEY.c.organization_id == organization_id
        )
        rows = await self._database.read(lambda connection: connection.execute(its_rows).all())
        found = {}
        for name, secret in rows:
            try:
                found[name] = (await self._box.decrypt(secret, _context(organization_id, name))).decode()
            except InvalidSetting as error:
                logger.error(  # noqa: TRY400  # no trace: it is about a setting
                    "a provider key cannot be decrypted", extra={"upstream": name, "reason": str(error)}
                )
        return found

    async def add_upstream(self, organization_id: str, upstream: NamedUpstream, *, provider_key: str = "") -> None:
        """Raises: Conflict where it has one of this name, StoreUnavailable."""
        values = msgspec.structs.asdict(upstream) | {
            "organization_id": organization_id,
            "credentials": upstream.credentials.value,
            "key_ids": msgspec.json.encode(upstream.key_ids).decode(),
        }
        secret = await self._encrypted(organization_id, upstream.name, provider_key) if provider_key else ""

        def add(connection: Connection) -> None:
            connection.execute(NAMED_UPSTREAM.insert().values(values))
            if secret:
                key = {"organization_id": organization_id, "upstream": upstream.name, "secret": secret}
                connection.execute(PROVIDER_KEY.insert().values(key))

        try:
            await self._database.write(add)
        except IntegrityError:
            raise Conflict(f"there is an upstream with the name {upstream.name!r}: remove it first") from None

    async def replace_provider_key(self, organization_id: str, name: str, provider_key: str) -> bool:
        """Raises: StoreUnavailable."""
        secret = await self._encrypted(organization_id, name, provider_key)
        update = PROVIDER_KEY.update().where(_is_key(organization_id, name)).values(secret=secret)
        return await self._database.write(lambda connection: connection.execute(update).rowcount > 0)

    async def remove_upstream(self, organization_id: str, name: str) -> bool:
        """False when there is none of this name. Raises: StoreUnavailable."""
        is_it = (NAMED_UPSTREAM.c.organization_id == organization_id) & (NAMED_UPSTREAM.c.name == name)

        def remove(connection: Connection) -> bool:
            connection.execute(PROVIDER_KEY.delete().where(_is_key(organization_id, name)))
            return connection.execute(NAMED_UPSTREAM.delete().where(is_it)).rowcount > 0

        return await self._database.write(remove)

    async def _encrypted(self, organization_id: str, name: str, provider_key: str) -> str:
        return await self._box.encrypt(provider_key.encode(), _context(organization_id, name))

    async def close(self) -> None:
        await self._database.close()
        await self._box.close()


def _context(organization_id: str, name: str) -> str:
    """What a key is bound to, so that nobody who may change rows moves it to a server of theirs unnoticed."""
    return f"{organization_id}/{name}"


def _is_key(organization_id: str, name: str) -> ColumnElement[bool]:
    return (PROVIDER_KEY.c.organization_id == organization_id) & (PROVIDER_KEY.c.upstream == name)


def _upstream(row: RowMapping) -> NamedUpstream:
    known = {"credentials": CredentialPolicy(row["credentials"]), "key_ids": _key_ids.decode(row["key_ids"])}
    return NamedUpstream(**{**{column.name: row[column.name] for column in _SHOWN}, **known})
