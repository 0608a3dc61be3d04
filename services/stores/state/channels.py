"""The Channels port on the state database: where notices go, with their secrets encrypted."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, RowMapping, select
from sqlalchemy.exc import IntegrityError

from schemas.channel import Channel, ChannelConfig, ChannelKind, ChannelSecret, DeliveryLog, DeliveryState
from schemas.errors import Conflict
from schemas.notice import Notice
from services.stores.state.database import Database
from services.stores.state.delivery_log import read_last, read_log
from services.stores.state.outbox import add_notices
from services.stores.state.secret_box import SecretBox
from services.stores.state.tables import CHANNEL, DELIVERY

_config = msgspec.json.Decoder(ChannelConfig)
_SHOWN: Final = tuple(column for column in CHANNEL.c if column is not CHANNEL.c.secret)


class SqlChannels:
    """One row for each channel."""

    def __init__(self, url: str, *, encryption_key: str = "") -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="channels")
        self._box = SecretBox(url, encryption_key=encryption_key)

    async def channels_of(self, organization_id: str) -> Sequence[Channel]:
        return await self._read(CHANNEL.c.organization_id == organization_id)

    async def channel(self, organization_id: str, channel_id: str) -> Channel | None:
        return next(iter(await self._read(_is(organization_id, channel_id))), None)

    async def add_channel(
        self,
        *,
        organization_id: str,
        name: str,
        kind: ChannelKind,
        config: ChannelConfig,
        secret: ChannelSecret,
        created_by: str,
    ) -> Channel:
        channel = Channel(
            id=str(uuid4()),
            organization_id=organization_id,
            name=name,
            kind=kind,
            config=config,
            created_at=datetime.now(UTC),
            created_by=created_by,
            has_secret=secret != ChannelSecret(),
        )
        values = {
            **{column.name: getattr(channel, column.name) for column in _SHOWN},
            "kind": kind.value,
            "config": _json(config),
            "secret": await self._encrypted(secret, channel.id),
        }
        try:
            await self._database.write(lambda connection: connection.execute(CHANNEL.insert().values(values)))
        except IntegrityError:
            raise _taken(name) from None
        return channel

    async def change_channel(
        self, organization_id: str, channel_id: str, *, name: str, config: ChannelConfig, secret: ChannelSecret | None
    ) -> Channel | None:
        values: dict[str, Any] = {"name": name, "config": _json(config)}
        if secret is not None:
            values["secret"] = await self._encrypted(secret, channel_id)
        change = CHANNEL.update().where(_is(organization_id, channel_id)).values(values)
        try:
            await self._database.write(lambda connection: connection.execute(change))
        except IntegrityError:
            raise _taken(name) from None
        return await self.channel(organization_id, channel_id)

    async def remove_channel(self, organization_id: str, channel_id: str) -> bool:
        waits = (DELIVERY.c.channel_id == channel_id) & (DELIVERY.c.state == DeliveryState.WAITING)
        cancel = DELIVERY.update().where(waits).values(state=DeliveryState.CANCELLED, due_at=None)

        def remove(connection: Connection) -> bool:
            removed = connection.execute(CHANNEL.delete().where(_is(organization_id, channel_id))).rowcount > 0
            if removed:
                connection.execute(cancel.values(ended_at=datetime.now(UTC)))
            return removed

        return await self._database.write(remove)

    async def email_channel(self, organization_id: str, address: str, *, created_by: str) -> Channel:
        config = ChannelConfig(recipients=(address,))
        return await self._get_or_add(organization_id, ChannelKind.EMAIL, address, config, created_by)

    async def slack_channel(self, organization_id: str, slack_channel: str, *, created_by: str) -> Channel:
        config = ChannelConfig(slack_channel=slack_channel)
        return await self._get_or_add(organization_id, ChannelKind.SLACK, slack_channel, config, created_by)

    async def send(self, notice: Notice, channel_ids: Sequence[str]) -> bool:
        return await self._database.write(lambda connection: add_notices(connection, [(notice, channel_ids)])) > 0

    async def deliveries_of(
        self,
        organization_id: str,
        *,
        channel_id: str = "",
        notice_id: str = "",
        source_id: str = "",
        limit: int = 100,
    ) -> Sequence[DeliveryLog]:
        wanted = {"channel_id": channel_id, "notice_id": notice_id, "source_id": source_id}
        return await self._database.read(
            lambda connection: read_log(connection, organization_id, **wanted, limit=limit)
        )

    async def last_deliveries(self, organization_id: str) -> Mapping[str, DeliveryLog]:
        return await self._database.read(lambda connection: read_last(connection, organization_id))

    async def close(self) -> None:
        await self._database.close()
        await self._box.close()

    async def _read(self, condition: ColumnElement[bool]) -> list[Channel]:
        rows = select(*_SHOWN, (CHANNEL.c.secret != "").label("has_secret")).where(condition).order_by(CHANNEL.c.name)
        return await self._database.read(
            lambda connection: [
                replace(channel_of(row), has_secret=bool(row["has_secret"]))
                for row in connection.execute(rows).mappings()
            ]
        )

    async def _get_or_add(
        self, organization_id: str, kind: ChannelKind, name: str, config: ChannelConfig, created_by: str
    ) -> Channel:
        """The oldest channel that says exactly this. Others may have its name."""
        is_it = (CHANNEL.c.organization_id == organization_id) & (CHANNEL.c.kind == kind.value)
        for number in range(1, 100):
            found = await self._read(is_it & (CHANNEL.c.config == _json(config)))
            if found:
                return min(found, key=lambda channel: channel.created_at)
            try:
                return await self.add_channel(
                    organization_id=organization_id,
                    name=name[:90] if number == 1 else f"{name[:90]} ({number})",
                    kind=kind,
                    config=config,
                    secret=ChannelSecret(),
                    created_by=created_by,
                )
            except Conflict:  # of its name; or another process has added it at the same time
                continue
        raise _taken(name)

    async def _encrypted(self, secret: ChannelSecret, channel_id: str) -> str:
        return "" if secret == ChannelSecret() else await self._box.encrypt(msgspec.json.encode(secret), channel_id)


def channel_of(row: RowMapping | Mapping[str, Any]) -> Channel:
    """The channel in a row of its table, whose secret is not read."""
    known = {"kind": ChannelKind(row["kind"]), "config": _config.decode(row["config"])}
    return Channel(**{**{column.name: row[column.name] for column in _SHOWN}, **known})


def _is(organization_id: str, channel_id: str) -> ColumnElement[bool]:
    return (CHANNEL.c.organization_id == organization_id) & (CHANNEL.c.id == channel_id)


def _json(config: ChannelConfig) -> str:
    return msgspec.json.encode(config).decode()


def _taken(name: str) -> Conflict:
    return Conflict(f"there is a channel with the name {name!r}: choose another one")
