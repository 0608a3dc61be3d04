"""Notices on their way out: written in the transaction of what they are about, and sent by the scheduler.

So a notice is there exactly when the state that it tells of is, whoever is killed when.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from schemas.channel import DeliveryState
from schemas.notice import Notice
from services.stores.state.tables import DELIVERY, NOTICE

_INSERTS: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def add_notices(connection: Connection, notices: Iterable[tuple[Notice, Sequence[str]]]) -> int:
    """Keeps each notice once, to be sent through the channels of these ids; how many are new.

    One whose id is there already changes nothing, not even its channels. To be called in the transaction of what the
    notices are about.
    """
    insert = _INSERTS[connection.dialect.name]
    given = {notice.notice_id: (notice, channel_ids) for notice, channel_ids in notices}
    if not given:
        return 0
    rows = [_notice_row(notice) for notice, _ in given.values()]
    keep = insert(NOTICE).on_conflict_do_nothing().returning(NOTICE.c.id)
    added = list(connection.scalars(keep, rows))
    deliveries = [
        _delivery_row(notice, channel_id)
        for notice, channel_ids in (given[notice_id] for notice_id in added)
        for channel_id in dict.fromkeys(channel_ids)
    ]
    if deliveries:
        connection.execute(insert(DELIVERY).on_conflict_do_nothing(), deliveries)
    return len(added)


def _notice_row(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.notice_id,
        "organization_id": notice.organization_id,
        "source_id": notice.source_id,
        "incident_id": notice.incident_id,
        "body": msgspec.json.encode(notice).decode(),
        "created_at": notice.created_at,
    }


def _delivery_row(notice: Notice, channel_id: str) -> dict[str, Any]:
    return {
        "notice_id": notice.notice_id,
        "channel_id": channel_id,
        "organization_id": notice.organization_id,
        "incident_id": notice.incident_id,
        "state": DeliveryState.WAITING.value,
        "attempts": 0,
        "created_at": notice.created_at,
        "due_at": notice.created_at,
    }
