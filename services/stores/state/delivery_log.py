"""Deliveries with their attempts, as people look at them."""

from collections import defaultdict
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, select, tuple_

from schemas.channel import Attempt, AttemptOutcome, DeliveryLog, DeliveryState
from schemas.notice import NoticeKind, NoticeLevel
from services.stores.state.tables import CHANNEL, DELIVERY, DELIVERY_ATTEMPT, NOTICE


class _About(msgspec.Struct):
    """What the log shows of a notice; the rest of it may be long."""

    name: str
    kind: NoticeKind
    level: NoticeLevel


_about = msgspec.json.Decoder(_About)


def read_log(
    connection: Connection, organization_id: str, *, channel_id: str, notice_id: str, source_id: str, limit: int
) -> list[DeliveryLog]:
    """The latest deliveries first; '' is any channel, notice or source."""
    deliveries = (
        select(DELIVERY, NOTICE.c.body)
        .join(NOTICE, NOTICE.c.id == DELIVERY.c.notice_id)
        .where(DELIVERY.c.organization_id == organization_id)
        .order_by(DELIVERY.c.created_at.desc(), DELIVERY.c.notice_id, DELIVERY.c.channel_id)
        .limit(limit)
    )
    if channel_id:
        deliveries = deliveries.where(DELIVERY.c.channel_id == channel_id)
    if notice_id:
        deliveries = deliveries.where(DELIVERY.c.notice_id == notice_id)
    if source_id:
        deliveries = deliveries.where(NOTICE.c.organization_id == organization_id, NOTICE.c.source_id == source_id)
    rows = connection.execute(deliveries).all()
    attempts = _attempts(connection, [(row.notice_id, row.channel_id) for row in rows])
    return [_delivery(row, tuple(attempts[row.notice_id, row.channel_id])) for row in rows]


def read_last(connection: Connection, organization_id: str) -> dict[str, DeliveryLog]:
    """The latest delivery of each channel that has one, by the channel's id."""
    rows = connection.execute(last_deliveries(organization_id)).all()
    attempts = _attempts(connection, [(row.notice_id, row.channel_id) for row in rows])
    return {row.channel_id: _delivery(row, tuple(attempts[row.notice_id, row.channel_id])) for row in rows}


def last_deliveries(organization_id: str) -> Select[Any]:
    """One look into an index for each channel: a channel may have had very many deliveries."""
    its_own = DELIVERY.alias()
    latest = (
        select(its_own.c.notice_id)
        .where(its_own.c.organization_id == organization_id, its_own.c.channel_id == CHANNEL.c.id)
        .order_by(its_own.c.created_at.desc(), its_own.c.notice_id)
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(DELIVERY, NOTICE.c.body)
        .select_from(CHANNEL)
        .join(DELIVERY, DELIVERY.c.channel_id == CHANNEL.c.id)
        .join(NOTICE, NOTICE.c.id == DELIVERY.c.notice_id)
        .where(CHANNEL.c.organization_id == organization_id, DELIVERY.c.notice_id == latest)
    )


def _attempts(connection: Connection, keys: list[tuple[str, str]]) -> dict[tuple[str, str], list[Attempt]]:
    table = DELIVERY_ATTEMPT.c
    found: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    its_rows = select(DELIVERY_ATTEMPT).where(tuple_(table.notice_id, table.channel_id).in_(keys))
    for row in connection.execute(its_rows.order_by(table.number)):
        attempt = Attempt(
            number=row.number,
            at=row.at,
            outcome=AttemptOutcome(row.outcome),
            status=row.status,
            duration_ms=row.duration_ms,
            error=row.error,
        )
        found[row.notice_id, row.channel_id].append(attempt)
    return found


def _delivery(row: Row[Any], attempts: tuple[Attempt, ...]) -> DeliveryLog:
    about = _about.decode(row.body)
    return DeliveryLog(
        notice_id=row.notice_id,
        channel_id=row.channel_id,
        name=about.name,
        kind=about.kind.value,
        level=about.level.value,
        state=DeliveryState(row.state),
        created_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
        attempts=attempts,
    )
