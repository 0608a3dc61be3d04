"""API keys: what a client shows, and what it may do with it."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Permission(StrEnum):
    ADMIN = "admin"  # everything: what `rw` may, and to change prices and what was charged
    READ_WRITE = "rw"  # sends traffic and queries
    READ = "r"
    WRITE = "w"


class KeyOwner(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a request is sent, and by which key."""

    organization_id: str
    key_id: str


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key. The secret itself is not here: only its hash is kept, and it is shown once."""

    id: str  # UUID
    organization_id: str
    name: str
    permission: Permission
    hint: str  # the last four characters, so that people can tell keys apart
    created_at: datetime
    revoked_at: datetime | None = None
