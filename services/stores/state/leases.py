"""Leases: a name has one holder at a time, among all processes, until a timestamp that the holder puts off by renewing.

Each step runs in a transaction of its user, who so writes what the lease protects together with it:
`database.write(lambda connection: lease.acquire(connection, ...) and ...)`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from services.stores.state.database import Database
from services.stores.state.tables import LEASE

_INSERTS: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """What `holder`, an id that no other process uses, does or tries to do alone."""

    name: str
    holder: str

    def acquire(self, connection: Connection, *, at: datetime, until: datetime) -> bool:
        """Whether the lease is held from now on: it was free, or had expired by `at`."""
        insert = _INSERTS[connection.dialect.name](LEASE).values(name=self.name, holder=self.holder, until=until)
        acquire = insert.on_conflict_do_update(
            index_elements=[LEASE.c.name],
            set_={"holder": self.holder, "until": until},
            where=LEASE.c.until < at,
        )
        return connection.scalar(acquire.returning(LEASE.c.name)) is not None

    def renew(self, connection: Connection, *, until: datetime) -> bool:
        """False when another holder has acquired it since; until then an expired lease can still be renewed."""
        return connection.execute(LEASE.update().where(self._is_held).values(until=until)).rowcount > 0

    def release(self, connection: Connection) -> bool:
        """Frees it for the next one. False when another holder has acquired it since."""
        return connection.execute(LEASE.delete().where(self._is_held)).rowcount > 0

    @property
    def _is_held(self) -> Any:
        return (LEASE.c.name == self.name) & (LEASE.c.holder == self.holder)


def holder_of(connection: Connection, name: str) -> str | None:
    """Who holds the lease, or held it last if it has expired; None when it is free."""
    return connection.scalar(select(LEASE.c.holder).where(LEASE.c.name == name))


class SqlLeases:
    """The Leases port: for what is not written to the state database itself."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="leases")

    async def hold(self, name: str, holder: str, *, at: datetime, until: datetime) -> bool:
        lease = Lease(name=name, holder=holder)
        return await self._database.write(
            lambda connection: lease.renew(connection, until=until) or lease.acquire(connection, at=at, until=until)
        )

    async def close(self) -> None:
        await self._database.close()
