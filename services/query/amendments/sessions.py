"""Feedback and a tag of a session: properties of one of its requests, the first, as Helicone has its feedback."""

from fastapi import Response

from schemas.amendment import SESSION_FEEDBACK, SESSION_TAG
from schemas.api.amendments import FeedbackRequest, TagRequest
from schemas.errors import NotFound
from schemas.key import ApiKey
from services.domain.attribution.key_tags import check_key_tag
from services.query.amendments.recording import Change, record
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader, Writer
from services.query.http.responses import data_response
from services.sql.amendments import compile_bearer, compile_set_on_session
from services.sql.nodes import key_of


async def rate_session(session_id: str, body: FeedbackRequest, key: Writer, service: ServiceDep) -> Response:
    """Rates a session: the property `Helicone-Session-Feedback`, 1 or 0. The latest rating counts."""
    return await _set(session_id, SESSION_FEEDBACK, str(int(body.rating)), key, service)


async def tag_session(session_id: str, body: TagRequest, key: Writer, service: ServiceDep) -> Response:
    """Sets the tag of a session, in place of the one that it had."""
    return await _set(session_id, SESSION_TAG, body.tag, key, service)


async def tag_of_session(session_id: str, organization_id: Reader, service: ServiceDep) -> Response:
    """The tag that was set last; null where there is none."""
    rows = await service.warehouse.query(compile_set_on_session(organization_id, session_id, SESSION_TAG))
    return data_response((rows[0]["value"] or None) if rows else None)


async def _set(session_id: str, name: str, value: str, key: ApiKey, service: Service) -> Response:
    """Raises: NotFound, Conflict, StoreUnavailable; BrokerUnavailable when the event was lost."""
    if key.tags is not None:
        check_key_tag(name, value, key.tags)
    rows = await service.warehouse.query(compile_bearer(key.organization_id, session_id, name))
    if not rows or not session_id:
        raise NotFound(f"no request of session {session_id} is there yet")
    bearer = key_of(rows[0])
    await record(
        Change(properties={name: value}), bearer.request_id, key, service, created_at=bearer.request_created_at
    )
    return data_response(None)
