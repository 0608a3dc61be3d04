"""Channels, through which notices reach people, and what became of each delivery."""

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from schemas.notice import Notice


class ChannelKind(StrEnum):
    SLACK = "slack"
    EMAIL = "email"
    WEBHOOK = "webhook"
    PAGERDUTY = "pagerduty"
    TEAMS = "teams"


# An incident that they open stays open until they hear that it is over.
INCIDENT_KINDS: Final = (ChannelKind.PAGERDUTY,)


class ChannelConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may be shown of a channel."""

    recipients: tuple[str, ...] = ()  # of mail
    slack_channel: str = ""  # name or id, where a bot posts; '' for an incoming webhook, which has its own
    server: str = ""  # scheme and host of the secret address
    private: bool = False  # that may be inside the own network, such as 10.0.0.5; set by the command only


class ChannelSecret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is written and never shown. Kept encrypted."""

    url: str = ""  # of Slack's incoming webhook, of Teams' workflow, or of a webhook
    token: str = ""  # Slack's bot token, or the signing key of a webhook
    routing_key: str = ""  # PagerDuty's

    def __repr__(self) -> str:
        return "ChannelSecret(...)"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One row, without its secret."""

    id: str  # UUID
    organization_id: str
    name: str  # unique in its organization
    kind: ChannelKind
    config: ChannelConfig
    created_at: datetime
    created_by: str = ""  # the id of the key that asked for it, or `CLI`
    has_secret: bool = False


class DeliveryState(StrEnum):
    """What became of one notice on one channel."""

    WAITING = "waiting"  # for its first attempt, or the next
    DELIVERED = "delivered"
    FAILED = "failed"  # given up
    CANCELLED = "cancelled"  # its channel was removed


class AttemptOutcome(StrEnum):
    """How one attempt ended."""

    STARTED = "started"  # it runs, or was killed
    DELIVERED = "delivered"
    RETRYING = "retrying"
    FAILED = "failed"  # the last one


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver."""

    number: int  # from 1
    at: datetime
    outcome: AttemptOutcome
    status: int | None = None  # of HTTP or SMTP; None where nothing answered
    duration_ms: int | None = None
    error: str = ""  # without secrets


class SendOutcome(StrEnum):
    """What became of one message."""

    ACCEPTED = "accepted"
    FAILED = "failed"  # it may be accepted later
    REFUSED = "refused"  # it never will be


class SendResult(msgspec.Struct, frozen=True, kw_only=True):
    """The receiver's response, or why there is none."""

    outcome: SendOutcome
    status: int | None = None  # of HTTP or SMTP; None where nothing answered
    error: str = ""  # without secrets
    retry_after_s: float | None = None  # as the receiver wants it


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery that one process attempts now, with all that it needs."""

    notice_id: str
    notice: Notice | None  # None: it cannot be read
    channel_id: str
    channel: Channel | None  # None: it was removed, or cannot be read
    secret: ChannelSecret
    problem: str = ""  # why any of that cannot be read, '' for nothing
    number: int  # of the attempt, from 1
    claimed_at: datetime
    created_at: datetime  # of the delivery


class DeliveryLog(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery as people look at it."""

    notice_id: str
    channel_id: str
    name: str  # of the alert, budget or report
    kind: str
    level: str
    state: DeliveryState
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    attempts: tuple[Attempt, ...]
