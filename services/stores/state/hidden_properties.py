"""The HiddenProperties port on the state database: names that an organization leaves out of its list."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.stores.state.database import Database
from services.stores.state.tables import HIDDEN_PROPERTY


class SqlHiddenProperties:
    """Hidden names in a table."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="hidden properties")

    async def hide_property(self, organization_id: str, key: str) -> None:
        """Does nothing where `key` is hidden. Raises: StoreUnavailable."""
        insert = HIDDEN_PROPERTY.insert().values(organization_id=organization_id, property_key=key)
        try:
            await self._database.write(lambda connection: connection.execute(insert))
        except IntegrityError:
            return

    async def restore_property(self, organization_id: str, key: str) -> None:
        """Does nothing where `key` is not hidden. Raises: StoreUnavailable."""
        is_it = (HIDDEN_PROPERTY.c.organization_id == organization_id) & (HIDDEN_PROPERTY.c.property_key == key)
        delete = HIDDEN_PROPERTY.delete().where(is_it)
        await self._database.write(lambda connection: connection.execute(delete))

    async def hidden_properties(self, organization_id: str) -> frozenset[str]:
        """In lower case. Raises: StoreUnavailable."""
        kept = select(HIDDEN_PROPERTY.c.property_key).where(HIDDEN_PROPERTY.c.organization_id == organization_id)
        return await self._database.read(lambda connection: frozenset(connection.execute(kept).scalars()))

    async def close(self) -> None:
        await self._database.close()
