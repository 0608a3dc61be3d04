"""Setting properties, scores and feedback. The response comes when the event is durable, not when the row shows it.

A request's row comes a moment after its response, so an id that is not there yet is no error: what is set on it waits
for the row, for ever if need be.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from schemas.amendment import FEEDBACK
from schemas.api.amendments import FeedbackRequest, PropertyRequest, ScoresRequest
from schemas.budget import OWN_PROPERTIES
from schemas.errors import InvalidRequest
from schemas.key import ApiKey
from schemas.tables import REQUEST_RESPONSE, Operator
from services.domain.attribution.key_tags import check_key_tag
from services.query.amendments.recording import Change, record
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Writer
from services.query.http.responses import data_response
from services.sql.values import parse_value

CreatedAt = Annotated[
    str | None,
    Query(description="Where an id was used again, which one: its request_created_at. By default the latest"),
]


async def put_property(
    request_id: UUID, body: PropertyRequest, key: Writer, service: ServiceDep, *, created_at: CreatedAt = None
) -> Response:
    """Sets one property of a request, in place of the value that it had. Those that budgets set stay."""
    if body.key.lower() in OWN_PROPERTIES:
        raise InvalidRequest(f"{body.key} is set by budgets, and by nobody else")
    if key.tags is not None:
        check_key_tag(body.key, body.value, key.tags)
    return await _amended(Change(properties={body.key: body.value}), request_id, key, service, created_at)


async def post_feedback(
    request_id: UUID, body: FeedbackRequest, key: Writer, service: ServiceDep, *, created_at: CreatedAt = None
) -> Response:
    """Rates a response: the score `helicone-score-feedback`, 1 or 0. The latest rating counts."""
    return await _amended(Change(scores={FEEDBACK: int(body.rating)}), request_id, key, service, created_at)


async def post_scores(
    request_id: UUID, body: ScoresRequest, key: Writer, service: ServiceDep, *, created_at: CreatedAt = None
) -> Response:
    """Sets scores of a request. Those of other names stay."""
    scores = {name: int(score) for name, score in body.scores.items()}
    return await _amended(Change(scores=scores), request_id, key, service, created_at)


async def _amended(change: Change, request_id: UUID, key: ApiKey, service: Service, created_at: str | None) -> Response:
    """Raises: InvalidRequest, Conflict; BrokerUnavailable when the event was lost."""
    await record(change, str(request_id), key, service, created_at=_parsed(created_at))
    return data_response(None, 201)


def _parsed(created_at: str | None) -> datetime | None:
    if created_at is None:
        return None
    timestamp = parse_value(REQUEST_RESPONSE.columns["request_created_at"], Operator.EQUALS, created_at, "created_at")
    assert isinstance(timestamp, datetime)
    return timestamp
