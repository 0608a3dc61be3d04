"""An amendment as it is stored: names in lower case, as those of a row, and timestamps that the warehouse can hold."""

import uuid
from datetime import UTC, datetime
from typing import Final

from schemas.amendment import Amendment, StoredAmendment
from schemas.errors import UndecodableEvent
from schemas.timestamps import EPOCH, unix_us, whole_milliseconds

_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2299, 12, 31, tzinfo=UTC)


def to_stored(amendment: Amendment) -> StoredAmendment:
    """Raises: UndecodableEvent where no request has such an id or timestamp."""
    properties: dict[str, str] = {}
    spellings: dict[str, str] = {}
    for name, value in amendment.properties.items():
        lowered = name.lower()
        if lowered not in properties:  # of two spellings the first counts, as in a request's headers
            properties[lowered], spellings[lowered] = value, name
    return StoredAmendment(
        organization_id=amendment.organization_id,
        request_id=_id(amendment.request_id),
        amended_us=max(0, unix_us(_aware(amendment.recorded_at))),
        amendment_id=_id(amendment.amendment_id),
        request_created_at=EPOCH if amendment.created_at is None else _created_at(amendment.created_at),
        key_id=amendment.key_id,
        properties=properties,
        spellings=spellings,
        scores=dict(amendment.scores),
    )


def _id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise UndecodableEvent("an amendment's ids are UUIDs") from error


def _created_at(timestamp: datetime) -> datetime:
    timestamp = _aware(timestamp)
    if not _EARLIEST <= timestamp <= _LATEST:
        raise UndecodableEvent("an amendment names a timestamp that no request has")
    return whole_milliseconds(timestamp)


def _aware(timestamp: datetime) -> datetime:
    return timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)
