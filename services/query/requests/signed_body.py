"""The bodies of one request, for whoever has its `signed_body_url`."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from schemas.api.requests import RawEvents
from schemas.errors import Forbidden
from schemas.tables import REQUEST_RESPONSE
from services.domain.exchange.signed_url import SIGNED_URLS, SignedBody, is_signed
from services.query.dependencies import ServiceDep
from services.query.http.responses import json_response
from services.query.requests.bodies import bodies_of, body_form
from services.query.requests.by_id import row_of


async def get_body(
    request_id: UUID,
    service: ServiceDep,
    organization: Annotated[str, Query(description="Whose request it is")],
    created_at: Annotated[str, Query(description="Its `request_created_at`")],
    expires: Annotated[int, Query(ge=0, le=2**53, description="Unix seconds")],
    signature: Annotated[str, Query(description="Of all of these")],
    *,
    rawEvents: RawEvents = False,  # noqa: N803
) -> Response:
    """The bodies of one request, for whoever has its `signed_body_url`; null where none is stored. No key is needed."""
    signed = SignedBody(
        organization_id=organization, request_id=str(request_id), created_at=created_at, expires_at_s=expires
    )
    if not is_signed(signed, signature, await service.secrets.of(SIGNED_URLS)):
        raise Forbidden("this URL is not signed by this Farebox: take it as it stands in `signed_body_url`")
    if int(service.clock.now().timestamp()) > expires:
        raise Forbidden("this URL has expired: request the row again, its `signed_body_url` is a new one")
    row, _ = await row_of(REQUEST_RESPONSE, organization, request_id, created_at, service)
    (bodies,) = await bodies_of(organization, [row], service, body_form(included=True, raw_events=rawEvents))
    content = {"request": bodies.request, "response": bodies.response}
    return json_response(content, headers={"Cache-Control": "private, no-store"})
