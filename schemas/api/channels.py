"""Bodies and responses of the HTTP API about channels and what was sent through them."""

from typing import Final

from pydantic import ConfigDict, Field, SecretStr

from schemas.api.requests import Body, Timestamp, View
from schemas.channel import AttemptOutcome, ChannelKind, DeliveryState

_RECIPIENTS: Final = "Mail addresses"
_SLACK_CHANNEL: Final = "Of Slack, as #name or its id, for a bot; an incoming webhook has its own"


class _ChannelFields(Body):
    model_config = ConfigDict(alias_generator=None)

    recipients: list[str] = Field(default_factory=list, max_length=50, description=_RECIPIENTS)
    slack_channel: str = Field("", max_length=81, description=_SLACK_CHANNEL)
    url: SecretStr | None = Field(
        None, description="Of Slack's incoming webhook, of a workflow of Teams, or of a webhook; never shown again"
    )
    token: SecretStr | None = Field(
        None, description="Of Slack's bot; by default that of FAREBOX_SLACK_TOKEN. Never shown again"
    )
    routing_key: SecretStr | None = Field(
        None, description="The integration key of PagerDuty's Events API v2; never shown again"
    )
    signing_key: SecretStr | None = Field(
        None, description="By which a webhook's messages are signed; by default one is drawn, and shown once"
    )


class ChannelRequest(_ChannelFields):
    name: str = Field(max_length=100, description="What people know it by", examples=["finance"])
    kind: ChannelKind


class ChangeChannelRequest(_ChannelFields):
    """What is not given stays as it is."""

    name: str = Field("", max_length=100, description="What people know it by from now on")


class ChannelView(View):
    """A channel without its secrets."""

    id: str
    name: str
    kind: ChannelKind
    recipients: list[str] = Field(description=_RECIPIENTS)
    slack_channel: str = Field(description=_SLACK_CHANNEL)
    server: str = Field(description="Scheme and host of its secret URL; empty where it has none")
    private: bool = Field(description="Whether it may have a private address; set by the command only")
    kept_secrets: list[str] = Field(description="Names of its secrets that are kept; a new value replaces one")
    created_at: Timestamp
    created_by: str = Field(description="The id of the key that asked for it, or `cli`")


class ListedChannel(ChannelView):
    last_delivery: "DeliveryView | None" = Field(description="The latest notice on it; null where nothing was sent yet")


class NewChannelView(ChannelView):
    signing_key: str | None = Field(
        description="Of a webhook, where it was drawn: shown this once. Null where there is none, or it was sent along"
    )


class AttemptView(View):
    number: int
    at: Timestamp
    outcome: AttemptOutcome = Field(description="`started` runs still, or was killed")
    status: int | None = Field(description="Of HTTP or SMTP; null where nothing answered")
    duration_ms: int | None
    error: str


class DeliveryView(View):
    """One notice on one channel."""

    notice_id: str = Field(description="The same in every attempt, and in the message itself")
    channel_id: str
    name: str = Field(description="Of the alert, the budget or the report")
    kind: str = Field(description="Such as `firing`, `resolved` or `report`")
    level: str
    state: DeliveryState
    created_at: Timestamp
    due_at: Timestamp | None = Field(description="Of the next attempt; null at the end")
    ended_at: Timestamp | None
    attempts: list[AttemptView]
