"""Who asks. A key that may read sees the rows of its organization and no others."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyHeader

from schemas.errors import Forbidden, Unauthenticated
from schemas.key import Permission
from services.query.service import Asked

_HEADER = APIKeyHeader(
    name="Authorization", auto_error=False, description="`Bearer <key>` or the key alone; it must be allowed to read"
)


async def _organization(service: Asked, header: Annotated[str | None, Depends(_HEADER)]) -> str:
    """The organization of the key. Asking is reading, whatever the HTTP method.

    Raises: Unauthenticated, Forbidden, StoreUnavailable.
    """
    secret = (header or "").removeprefix("Bearer ").strip()
    if not secret:
        raise Unauthenticated("no API key: send Authorization: Bearer <key>")
    owner = await service.keys.organization_of(secret)
    if owner is None:
        raise Unauthenticated("this API key is unknown or revoked")
    organization_id, permission = owner
    if permission is Permission.WRITE:
        raise Forbidden("this API key may write and not read")
    return organization_id


Reader = Annotated[str, Depends(_organization)]
