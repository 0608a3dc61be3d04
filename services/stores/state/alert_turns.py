"""One turn of an alert, written in the transaction of its caller: its states, its evaluation and its notices."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from schemas.alert import Alert, AlertProgress, AlertState, EpisodeStep, GroupState, KeptTurn, PendingNotice
from schemas.channel import INCIDENT_KINDS
from services.stores.state.outbox import add_notices
from services.stores.state.tables import (
    ALERT,
    ALERT_EPISODE,
    ALERT_EVALUATION,
    ALERT_GROUP,
    ALERT_PROGRESS,
    CHANNEL,
    NOTICE,
)

_INSERTS: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

KEPT_EVALUATIONS: Final = 1_500  # of an alert: about a day
_IDS_A_QUERY: Final = 1_000
_KEPT_EPISODES: Final = timedelta(days=400)


class SupersededTurn(Exception):
    """Another one was faster, or the alert was changed: the transaction has to be undone."""


def is_alert(organization_id: str, alert_id: str) -> Any:
    return (ALERT.c.id == alert_id) & (ALERT.c.organization_id == organization_id) & ALERT.c.deleted_at.is_(None)


def end_turn(connection: Connection, alert_id: str, turn: int, progress: AlertProgress | None = None) -> None:
    """The next one begins, with `progress` if there is some. Raises: SupersededTurn where `turn` is over already.

    To be done first of all: others who write too wait here, and find another turn then.
    """
    is_its = (ALERT_PROGRESS.c.alert_id == alert_id) & (ALERT_PROGRESS.c.turn == turn)
    after = {"turn": turn + 1} if progress is None else progress_row(progress)
    if not connection.execute(ALERT_PROGRESS.update().where(is_its).values(**after)).rowcount:
        raise SupersededTurn


def keep_turn(connection: Connection, turn: KeptTurn) -> int:
    """How many of its notices are new. Raises: SupersededTurn."""
    alert, progress = turn.alert, turn.progress
    end_turn(connection, alert.id, progress.turn - 1, progress)
    updated_at = connection.scalar(select(ALERT.c.updated_at).where(is_alert(alert.organization_id, alert.id)))
    if updated_at != alert.updated_at:
        raise SupersededTurn
    _keep_groups(connection, alert.id, turn.changed)
    if turn.evaluation is not None:
        body = msgspec.json.encode(turn.evaluation).decode()
        connection.execute(ALERT_EVALUATION.insert().values(alert_id=alert.id, turn=progress.turn, body=body))
    if progress.turn % 100 == 0:
        old = ALERT_EVALUATION.c.turn <= progress.turn - KEPT_EVALUATIONS
        connection.execute(delete(ALERT_EVALUATION).where(ALERT_EVALUATION.c.alert_id == alert.id, old))
    _keep_episode(connection, turn)
    return keep_notices(connection, turn.notices)


def keep_notices(connection: Connection, notices: Sequence[PendingNotice]) -> int:
    """How many of these notices are new."""
    ids = {channel_id for one in notices if one.ends_incident for channel_id in one.channel_ids}
    keeps = CHANNEL.c.id.in_(ids) & CHANNEL.c.kind.in_(INCIDENT_KINDS)
    with_incidents = set(connection.scalars(select(CHANNEL.c.id).where(keeps))) if ids else set()
    given = [(one.notice, one.channel_ids) for one in notices if not one.ends_incident]
    ends = [
        (one.notice, [id_ for id_ in one.channel_ids if id_ in with_incidents]) for one in notices if one.ends_incident
    ]
    return add_notices(connection, [*given, *(one for one in ends if one[1])])


def notices_among(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of `ids` that are kept."""
    kept: set[str] = set()
    for first in range(0, len(ids), _IDS_A_QUERY):
        is_one = NOTICE.c.id.in_(ids[first : first + _IDS_A_QUERY])
        kept.update(connection.scalars(select(NOTICE.c.id).where(is_one)))
    return kept


def _keep_groups(connection: Connection, alert_id: str, changed: Mapping[str, GroupState | None]) -> None:
    gone = [{"id": alert_id, "hash": _hash(key)} for key, state in changed.items() if state is None]
    if gone:
        is_gone = (ALERT_GROUP.c.alert_id == bindparam("id")) & (ALERT_GROUP.c.key_hash == bindparam("hash"))
        connection.execute(delete(ALERT_GROUP).where(is_gone), gone)
    kept = [
        {"alert_id": alert_id, "key_hash": _hash(key), "group_key": key, "state": msgspec.json.encode(state).decode()}
        for key, state in changed.items()
        if state is not None
    ]
    if kept:
        insert = _INSERTS[connection.dialect.name](ALERT_GROUP)
        keep = insert.on_conflict_do_update(
            index_elements=[ALERT_GROUP.c.alert_id, ALERT_GROUP.c.key_hash], set_={"state": insert.excluded.state}
        )
        connection.execute(keep, kept)


def _keep_episode(connection: Connection, turn: KeptTurn) -> None:
    alert, evaluation = turn.alert, turn.evaluation
    if evaluation is None:
        _keep_late_episode(connection, turn)
        return
    is_open = (ALERT_EPISODE.c.alert_id == alert.id) & ALERT_EPISODE.c.ended_at.is_(None)
    if turn.episode is EpisodeStep.ENDS:
        end_episode(connection, alert.id, evaluation.at)
    elif turn.episode is EpisodeStep.BEGINS:
        _begin_episode(connection, alert, evaluation.state, evaluation.value, evaluation.at)
    elif evaluation.state is AlertState.CRITICAL and turn.notices:
        connection.execute(ALERT_EPISODE.update().where(is_open).values(state=AlertState.CRITICAL.value))


def _keep_late_episode(connection: Connection, turn: KeptTurn) -> None:
    at = turn.progress.looked_back_at
    if turn.episode is EpisodeStep.BEGINS and at is not None:
        worst = max((one.notice for one in turn.notices), key=lambda notice: notice.level is AlertState.CRITICAL)
        _begin_episode(connection, turn.alert, worst.level, worst.value, at)


def _begin_episode(
    connection: Connection, alert: Alert, state: AlertState, value: Decimal | None, at: datetime
) -> None:
    old = (ALERT_EPISODE.c.alert_id == alert.id) & (ALERT_EPISODE.c.started_at < at - _KEPT_EPISODES)
    connection.execute(delete(ALERT_EPISODE).where(old))
    connection.execute(
        ALERT_EPISODE.insert().values(
            id=str(uuid.uuid4()),
            alert_id=alert.id,
            organization_id=alert.organization_id,
            alert_name=alert.name,
            metric=alert.rule.metric.value,
            state=state.value,
            value=None if value is None else str(value),
            started_at=at,
        )
    )


def end_episode(connection: Connection, alert_id: str, at: datetime) -> None:
    is_open = (ALERT_EPISODE.c.alert_id == alert_id) & ALERT_EPISODE.c.ended_at.is_(None)
    connection.execute(ALERT_EPISODE.update().where(is_open).values(ended_at=at))


def _hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def progress_row(progress: AlertProgress) -> dict[str, Any]:
    same = ("turn", "evaluated_until", "raised_until", "looked_back_at", "summary_at")
    return {name: getattr(progress, name) for name in same} | {
        "told_groups": msgspec.json.encode(progress.notified_groups).decode(),
        "told_channels": msgspec.json.encode(progress.notified_channels).decode(),
        "state": progress.state.value,
    }
