"""Erases a user, as the law of many countries wants it: what was said, and by whom. What it cost stays."""

import hashlib
import hmac
import logging
from typing import Final

from fastapi import Response

from schemas.api.users import ErasedUser, EraseUserRequest
from schemas.errors import NotFound
from services.query.dependencies import ServiceDep
from services.query.http.auth import Admin
from services.query.http.responses import data_response
from services.sql.erasure import compile_erasure, compile_requests_of_users
from services.sql.values import shown

_PSEUDONYMS: Final = "pseudonyms"  # the name of a secret

logger = logging.getLogger(__name__)


async def erase_user(body: EraseUserRequest, organization_id: Admin, service: ServiceDep) -> Response:
    """Deletes the bodies of a user's requests, and puts a pseudonym in the place of the name. Totals stay as they are.

    It is done when it returns, and may take minutes. Where it broke off, or requests with the name came later, it can
    be sent again, and leads to the same pseudonym.
    """
    pseudonym = _pseudonym(await service.secrets.of(_PSEUDONYMS), organization_id, body.user_id)
    users = (body.user_id, pseudonym)
    (found,) = await service.warehouse.query(compile_requests_of_users(organization_id, users))
    if not found["requests"]:
        raise NotFound(f"no request has the user {shown(body.user_id)}")
    for statement in compile_erasure(organization_id, body.user_id, pseudonym):
        await service.warehouse.execute(statement)
    logger.info("user erased", extra={"organization_id": organization_id, "count": found["requests"]})
    return data_response(ErasedUser(requests=found["requests"], pseudonym=pseudonym))


def _pseudonym(secret: bytes, organization_id: str, user_id: str) -> str:
    """The same for the same user, and of no use to whoever lacks the secret."""
    name = f"{organization_id}\0{user_id}".encode(errors="surrogatepass")
    return f"erased-{hmac.new(secret, name, hashlib.sha256).hexdigest()[:16]}"
