"""Alerts, and what their evaluations leave behind, in the state database."""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from schemas.alert import (
    Alert,
    AlertMetric,
    AlertProgress,
    AlertRule,
    AlertState,
    Episode,
    Evaluation,
    GroupState,
    KeptTurn,
    PendingNotice,
)
from services.stores.state.alert_turns import (
    SupersededTurn,
    end_episode,
    end_turn,
    is_alert,
    keep_notices,
    keep_turn,
    notices_among,
    progress_row,
)
from services.stores.state.database import Database
from services.stores.state.tables import (
    ALERT,
    ALERT_EPISODE,
    ALERT_EVALUATION,
    ALERT_GROUP,
    ALERT_PROGRESS,
    SCHEDULER_MARK,
)

_INSERTS: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

_EVALUATED: Final = "alerts evaluated"

# A filter keeps its numbers, digit for digit: as texts they would be refused.
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_rule: Final = msgspec.json.Decoder(AlertRule, float_hook=Decimal)
_channel_ids: Final = msgspec.json.Decoder(tuple[str, ...])
_notified_groups: Final = msgspec.json.Decoder(tuple[datetime, ...])


class SqlAlerts:
    """The ports Alerts and EvaluatedAlerts."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="alerts")

    async def alerts_of(self, organization_id: str) -> Sequence[Alert]:
        query = select(ALERT).where(ALERT.c.organization_id == organization_id, ALERT.c.deleted_at.is_(None))
        return await self._alerts(query.order_by(ALERT.c.name, ALERT.c.id))

    async def all_alerts(self) -> Sequence[Alert]:
        return await self._alerts(select(ALERT).where(ALERT.c.deleted_at.is_(None)).order_by(ALERT.c.id))

    async def alert(self, organization_id: str, alert_id: str) -> Alert | None:
        found = await self._alerts(select(ALERT).where(is_alert(organization_id, alert_id)))
        return found[0] if found else None

    async def add_alert(self, alert: Alert) -> None:
        def add(connection: Connection) -> None:
            connection.execute(ALERT.insert().values(**_row(alert)))
            connection.execute(ALERT_PROGRESS.insert().values(alert_id=alert.id, **progress_row(AlertProgress())))

        await self._database.write(add)

    async def change_alert(self, alert: Alert, *, turn: int, notices: Sequence[PendingNotice] = ()) -> bool:
        def change(connection: Connection) -> None:
            end_turn(connection, alert.id, turn)
            before = connection.scalar(select(ALERT.c.active_since).where(is_alert(alert.organization_id, alert.id)))
            if before is None:
                raise SupersededTurn
            connection.execute(ALERT.update().where(ALERT.c.id == alert.id).values(**_row(alert)))
            if before != alert.active_since:
                anew = progress_row(AlertProgress(turn=turn + 1))
                connection.execute(ALERT_PROGRESS.update().where(ALERT_PROGRESS.c.alert_id == alert.id).values(**anew))
                connection.execute(delete(ALERT_GROUP).where(ALERT_GROUP.c.alert_id == alert.id))
                end_episode(connection, alert.id, alert.updated_at)
            keep_notices(connection, notices)

        return await self._write(change)

    async def remove_alert(
        self, organization_id: str, alert_id: str, *, turn: int, at: datetime, notices: Sequence[PendingNotice] = ()
    ) -> bool:
        def remove(connection: Connection) -> None:
            end_turn(connection, alert_id, turn)
            found = ALERT.update().where(is_alert(organization_id, alert_id)).values(deleted_at=at)
            if not connection.execute(found).rowcount:
                raise SupersededTurn
            for table in (ALERT_GROUP, ALERT_EVALUATION, ALERT_PROGRESS):
                connection.execute(delete(table).where(table.c.alert_id == alert_id))
            end_episode(connection, alert_id, at)
            keep_notices(connection, notices)

        return await self._write(remove)

    async def progress(self, alert_id: str, *, with_groups: bool = True) -> AlertProgress:
        def read(connection: Connection) -> AlertProgress:
            found = connection.execute(select(ALERT_PROGRESS).where(ALERT_PROGRESS.c.alert_id == alert_id)).mappings()
            row = found.one_or_none()
            if row is None:
                return AlertProgress()
            if not with_groups:
                return _progress(row, {})
            groups = connection.execute(
                select(ALERT_GROUP.c.group_key, ALERT_GROUP.c.state).where(ALERT_GROUP.c.alert_id == alert_id)
            )
            return _progress(row, {key: msgspec.json.decode(state, type=GroupState) for key, state in groups})

        return await self._database.read(read)

    async def keep_turn(self, turn: KeptTurn) -> int | None:
        try:
            return await self._database.write(lambda connection: keep_turn(connection, turn))
        except SupersededTurn:
            return None

    async def notices_among(self, ids: Sequence[str]) -> Set[str]:
        return await self._database.read(lambda connection: notices_among(connection, ids))

    async def evaluated_at(self) -> datetime | None:
        query = select(SCHEDULER_MARK.c.at).where(SCHEDULER_MARK.c.name == _EVALUATED)
        return await self._database.read(lambda connection: connection.scalar(query))

    async def oldest_alert_at(self) -> datetime | None:
        query = select(func.min(ALERT.c.created_at)).where(ALERT.c.deleted_at.is_(None))
        return await self._database.read(lambda connection: connection.scalar(query))

    async def note_evaluated(self, at: datetime) -> None:
        def note(connection: Connection) -> None:
            insert = _INSERTS[connection.dialect.name](SCHEDULER_MARK).values(name=_EVALUATED, at=at)
            connection.execute(insert.on_conflict_do_update(index_elements=[SCHEDULER_MARK.c.name], set_={"at": at}))

        await self._database.write(note)

    async def evaluations_of(self, alert_id: str, *, limit: int) -> Sequence[Evaluation]:
        query = (
            select(ALERT_EVALUATION.c.body)
            .where(ALERT_EVALUATION.c.alert_id == alert_id)
            .order_by(ALERT_EVALUATION.c.turn.desc())
            .limit(limit)
        )
        bodies = await self._database.read(lambda connection: list(connection.scalars(query)))
        return [msgspec.json.decode(body, type=Evaluation) for body in bodies]

    async def last_evaluations(self, organization_id: str) -> Mapping[str, Evaluation]:
        latest = (
            select(ALERT_EVALUATION.c.alert_id, func.max(ALERT_EVALUATION.c.turn).label("turn"))
            .join(ALERT, ALERT.c.id == ALERT_EVALUATION.c.alert_id)
            .where(ALERT.c.organization_id == organization_id, ALERT.c.deleted_at.is_(None))
            .group_by(ALERT_EVALUATION.c.alert_id)
            .subquery()
        )
        is_latest = (ALERT_EVALUATION.c.alert_id == latest.c.alert_id) & (ALERT_EVALUATION.c.turn == latest.c.turn)
        query = select(ALERT_EVALUATION.c.alert_id, ALERT_EVALUATION.c.body).join(latest, is_latest)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {alert_id: msgspec.json.decode(body, type=Evaluation) for alert_id, body in rows}

    async def states_of(self, organization_id: str) -> Mapping[AlertState, int]:
        query = (
            select(ALERT_PROGRESS.c.state, func.count())
            .join(ALERT, ALERT.c.id == ALERT_PROGRESS.c.alert_id)
            .where(ALERT.c.organization_id == organization_id, ALERT.c.deleted_at.is_(None))
            .group_by(ALERT_PROGRESS.c.state)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {AlertState(state): count for state, count in rows}

    async def episodes_of(
        self, organization_id: str, *, alert_id: str = "", limit: int, offset: int = 0
    ) -> tuple[int, Sequence[Episode]]:
        is_shown = ALERT_EPISODE.c.organization_id == organization_id
        if alert_id:
            is_shown &= ALERT_EPISODE.c.alert_id == alert_id
        page = select(ALERT_EPISODE).where(is_shown).limit(limit).offset(offset)
        page = page.order_by(ALERT_EPISODE.c.started_at.desc(), ALERT_EPISODE.c.id)

        def read(connection: Connection) -> tuple[int, Sequence[Episode]]:
            count = connection.scalar(select(func.count()).select_from(ALERT_EPISODE).where(is_shown))
            return count or 0, [_episode(row) for row in connection.execute(page).mappings()]

        return await self._database.read(read)

    async def close(self) -> None:
        await self._database.close()

    async def _write(self, work: Callable[[Connection], None]) -> bool:
        """Whether nobody was faster."""
        try:
            await self._database.write(work)
        except SupersededTurn:
            return False
        return True

    async def _alerts(self, query: Any) -> list[Alert]:
        return await self._database.read(
            lambda connection: [_alert(row) for row in connection.execute(query).mappings()]
        )


def _row(alert: Alert) -> dict[str, Any]:
    same = ("id", "organization_id", "name", "created_at", "updated_at", "active_since", "muted_until")
    return {name: getattr(alert, name) for name in same} | {
        "rule": _encoder.encode(alert.rule).decode(),
        "channel_ids": msgspec.json.encode(alert.channel_ids).decode(),
    }


def _alert(row: RowMapping) -> Alert:
    same = ("id", "organization_id", "name", "created_at", "updated_at", "active_since", "muted_until")
    return Alert(
        **{name: row[name] for name in same},
        rule=_rule.decode(row["rule"]),
        channel_ids=_channel_ids.decode(row["channel_ids"]),
    )


def _progress(row: RowMapping, groups: Mapping[str, GroupState]) -> AlertProgress:
    same = ("turn", "evaluated_until", "raised_until", "looked_back_at", "summary_at")
    return AlertProgress(
        **{name: row[name] for name in same},
        notified_groups=_notified_groups.decode(row["told_groups"]),
        notified_channels=_channel_ids.decode(row["told_channels"]),
        state=AlertState(row["state"]),
        groups=groups,
    )


def _episode(row: RowMapping) -> Episode:
    return Episode(
        id=row["id"],
        alert_id=row["alert_id"],
        alert_name=row["alert_name"],
        metric=AlertMetric(row["metric"]),
        state=AlertState(row["state"]),
        value=None if row["value"] is None else Decimal(row["value"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )
