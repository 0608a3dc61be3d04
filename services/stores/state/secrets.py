"""The Secrets port on the state database: the keys that all processes of a deployment sign with."""

import secrets
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.stores.state.database import Database
from services.stores.state.tables import DEPLOYMENT_SECRET

_BYTES: Final = 32


class SqlSecrets:
    """Secrets in a table, drawn at random when they are first needed."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="secrets")

    async def secret(self, name: str) -> bytes:
        """256 bits, the same for every process of the deployment and after every restart. Raises: StoreUnavailable."""
        value = await self._value(name)
        if value is None:
            drawn = secrets.token_hex(_BYTES)
            insert = DEPLOYMENT_SECRET.insert().values(name=name, value=drawn)
            try:
                await self._database.write(lambda connection: connection.execute(insert))
                value = drawn
            except IntegrityError:  # another process was faster, and its secret is the one
                value = await self._value(name) or ""
        return bytes.fromhex(value)

    async def close(self) -> None:
        await self._database.close()

    async def _value(self, name: str) -> str | None:
        kept = select(DEPLOYMENT_SECRET.c.value).where(DEPLOYMENT_SECRET.c.name == name)
        return await self._database.read(lambda connection: connection.execute(kept).scalar_one_or_none())
