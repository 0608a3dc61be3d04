"""API keys: whoever may read sees them, and an admin key makes, renames, rotates and revokes them."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response

from schemas.api.keys import (
    DAY_S,
    ApiKeyView,
    KeyRequest,
    KeyTagsRequest,
    KeyTagsView,
    NewKeyView,
    RenameKeyRequest,
    RotateKeyRequest,
)
from schemas.errors import InvalidRequest, NotFound
from schemas.key import ApiKey, KeyTags
from services.domain.attribution.key_tags import parse_key_tags
from services.key_secrets import check_secret, hash_of
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import AdminKey, ReaderKey
from services.query.http.responses import data_response
from services.query.reports.period import parse_timestamp
from services.query.time_zone import zone_of

WithRevoked = Annotated[bool, Query(description="Those too that were revoked, which Helicone leaves out")]


async def list_keys(own: ReaderKey, service: ServiceDep, include_revoked: WithRevoked = False) -> Response:
    """The organization's keys, without their secrets, the oldest first."""
    keys = await service.managed_keys.list_keys(own.organization_id)
    shown = [key for key in keys if include_revoked or key.revoked_at is None]
    return data_response([key_view(key, own, service.clock.now()) for key in shown])


async def create_key(body: KeyRequest, own: AdminKey, service: ServiceDep) -> Response:
    """Makes a key, or takes one that exists. A new secret is in this response and in no other."""
    given = body.secret.get_secret_value() if body.secret else ""
    if given:
        check_secret(given)
    key, secret = await service.managed_keys.create_key(
        organization_id=own.organization_id,
        name=_name(body.api_key_name),
        permission=body.key_permissions,
        tags=_tags(body.tags),
        expires_at=_expiry(body, service.clock.now()),
        secret=given,
        created_by=own.id,
    )
    return _new_key(key, own, secret, service, is_known=bool(given), status=201)


async def rename_key(key_id: UUID, body: RenameKeyRequest, own: AdminKey, service: ServiceDep) -> Response:
    """Calls it something else. Its id, by which its cost is counted, stays."""
    found = await service.managed_keys.rename_key(own.organization_id, str(key_id), _name(body.api_key_name))
    return await _changed(key_id, found, own, service)


async def rotate_key(
    key_id: UUID, own: AdminKey, service: ServiceDep, body: RotateKeyRequest | None = None
) -> Response:
    """Gives it a new secret, which is in this response only. The old one stays valid for `overlap_s` seconds."""
    overlap = timedelta(seconds=DAY_S if body is None else body.overlap_s)
    rotated = await service.managed_keys.rotate_key(
        own.organization_id, str(key_id), overlap=overlap, rotated_by=own.id
    )
    if rotated is None:
        raise _no_key(key_id)
    key, secret = rotated
    return _new_key(key, own, secret, service)


async def revoke_key(key_id: UUID, own: AdminKey, service: ServiceDep) -> Response:
    """Ends it, with all its secrets, and the dashboard's sessions that were begun with one of them."""
    found = await service.managed_keys.revoke_key(own.organization_id, str(key_id), revoked_by=own.id)
    return await _changed(key_id, found, own, service)


async def _changed(key_id: UUID, found: bool, own: ApiKey, service: Service) -> Response:
    keys = await service.managed_keys.list_keys(own.organization_id) if found else []
    key = next((key for key in keys if key.id == str(key_id)), None)
    if key is None:
        raise _no_key(key_id)
    return data_response(key_view(key, own, service.clock.now()))


def _new_key(
    key: ApiKey, own: ApiKey, secret: str, service: Service, *, is_known: bool = False, status: int = 200
) -> Response:
    view = key_view(key, own, service.clock.now())
    shown = None if is_known else secret
    return data_response(NewKeyView(id=key.id, api_key=shown, hashed_key=hash_of(secret), key=view), status)


def _no_key(key_id: UUID) -> NotFound:
    return NotFound(f"no active key of this organization has the id {key_id}")


def key_view(key: ApiKey, own: ApiKey, now: datetime) -> ApiKeyView:
    """`key` as the holder of the key `own` sees it."""
    tags = key.tags or KeyTags()
    same = ("id", "hint", "created_at", "created_by", "expires_at", "last_used_at")
    changes = ("rotated_at", "rotated_by", "old_secret_until", "revoked_at", "revoked_by")
    return ApiKeyView(
        **{name: getattr(key, name) for name in (*same, *changes)},
        api_key_name=key.name,
        key_permissions=key.permission,
        state=_state(key, now),
        is_own=key.id == own.id,
        tags=KeyTagsView(forced=tags.forced, default=tags.default, required=list(tags.required)),
    )


def _state(key: ApiKey, now: datetime) -> Literal["active", "expired", "revoked"]:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


def _name(text: str) -> str:
    """Raises: InvalidRequest."""
    name = text.strip()
    if not name or not name.isprintable():
        raise InvalidRequest("api_key_name: a key needs a name that people know it by")
    return name


def _tags(given: KeyTagsRequest) -> KeyTags | None:
    """Raises: InvalidRequest."""
    for name in (*given.forced, *given.default):
        if "=" in name:
            raise InvalidRequest(f"tags: {name[:100]!r} is no name of a tag")
    forced, default = ([f"{name}={value}" for name, value in some.items()] for some in (given.forced, given.default))
    return parse_key_tags(forced, default, given.required)


def _expiry(body: KeyRequest, now: datetime) -> datetime | None:
    """Raises: InvalidRequest."""
    if body.expires_at is None:
        return None
    at = parse_timestamp(body.expires_at, "expires_at", zone_of(body.time_zone, "time_zone"))
    if at <= now:
        raise InvalidRequest("expires_at: this is past; a key that ends now is revoked")
    return at
