"""The channels that a body names, each by its id."""

from collections.abc import Iterable, Mapping

from schemas.channel import ChannelKind
from schemas.errors import InvalidRequest
from services.query.dependencies import Service


async def known_kinds(channel_ids: Iterable[str], organization_id: str, service: Service) -> Mapping[str, ChannelKind]:
    """What each of them is. Raises: InvalidRequest where one is no channel of the organization; StoreUnavailable."""
    kinds = {one.id: one.kind for one in await service.channels.channels_of(organization_id)}
    named = list(channel_ids)
    for channel_id in named:
        if channel_id not in kinds:
            raise InvalidRequest(f"channel_ids: no channel of this organization has the id {channel_id[:64]!r}")
    return {channel_id: kinds[channel_id] for channel_id in named}
