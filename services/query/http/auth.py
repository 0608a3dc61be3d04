"""API keys. A key reads and amends the rows of its organization, as it may; changing costs or keys takes `admin`."""

import asyncio
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from schemas.errors import Forbidden, Unauthenticated
from schemas.key import ApiKey, Permission
from services.query.dependencies import ServiceDep, service_of

_HEADER = APIKeyHeader(
    name="Authorization",
    auto_error=False,
    description="`Bearer <key>` or the key alone. It must be allowed to read, and to write where something is set on "
    "a request; prices, costs and keys change for `admin` only",
)


async def _key(request: Request, service: ServiceDep, header: Annotated[str | None, Depends(_HEADER)]) -> ApiKey:
    """Of the header, else of the dashboard's session. Raises: Unauthenticated, StoreUnavailable."""
    secret = _secret(header or "")
    if not secret:
        session = await service.sessions.key_of(request)
        if session is not None:
            return session
        raise Unauthenticated("no API key: send Authorization: Bearer <key>")
    key = await service.keys.key_of(secret)
    if key is None:
        raise Unauthenticated("this API key is unknown or revoked")
    return key


async def check_key(request: Request) -> str:
    """The organization of the key, before the body of `request` is read: only those with a key may have that done.

    It is set as `request.state.organization_id` too, from which the server knows a connection that has shown a key.
    Raises: Unauthenticated, StoreUnavailable.
    """
    key = await _key(request, service_of(request), request.headers.get("authorization"))
    request.state.organization_id = key.organization_id
    return key.organization_id


def _secret(header: str) -> str:
    """What follows the scheme, in any case as HTTP has it; all of it where there is none."""
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header.strip()


Key = Annotated[ApiKey, Depends(_key)]


async def _reader_key(request: Request, key: Key) -> ApiKey:
    """A query reads, whatever the HTTP method, so it ends when its client disconnects. Raises: Forbidden."""
    if key.permission is Permission.WRITE:
        raise Forbidden("this API key is write-only")
    request.state.reading = asyncio.current_task()
    return key


async def _reader(key: Annotated[ApiKey, Depends(_reader_key)]) -> str:
    return key.organization_id


async def _writer(key: Key) -> ApiKey:
    """Who may change what is shown, and no cost. Raises: Forbidden."""
    if key.permission is Permission.READ:
        raise Forbidden("this API key is read-only")
    return key


async def _admin_key(key: Key) -> ApiKey:
    """Who may change prices, what was charged, and keys, and clear the cache. Raises: Forbidden."""
    if key.permission is not Permission.ADMIN:
        raise Forbidden(
            "this API key may not change prices, costs or keys, nor clear the cache: create an admin key, "
            "`farebox keys create --permission admin`"
        )
    return key


async def _admin(key: Annotated[ApiKey, Depends(_admin_key)]) -> str:
    return key.organization_id


Reader = Annotated[str, Depends(_reader)]
ReaderKey = Annotated[ApiKey, Depends(_reader_key)]
Writer = Annotated[ApiKey, Depends(_writer)]
Admin = Annotated[str, Depends(_admin)]
AdminKey = Annotated[ApiKey, Depends(_admin_key)]
