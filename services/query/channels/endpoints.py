"""Channels: whoever may read sees them without secrets; an admin key adds, changes, tries and removes them."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import SecretStr

from schemas.api.channels import ChangeChannelRequest, ChannelRequest, ListedChannel, NewChannelView
from schemas.api.properties import Done
from schemas.channel import Channel, ChannelKind, DeliveryLog
from schemas.errors import NotFound
from services.domain.channels.new_channel import ChannelInput, changed_channel, kept_secrets, new_channel
from services.domain.channels.trial import trial_notice
from services.key_secrets import new_signing_key
from services.query.channels.views import delivery_view
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Admin, AdminKey, Reader
from services.query.http.responses import data_response

Limit = Annotated[int, Query(ge=1, le=1000, description="Deliveries, the latest first")]


async def list_channels(organization_id: Reader, service: ServiceDep) -> Response:
    """The organization's channels, by name, without their secrets, and what became of the last notice on each."""
    channels = await service.channels.channels_of(organization_id)
    last = await service.channels.last_deliveries(organization_id)
    return data_response([_listed(one, last.get(one.id)) for one in channels])


async def add_channel(body: ChannelRequest, own: AdminKey, service: ServiceDep) -> Response:
    """Secrets are kept encrypted and never shown again. One with a private address is added by the command."""
    drawn = new_signing_key() if body.kind is ChannelKind.WEBHOOK and body.signing_key is None else ""
    config, secret = new_channel(_input(body, body.name, body.kind, drawn))
    channel = await service.channels.add_channel(
        organization_id=own.organization_id,
        name=body.name,
        kind=body.kind,
        config=config,
        secret=secret,
        created_by=own.id,
    )
    return data_response(_new_view(channel, drawn), 201)


async def change_channel(
    channel_id: UUID, body: ChangeChannelRequest, organization_id: Admin, service: ServiceDep
) -> Response:
    """What is not given stays as it is. A new URL of a webhook brings a new signing key."""
    channel = await _channel(channel_id, organization_id, service)
    moved = channel.kind is ChannelKind.WEBHOOK and body.url is not None and body.signing_key is None
    drawn = new_signing_key() if moved else ""
    name = body.name or channel.name
    config, secret = changed_channel(channel, _input(body, name, channel.kind, drawn))
    changed = await service.channels.change_channel(
        organization_id, str(channel_id), name=name, config=config, secret=secret
    )
    if changed is None:
        raise _no_channel(channel_id)
    return data_response(_new_view(changed, drawn))


async def remove_channel(channel_id: UUID, organization_id: Admin, service: ServiceDep) -> Response:
    """What waits to be sent through it is cancelled."""
    if not await service.channels.remove_channel(organization_id, str(channel_id)):
        raise _no_channel(channel_id)
    return data_response(Done())


async def try_channel(channel_id: UUID, organization_id: Admin, service: ServiceDep) -> Response:
    """Sends a test through it, as everything else is sent: its deliveries say what became of that."""
    channel = await _channel(channel_id, organization_id, service)
    notice = trial_notice(channel, service.draw_id(), service.clock.now())
    await service.channels.send(notice, [channel.id])
    [delivery] = await service.channels.deliveries_of(organization_id, notice_id=notice.notice_id)
    return data_response(delivery_view(delivery), 202)


async def list_deliveries(
    channel_id: UUID, organization_id: Reader, service: ServiceDep, limit: Limit = 100
) -> Response:
    """What was sent through it, or is to be, with every attempt."""
    await _channel(channel_id, organization_id, service)
    found = await service.channels.deliveries_of(organization_id, channel_id=str(channel_id), limit=limit)
    return data_response([delivery_view(one) for one in found])


async def _channel(channel_id: UUID, organization_id: str, service: Service) -> Channel:
    channel = await service.channels.channel(organization_id, str(channel_id))
    if channel is None:
        raise _no_channel(channel_id)
    return channel


def _no_channel(channel_id: UUID) -> NotFound:
    return NotFound(f"no channel of this organization has the id {channel_id}")


def _input(body: ChannelRequest | ChangeChannelRequest, name: str, kind: ChannelKind, drawn: str) -> ChannelInput:
    return ChannelInput(
        name=name,
        kind=kind,
        recipients=tuple(body.recipients),
        slack_channel=body.slack_channel,
        url=_text(body.url),
        token=_text(body.token),
        routing_key=_text(body.routing_key),
        signing_key=drawn or _text(body.signing_key),
    )


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _fields(channel: Channel) -> dict[str, object]:
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind,
        "recipients": list(channel.config.recipients),
        "slack_channel": channel.config.slack_channel,
        "server": channel.config.server,
        "private": channel.config.private,
        "kept_secrets": list(kept_secrets(channel)),
        "created_at": channel.created_at,
        "created_by": channel.created_by,
    }


def _listed(channel: Channel, last: DeliveryLog | None) -> ListedChannel:
    shown = None if last is None else delivery_view(last)
    return ListedChannel.model_validate({**_fields(channel), "last_delivery": shown})


def _new_view(channel: Channel, drawn: str) -> NewChannelView:
    return NewChannelView.model_validate({**_fields(channel), "signing_key": drawn or None})
