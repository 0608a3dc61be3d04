"""What an operator decides and a deployment shares, in the state database: keys, secrets, leases, upstreams."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from schemas.key import CLI, ApiKey, KeyTags, Permission
from schemas.upstream import NamedUpstream


class KeyStore(Protocol):
    """API keys, stored as hashes, as those need them who are shown a key."""

    async def organization_of(self, secret: str) -> tuple[str, Permission] | None:
        """Whose key `secret` is and what it may do; None when it is none in force. It counts as no use of the key.

        Raises: StoreUnavailable.
        """
        ...

    async def key_of(self, secret: str) -> ApiKey | None:
        """The key that `secret` is; None when unknown or revoked. Raises: ExpiredKey, StoreUnavailable."""
        ...


class Secrets(Protocol):
    """What all processes of a deployment know, and nobody else."""

    async def secret(self, name: str) -> bytes:
        """256 random bits, the same for ever and in every process. Raises: StoreUnavailable."""
        ...


class ManagedKeys(KeyStore, Protocol):
    """The same, as those need them who manage keys. All raise StoreUnavailable."""

    async def key_by_secret_id(self, secret_id: str) -> ApiKey | None:
        """As `key_of`, for those who were shown the secret before. Raises: ExpiredKey."""
        ...

    async def create_key(
        self,
        *,
        organization_id: str,
        name: str,
        permission: Permission,
        tags: KeyTags | None = None,
        expires_at: datetime | None = None,
        secret: str = "",
        created_by: str = CLI,
    ) -> tuple[ApiKey, str]:
        """The new key and its secret, which is never to be had again.

        `secret` is one that exists, such as a key of Helicone's; '' draws one. Raises: Conflict when it is a key's.
        """
        ...

    async def list_keys(self, organization_id: str) -> Sequence[ApiKey]: ...

    async def rename_key(self, organization_id: str, key_id: str, name: str) -> bool:
        """False when there is no such key in force."""
        ...

    async def rotate_key(
        self, organization_id: str, key_id: str, *, overlap: timedelta, rotated_by: str
    ) -> tuple[ApiKey, str] | None:
        """The key with a new secret, and that one; older ones end after `overlap`. None as for `rename_key`."""
        ...

    async def revoke_key(self, organization_id: str, key_id: str, *, revoked_by: str = CLI) -> bool:
        """False when there is no such key in force."""
        ...


class Leases(Protocol):
    """What one process at a time does, among all of a deployment."""

    async def hold(self, name: str, holder: str, *, at: datetime, until: datetime) -> bool:
        """Whether `holder` has the lease until then: it had it, or nobody did at `at`. Raises: StoreUnavailable."""
        ...


class Upstreams(Protocol):
    """Servers that an operator added by name. Raises: StoreUnavailable."""

    async def upstreams_of(self, organization_id: str) -> Sequence[NamedUpstream]:
        """By name."""
        ...

    async def provider_keys_of(self, organization_id: str) -> Mapping[str, str]:
        """The providers' keys that are stored for its upstreams, by their names, without those that cannot be read."""
        ...

    async def add_upstream(self, organization_id: str, upstream: NamedUpstream, *, provider_key: str = "") -> None:
        """With a key exactly where its credentials are stored. Raises: Conflict where it has one of this name."""
        ...

    async def replace_provider_key(self, organization_id: str, name: str, provider_key: str) -> bool:
        """False when there is no upstream of this name whose credentials are stored."""
        ...

    async def remove_upstream(self, organization_id: str, name: str) -> bool:
        """With its key. False when there is none of this name."""
        ...


class HiddenProperties(Protocol):
    """Names of properties, in lower case, that an organization leaves out of its list. Raises: StoreUnavailable."""

    async def hide_property(self, organization_id: str, key: str) -> None: ...

    async def restore_property(self, organization_id: str, key: str) -> None: ...

    async def hidden_properties(self, organization_id: str) -> frozenset[str]: ...
