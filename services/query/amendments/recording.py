"""Takes an amendment: finds out which request is meant, and hands the event to the log."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.amendment import MAX_NAMES, Amendment
from schemas.errors import Busy, Conflict, StoreUnavailable
from schemas.key import ApiKey
from schemas.versions import MAX_AMENDMENTS, amendments_in
from services.query.dependencies import Service
from services.sql.amendments import compile_latest_of_id

LOOK_UP_S: Final = 2.0  # after this, and while the warehouse is unavailable, the worker finds the request by its id

logger = logging.getLogger(__name__)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is set on a request."""

    properties: Mapping[str, str] = {}
    scores: Mapping[str, int] = {}


async def record(
    change: Change, request_id: str, key: ApiKey, service: Service, *, created_at: datetime | None = None
) -> None:
    """On return the change is durable. `created_at` says which request of an id that was used again.

    Raises: Conflict; BrokerUnavailable when the event was lost.
    """
    of_request = await _created_at(change, request_id, key, service, created_at)
    amendment = Amendment(
        organization_id=key.organization_id,
        request_id=request_id,
        amendment_id=service.draw_id(),
        recorded_at=service.clock.now(),  # behind the look-up: seals count on the log to have it at once
        created_at=of_request,
        properties=dict(change.properties),
        scores=dict(change.scores),
        key_id=key.id,
    )
    await service.sink.publish(amendment)


async def _created_at(
    change: Change, request_id: str, key: ApiKey, service: Service, named: datetime | None
) -> datetime | None:
    """When the request was created that is meant; None where it is not there yet. Raises: Conflict."""
    try:
        async with asyncio.timeout(LOOK_UP_S):
            rows = await service.warehouse.query(compile_latest_of_id(key.organization_id, request_id, named))
    except (StoreUnavailable, Busy, TimeoutError) as error:
        logger.info("an amendment is taken without its row", extra={"reason": str(error) or type(error).__name__})
        return named
    if not rows:
        return named
    (row,) = rows
    _check_room(change, request_id, row)
    created_at: datetime = row["request_created_at"]
    return created_at


def _check_room(change: Change, request_id: str, row: Mapping[str, Any]) -> None:
    """Raises: Conflict."""
    if amendments_in(row["version"]) >= MAX_AMENDMENTS:
        raise Conflict(f"request {request_id} was amended {MAX_AMENDMENTS:,} times already")
    _check_names("properties", [name.lower() for name in change.properties], request_id, row["property_names"])
    _check_names("scores", list(change.scores), request_id, row["score_names"])


def _check_names(kind: str, names: Sequence[str], request_id: str, known: Sequence[str]) -> None:
    new = sorted(set(names) - set(known))
    if new and len(known) + len(new) > MAX_NAMES:
        raise Conflict(f"{new[0]!r} is one too many: request {request_id} may have {MAX_NAMES:,} {kind}")
