"""The DeliveryQueue port on the state database: a queue of what is to be sent, for any number of processes.

Each delivery is claimed by one process until a timestamp. A process that is killed before it says how its attempt
ended leaves the claim to expire, and the delivery is attempted again: at least once, and twice only after a kill.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, Select, and_, exists, select, tuple_, update

from schemas.channel import Attempt, AttemptOutcome, ChannelSecret, Claim, DeliveryState
from schemas.errors import InvalidSetting
from schemas.notice import Notice
from services.stores.state.channels import channel_of
from services.stores.state.database import Database
from services.stores.state.secret_box import SecretBox
from services.stores.state.tables import CHANNEL, DELIVERY, DELIVERY_ATTEMPT, NOTICE

_notice = msgspec.json.Decoder(Notice)
_secret = msgspec.json.Decoder(ChannelSecret)
_FORGOTTEN_AT_ONCE: Final = 5000
_EARLIER: Final = DELIVERY.alias("earlier")
_KEY: Final = tuple_(DELIVERY.c.notice_id, DELIVERY.c.channel_id)


class SqlDeliveryQueue:
    """Claims and their ends."""

    def __init__(self, url: str, *, encryption_key: str = "") -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="deliveries")
        self._box = SecretBox(url, encryption_key=encryption_key)

    async def claim(self, *, at: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        rows = await self._database.write(lambda connection: _claim(connection, at, until, limit))
        return [await self._claim_of(row, at) for row in rows]

    async def end_attempt(self, claim: Claim, attempt: Attempt, *, due_at: datetime | None) -> bool:
        ended_at = attempt.at if due_at is None else None
        change = (
            DELIVERY.update()
            .where(_is_held(claim))
            .values(state=_STATES[attempt.outcome], due_at=due_at, ended_at=ended_at)
        )
        keep = (
            DELIVERY_ATTEMPT.update()
            .where(
                DELIVERY_ATTEMPT.c.notice_id == claim.notice_id,
                DELIVERY_ATTEMPT.c.channel_id == claim.channel_id,
                DELIVERY_ATTEMPT.c.number == attempt.number,
            )
            .values(
                outcome=attempt.outcome.value,
                status=attempt.status,
                duration_ms=attempt.duration_ms,
                error=attempt.error,
            )
        )

        def end(connection: Connection) -> bool:
            connection.execute(keep)
            return connection.execute(change).rowcount > 0

        return await self._database.write(end)

    async def forget(self, *, before: datetime) -> None:
        await self._database.write(lambda connection: _forget(connection, before))

    async def close(self) -> None:
        await self._database.close()
        await self._box.close()

    async def _claim_of(self, row: RowMapping, at: datetime) -> Claim:
        notice, channel, secret, problem = None, None, ChannelSecret(), ""
        try:
            notice = _notice.decode(row["body"])
            channel = None if row["kind"] is None else channel_of(row)
            if channel is not None and row["secret"]:
                secret = _secret.decode(await self._box.decrypt(row["secret"], channel.id))
        except InvalidSetting as error:
            problem = f"the channel's secret cannot be decrypted: {error}"
        except ValueError as error:
            # Another version of Farebox may be able to: it is tried again, and keeps nothing else waiting.
            problem = f"the notice or its channel cannot be read by this version ({type(error).__name__})"
        return Claim(
            notice_id=row["notice_id"],
            notice=notice,
            channel_id=row["channel_id"],
            channel=channel,
            secret=secret,
            problem=problem,
            number=row["attempts"],
            claimed_at=at,
            created_at=row["delivery_created_at"],
        )


_STATES: Final = {
    AttemptOutcome.DELIVERED: DeliveryState.DELIVERED.value,
    AttemptOutcome.RETRYING: DeliveryState.WAITING.value,
    AttemptOutcome.FAILED: DeliveryState.FAILED.value,
}


def _claim(connection: Connection, at: datetime, until: datetime, limit: int) -> Sequence[RowMapping]:
    # One statement, which no other process can come between: PostgreSQL skips rows that another one is claiming, and
    # SQLite lets one process write at a time.
    due = _due(at, limit).cte("due")  # is evaluated once, where a subquery need not be
    claim = (
        update(DELIVERY)
        .where(_KEY.in_(select(due)))
        .values(attempts=DELIVERY.c.attempts + 1, due_at=until)
        .returning(DELIVERY.c.notice_id, DELIVERY.c.channel_id, DELIVERY.c.attempts)
    )
    claimed = connection.execute(claim).all()
    if not claimed:
        return []
    begun = [
        {
            "notice_id": row.notice_id,
            "channel_id": row.channel_id,
            "number": row.attempts,
            "at": at,
            "outcome": AttemptOutcome.STARTED.value,
            "error": "",
        }
        for row in claimed
    ]
    connection.execute(DELIVERY_ATTEMPT.insert(), begun)
    return connection.execute(_claimed([(row.notice_id, row.channel_id) for row in claimed])).mappings().all()


def _due(at: datetime, limit: int) -> Select[Any]:
    """Keys of what is due, and not before what was said earlier of the same incident."""
    waits_for_earlier = exists().where(
        _EARLIER.c.channel_id == DELIVERY.c.channel_id,
        _EARLIER.c.incident_id == DELIVERY.c.incident_id,
        _EARLIER.c.state == DeliveryState.WAITING,
        _EARLIER.c.created_at < DELIVERY.c.created_at,
    )
    return (
        select(DELIVERY.c.notice_id, DELIVERY.c.channel_id)
        .where(DELIVERY.c.state == DeliveryState.WAITING, DELIVERY.c.due_at <= at, ~waits_for_earlier)
        .order_by(DELIVERY.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _claimed(keys: list[tuple[str, str]]) -> Select[Any]:
    # A channel of another organization than the notice's is as one that is not there.
    its_channel = and_(CHANNEL.c.id == DELIVERY.c.channel_id, CHANNEL.c.organization_id == NOTICE.c.organization_id)
    return (
        select(
            DELIVERY.c.notice_id,
            DELIVERY.c.channel_id,
            DELIVERY.c.attempts,
            DELIVERY.c.created_at.label("delivery_created_at"),
            NOTICE.c.body,
            *CHANNEL.c,
        )
        .join(NOTICE, NOTICE.c.id == DELIVERY.c.notice_id)
        .outerjoin(CHANNEL, its_channel)
        .where(_KEY.in_(keys))
        .order_by(DELIVERY.c.created_at, DELIVERY.c.channel_id)
    )


def _forget(connection: Connection, before: datetime) -> None:
    waits = exists().where(DELIVERY.c.notice_id == NOTICE.c.id, DELIVERY.c.state == DeliveryState.WAITING)
    old = select(NOTICE.c.id).where(NOTICE.c.created_at < before, ~waits)
    ids = list(connection.scalars(old.limit(_FORGOTTEN_AT_ONCE)))
    for table, column in (
        (DELIVERY_ATTEMPT, DELIVERY_ATTEMPT.c.notice_id),
        (DELIVERY, DELIVERY.c.notice_id),
        (NOTICE, NOTICE.c.id),
    ):
        connection.execute(table.delete().where(column.in_(ids)))


def _is_held(claim: Claim) -> Any:
    return and_(
        DELIVERY.c.notice_id == claim.notice_id,
        DELIVERY.c.channel_id == claim.channel_id,
        DELIVERY.c.attempts == claim.number,
        DELIVERY.c.state == DeliveryState.WAITING,
    )
