"""Channels and deliveries, as those need them who manage channels and who send through them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from schemas.channel import Attempt, Channel, ChannelConfig, ChannelKind, ChannelSecret, Claim, DeliveryLog, SendResult
from schemas.message import Message
from schemas.notice import Notice


class Channels(Protocol):
    """Where an organization wants its notices. Secrets go in and never come out. All raise StoreUnavailable."""

    async def channels_of(self, organization_id: str) -> Sequence[Channel]:
        """By name."""
        ...

    async def channel(self, organization_id: str, channel_id: str) -> Channel | None: ...

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
        """Raises: Conflict where the organization has one of this name."""
        ...

    async def change_channel(
        self, organization_id: str, channel_id: str, *, name: str, config: ChannelConfig, secret: ChannelSecret | None
    ) -> Channel | None:
        """With these values; a `secret` of None stays. None when there is no such channel. Raises: Conflict."""
        ...

    async def remove_channel(self, organization_id: str, channel_id: str) -> bool:
        """False when there is no such channel. What waits for it is cancelled."""
        ...

    async def email_channel(self, organization_id: str, address: str, *, created_by: str) -> Channel:
        """The channel whose only recipient is `address`, made when there is none."""
        ...

    async def slack_channel(self, organization_id: str, slack_channel: str, *, created_by: str) -> Channel:
        """The channel by which a bot posts to `slack_channel`, made when there is none."""
        ...

    async def send(self, notice: Notice, channel_ids: Sequence[str]) -> bool:
        """Puts `notice` into the outbox; False when it is there already."""
        ...

    async def deliveries_of(
        self,
        organization_id: str,
        *,
        channel_id: str = "",
        notice_id: str = "",
        source_id: str = "",
        limit: int = 100,
    ) -> Sequence[DeliveryLog]:
        """With their attempts, the latest first: through a channel, of a notice, or about an alert and so on."""
        ...

    async def last_deliveries(self, organization_id: str) -> Mapping[str, DeliveryLog]:
        """The latest one of each channel that has any, by the channel's id."""
        ...

    async def close(self) -> None: ...


class DeliveryQueue(Protocol):
    """What is to be sent, as a queue for any number of processes. All raise StoreUnavailable."""

    async def claim(self, *, at: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """What is due at `at`, for this process alone until then. What is claimed has begun an attempt."""
        ...

    async def end_attempt(self, claim: Claim, attempt: Attempt, *, due_at: datetime | None) -> bool:
        """How the attempt ended, and when the next one is due; None for none. False when the claim had expired."""
        ...

    async def forget(self, *, before: datetime) -> None:
        """Deletes notices that were made before, with their deliveries, unless these are still to be sent."""
        ...

    async def close(self) -> None: ...


class Notifier(Protocol):
    """What sends messages to the outside."""

    async def send(self, channel: Channel, secret: ChannelSecret, message: Message) -> SendResult:
        """Returns within a limited time, and raises nothing on account of the receiver."""
        ...

    async def close(self) -> None: ...
