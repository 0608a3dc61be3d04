"""The ProgressStore port on the state database: how far workers are, and who works on the event log."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from schemas.seal import Held, LogProgress, Member, MemberKind
from services.stores.state.database import Database
from services.stores.state.tables import LOG_MEMBER, LOG_PROGRESS

_INSERTS: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


class SqlProgress:
    """A row for each partition, whose timestamp only grows, and one for each process that was heard."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="progress")

    async def read(self) -> LogProgress:
        return await self._database.read(_progress)

    async def advance(self, worker: Member, complete_until: Mapping[str, datetime]) -> None:
        def keep(connection: Connection) -> None:
            # In one order, so that two workers never wait for each other.
            for partition, until in sorted(complete_until.items()):
                _advance(connection, partition, until)
            _keep_member(connection, worker)

        await self._database.write(keep)

    async def announce(self, writer: Member) -> None:
        await self._database.write(lambda connection: _keep_member(connection, writer))

    async def withdraw(self, member_ids: Collection[str]) -> None:
        await self._database.write(
            lambda connection: connection.execute(delete(LOG_MEMBER).where(LOG_MEMBER.c.id.in_(member_ids)))
        )

    async def close(self) -> None:
        await self._database.close()


def _progress(connection: Connection) -> LogProgress:
    partitions = connection.execute(select(LOG_PROGRESS))
    members = connection.execute(select(LOG_MEMBER))
    return LogProgress(
        complete_until={row.partition: row.complete_until for row in partitions},
        members=tuple(_member(row) for row in members),
    )


def _member(row: Row[Any]) -> Member:
    return Member(
        id=row.id,
        kind=MemberKind(row.kind),
        place=row.place,
        heard_at=row.heard_at,
        held=Held(events=row.held_events, since=row.held_since),
    )


def _advance(connection: Connection, partition: str, until: datetime) -> None:
    insert = _INSERTS[connection.dialect.name](LOG_PROGRESS).values(partition=partition, complete_until=until)
    stored, new = LOG_PROGRESS.c.complete_until, insert.excluded.complete_until
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[LOG_PROGRESS.c.partition], set_={"complete_until": case((stored > new, stored), else_=new)}
        )
    )


def _keep_member(connection: Connection, member: Member) -> None:
    values = {
        "kind": member.kind.value,
        "place": member.place,
        "heard_at": member.heard_at,
        "held_events": member.held.events,
        "held_since": member.held.since,
    }
    insert = _INSERTS[connection.dialect.name](LOG_MEMBER).values(id=member.id, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=[LOG_MEMBER.c.id], set_=values))
