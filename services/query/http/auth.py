"""Who asks. A key sees the rows of its organization and no others, if it may read; to change costs takes an admin's."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from schemas.errors import Forbidden, Unauthenticated
from schemas.key import Permission
from services.query.dependencies import GivenService, service_of

_HEADER = APIKeyHeader(
    name="Authorization",
    auto_error=False,
    description="`Bearer <key>` or the key alone. It must be allowed to read; prices and costs change for `admin` only",
)


async def _owner(service: GivenService, header: Annotated[str | None, Depends(_HEADER)]) -> tuple[str, Permission]:
    """The organization of the key, and what the key may do. Raises: Unauthenticated, StoreUnavailable."""
    secret = _secret(header or "")
    if not secret:
        raise Unauthenticated("no API key: send Authorization: Bearer <key>")
    owner = await service.keys.organization_of(secret)
    if owner is None:
        raise Unauthenticated("this API key is unknown or revoked")
    return owner


async def check_key(request: Request) -> str:
    """The organization of the key, before the body of `request` is read: only those with a key may have that done.

    It is noted as `request.state.organization_id` too, from which the server knows a connection of somebody with a key.
    Raises: Unauthenticated, StoreUnavailable.
    """
    organization_id, _ = await _owner(service_of(request), request.headers.get("authorization"))
    request.state.organization_id = organization_id
    return organization_id


def _secret(header: str) -> str:
    """What follows the scheme, in any case as HTTP has it; all of it where there is none."""
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header.strip()


Owner = Annotated[tuple[str, Permission], Depends(_owner)]


async def _reader(owner: Owner) -> str:
    """Asking is reading, whatever the HTTP method. Raises: Forbidden."""
    organization_id, permission = owner
    if permission is Permission.WRITE:
        raise Forbidden("this API key may write and not read")
    return organization_id


async def _admin(owner: Owner) -> str:
    """Who may change prices, and what was charged. Raises: Forbidden."""
    organization_id, permission = owner
    if permission is not Permission.ADMIN:
        raise Forbidden(
            "this API key may not change prices or costs: make one that may with "
            "`farebox keys create --permission admin`"
        )
    return organization_id


Reader = Annotated[str, Depends(_reader)]
Admin = Annotated[str, Depends(_admin)]
