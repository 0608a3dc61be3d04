"""API keys: what a client shows, and what it may do with it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from schemas.upstream import NamedUpstream

NO_PROVIDER_KEYS: Final[Mapping[str, str]] = MappingProxyType({})
CLI: Final = "cli"  # who works on the state database by hand: `farebox keys`


class Permission(StrEnum):
    ADMIN = "admin"  # everything: what `rw` may, and to change prices, what was charged, and keys
    READ_WRITE = "rw"  # sends traffic and queries
    READ = "r"
    WRITE = "w"


class MissingTags(StrEnum):
    """What becomes of a request without a tag that its key requires."""

    REFUSE = "refuse"
    UNATTRIBUTED = "unattributed"  # it is recorded under this value


class KeyTags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tags of a key, by name: properties and the like of `Helicone-User-Id`. Names match without regard to case."""

    forced: dict[str, str] = {}  # whatever the client sends
    default: dict[str, str] = {}  # where the client sends none
    required: tuple[str, ...] = ()


class KeyOwner(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a request is sent, and by which key."""

    organization_id: str
    key_id: str
    tags: KeyTags | None = None  # None, for most keys, costs a request nothing
    upstreams: tuple[NamedUpstream, ...] = ()  # of its organization, likewise
    expires_at: datetime | None = None
    provider_keys: Mapping[str, str] = NO_PROVIDER_KEYS  # that are stored for these, by their names

    def __repr__(self) -> str:
        return f"KeyOwner({self.organization_id}, {self.key_id})"  # without the providers' keys


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key. Its secrets are not here: only their hashes are kept, and each is shown once.

    A rotation gives a key a new secret. The key itself, its id, tags and permission, stays what it was.
    """

    id: str  # UUID
    organization_id: str
    name: str
    permission: Permission
    secret_id: str = ""  # of the secret by which it was found, else of the newest one
    hint: str  # the last four characters of that secret, so that people can tell keys apart
    created_at: datetime
    created_by: str = ""  # the id of the key that asked for it, or `CLI`
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""
    rotated_at: datetime | None = None  # when it got the newest secret
    rotated_by: str = ""
    old_secret_until: datetime | None = None  # the one before is, or was, valid until then
    last_used_at: datetime | None = None  # to within minutes
    tags: KeyTags | None = None
