"""Erases a user, as the law of many countries wants it: what was said, and by whom. What it cost stays."""

import hashlib
import hmac
import logging
from typing import Final

import msgspec
from fastapi import Response

from schemas.api.users import ErasedUser, EraseUserRequest
from schemas.errors import Busy, NotFound
from services.ports.warehouse import AmendableWarehouse
from services.query.dependencies import ServiceDep
from services.query.http.auth import Admin
from services.query.http.responses import data_response
from services.sql.erasure import compile_erasure, compile_traces
from services.sql.values import shown

_PSEUDONYMS: Final = "pseudonyms"  # the name of a secret
_MAX_ROUNDS: Final = 3

logger = logging.getLogger(__name__)


async def erase_user(body: EraseUserRequest, organization_id: Admin, service: ServiceDep) -> Response:
    """Deletes the bodies of a user's requests, and puts a pseudonym in the place of the name. Totals stay as they are.

    It may take minutes. Rows that were copied meanwhile are looked for and erased too; 503 where they keep coming.
    Where it broke off, or the name came back later, it can be sent again, and leads to the same pseudonym.
    """
    pseudonym = _pseudonym(await service.secrets.of(_PSEUDONYMS), organization_id, body.user_id)
    users = (body.user_id, pseudonym)
    requests, traces = await _found(organization_id, users, service.warehouse)
    if not traces:
        raise NotFound(f"nothing names the user {shown(body.user_id)}")
    await erase_stored(organization_id, body.user_id, pseudonym, service.warehouse)
    logger.info("user erased", extra={"organization_id": organization_id, "count": requests})
    return data_response(ErasedUser(requests=requests, pseudonym=pseudonym))


async def erase_stored(organization_id: str, user_id: str, pseudonym: str, warehouse: AmendableWarehouse) -> None:
    """Raises: Busy where rows with the name are still being written after a few rounds; StoreUnavailable."""
    for _ in range(_MAX_ROUNDS):
        for statement in compile_erasure(organization_id, user_id, pseudonym):
            await warehouse.execute(statement)
        # Re-pricing, amendments and the roll-up copy what they have read, which may have been before.
        _, traces = await _found(organization_id, (user_id,), warehouse)
        if not traces:
            return
    raise Busy("rows of the user are being written just now: send it again, which erases the rest")


async def _found(organization_id: str, user_ids: tuple[str, ...], warehouse: AmendableWarehouse) -> tuple[int, int]:
    """How many requests have one of the users, and how many stored rows name one."""
    statement = msgspec.structs.replace(compile_traces(organization_id, user_ids), is_patient=True)
    (row,) = await warehouse.query(statement)
    return row["requests"], row["traces"]


def _pseudonym(secret: bytes, organization_id: str, user_id: str) -> str:
    """The same for the same user, and of no use to whoever lacks the secret."""
    name = f"{organization_id}\0{user_id}".encode(errors="surrogatepass")
    return f"erased-{hmac.new(secret, name, hashlib.sha256).hexdigest()[:16]}"
