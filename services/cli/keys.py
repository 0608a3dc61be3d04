"""API keys by hand: make one, look at them, take one out of force."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar

from rich.text import Text

from schemas.errors import InvalidRequest, NotFound
from schemas.key import ApiKey, Permission
from services.cli.terminal import day, escape
from services.stores.factory import open_keys
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.migrations.run import migrate_state

T = TypeVar("T")

PERMISSIONS: Final = {  # in the words of `--permission`
    Permission.READ_WRITE: "call and query",
    Permission.WRITE: "call only",
    Permission.READ: "query only",
    Permission.ADMIN: "all, and change prices",
}


def create_key(state: str, *, organization_id: str, name: str, permission: Permission) -> str:
    """The secret of the new key. Raises: InvalidRequest, StoreUnavailable, InvalidSetting."""
    if not name.strip():
        raise InvalidRequest("a key needs a name that people know it by: --name")

    async def create(keys: SqlKeyStore) -> str:
        _, secret = await keys.create_key(organization_id=organization_id, name=name, permission=permission)
        return secret

    return _with_keys(state, create)


def list_keys(state: str, *, organization_id: str) -> Sequence[ApiKey]:
    """Raises: StoreUnavailable, InvalidSetting."""
    return _with_keys(state, lambda keys: keys.list_keys(organization_id))


def revoke_key(state: str, *, organization_id: str, key_id: str) -> None:
    """Raises: NotFound when there is no such key in force; StoreUnavailable, InvalidSetting."""

    async def revoke(keys: SqlKeyStore) -> None:
        if not await keys.revoke_key(organization_id, key_id):
            raise NotFound(f"no key in force has the id {key_id!r} in organization {organization_id!r}")

    _with_keys(state, revoke)


def listed_keys(keys: Sequence[ApiKey]) -> Iterator[Text]:
    """The keys for people; a secret is never in it."""
    for key in keys:
        revoked = f", revoked {day(key.revoked_at)}" if key.revoked_at else ""
        yield Text(key.id, style="bold")
        yield Text(
            f"  {escape(key.name)}: may {key.permission.value} ({PERMISSIONS[key.permission]}), ends in {key.hint}"
        )
        yield Text(f"  made {day(key.created_at)}{revoked}")
    if not keys:
        yield Text("There are no keys yet: farebox keys create")


def _with_keys(state: str, act: Callable[[SqlKeyStore], Awaitable[T]]) -> T:
    async def act_on_store() -> T:
        await migrate_state(state)
        keys = open_keys(state)
        try:
            return await act(keys)
        finally:
            await keys.close()

    return asyncio.run(act_on_store())
