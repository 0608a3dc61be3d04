"""The Secrets port on the state database: what all processes of a deployment sign by, and nobody else knows."""

import secrets
from typing import Final

from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.exc import IntegrityError

from services.stores.state.database import Database

_BYTES: Final = 32

_SECRETS = Table(
    "deployment_secret",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)


class SqlSecrets:
    """Secrets in a table, drawn at random when they are first asked for."""

    def __init__(self, url: str) -> None:
        """Connects when first asked. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="secrets")

    async def migrate(self) -> None:
        """Makes the table where it is missing; safe to run twice and at once. Raises: StoreUnavailable."""
        await self._database.create(_SECRETS)

    async def secret(self, name: str) -> bytes:
        """256 bits, the same for every process of the deployment and after every restart. Raises: StoreUnavailable."""
        value = await self._value(name)
        if value is None:
            drawn = {"name": name, "value": secrets.token_hex(_BYTES)}
            try:
                await self._database.write(lambda connection: connection.execute(_SECRETS.insert().values(drawn)))
                value = drawn["value"]
            except IntegrityError:  # another process was faster, and its secret is the one
                value = await self._value(name) or ""
        return bytes.fromhex(value)

    async def close(self) -> None:
        await self._database.close()

    async def _value(self, name: str) -> str | None:
        kept = select(_SECRETS.c.value).where(_SECRETS.c.name == name)
        return await self._database.read(lambda connection: connection.execute(kept).scalar_one_or_none())
