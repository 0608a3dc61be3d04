"""Bodies and responses of the HTTP API about API keys: Helicone's names, and what they lack."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, SecretStr

from schemas.api.requests import UTC_NAME, Body, Timestamp, TimeZone, View
from schemas.key import Permission

MIN_SECRET: Final = 16
MAX_SECRET: Final = 256  # characters; the proxy takes no more
DAY_S: Final = 24 * 3600
MAX_OVERLAP_S: Final = 90 * DAY_S

KeyName = Annotated[str, Field(min_length=1, max_length=200, description="What people know it by", examples=["shop"])]


class _Named(Body):
    model_config = ConfigDict(alias_generator=None)


class KeyTagsRequest(_Named):
    """Tags by name: properties, or Helicone-User-Id and the like."""

    forced: dict[str, str] = Field(
        default_factory=dict, description="Of every request, whatever the client sends", examples=[{"team": "search"}]
    )
    default: dict[str, str] = Field(default_factory=dict, description="Of requests that do not set them")
    required: list[str] = Field(default_factory=list, description="That requests must set", examples=[["Feature"]])


class KeyRequest(_Named):
    api_key_name: KeyName
    key_permissions: Permission = Field(
        Permission.READ_WRITE, description="`rw` sends requests and queries, `r` and `w` do one of both, `admin` all"
    )
    tags: KeyTagsRequest = Field(default_factory=KeyTagsRequest)
    expires_at: str | None = Field(None, description="ISO 8601; by default never")
    secret: SecretStr | None = Field(
        None,
        min_length=MIN_SECRET,
        max_length=MAX_SECRET,
        description="One that exists, such as a key of Helicone's: clients keep it. By default a new one is drawn",
    )
    time_zone: TimeZone = UTC_NAME


class RenameKeyRequest(_Named):
    api_key_name: KeyName


class RotateKeyRequest(_Named):
    overlap_s: int = Field(
        DAY_S, strict=True, ge=0, le=MAX_OVERLAP_S, description="Seconds for which the old secret stays valid beside it"
    )


class KeyTagsView(View):
    forced: dict[str, str]
    default: dict[str, str]
    required: list[str]


class ApiKeyView(View):
    """A key without its secret."""

    id: str
    api_key_name: str
    key_permissions: Permission
    state: Literal["active", "expired", "revoked"]
    hint: str = Field(description="The last characters of its newest secret")
    is_own: bool = Field(description="This request was made with it")
    created_at: Timestamp
    created_by: str = Field(description="The id of the key that asked for it, or `cli`")
    expires_at: Timestamp | None
    last_used_at: Timestamp | None = Field(description="To within some five minutes; null when never")
    rotated_at: Timestamp | None = Field(description="When it got its newest secret, if that is not the first")
    rotated_by: str
    old_secret_until: Timestamp | None = Field(description="The secret before is, or was, valid until then")
    revoked_at: Timestamp | None
    revoked_by: str
    tags: KeyTagsView


class NewKeyView(View):
    """A new secret: it is shown this once, and only its hash is kept."""

    id: str
    api_key: str | None = Field(
        serialization_alias="apiKey", description="The secret; null where the client has sent its own"
    )
    hashed_key: str = Field(serialization_alias="hashedKey", description="What is kept of it, as Helicone hashes keys")
    key: ApiKeyView
