"""Erases a user, as the law of many countries wants it: what was said, and by whom. What it cost stays."""

import logging
from secrets import token_hex

from fastapi import Response

from schemas.api.users import ErasedUser, EraseUserRequest
from schemas.errors import NotFound
from services.query.dependencies import ServiceDep
from services.query.http.auth import Admin
from services.query.http.responses import data_response
from services.sql.erasure import compile_erasure, compile_requests_of_user
from services.sql.values import shown

logger = logging.getLogger(__name__)


async def erase_user(body: EraseUserRequest, organization_id: Admin, service: ServiceDep) -> Response:
    """Deletes the bodies of a user's requests, and puts a pseudonym in the place of the name. Totals stay as they are.

    It is done when it returns, and may take minutes. Requests that come later have the name again.
    """
    (found,) = await service.warehouse.query(compile_requests_of_user(organization_id, body.user_id))
    if not found["requests"]:
        raise NotFound(f"no request has the user {shown(body.user_id)}")
    pseudonym = f"erased-{token_hex(6)}"
    for statement in compile_erasure(organization_id, body.user_id, pseudonym):
        await service.warehouse.execute(statement)
    logger.info("user erased", extra={"organization_id": organization_id, "count": found["requests"]})
    return data_response(ErasedUser(requests=found["requests"], pseudonym=pseudonym))
