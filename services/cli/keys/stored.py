"""API keys by hand, in the state database: create, import, list, rotate and revoke them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from rich.text import Text

from schemas.errors import Conflict, InvalidRequest, NotFound
from schemas.key import CLI, ApiKey, KeyTags, Permission
from services.cli.terminal import day, escape, minute
from services.key_secrets import check_secret

if TYPE_CHECKING:
    from services.stores.state.api_keys import SqlKeyStore

T = TypeVar("T")

PERMISSIONS: Final = {  # in the words of `--permission`
    Permission.READ_WRITE: "call and query",
    Permission.WRITE: "call only",
    Permission.READ: "query only",
    Permission.ADMIN: "everything, also changing prices and keys",
}


def create_key(
    state: str,
    *,
    organization_id: str,
    name: str,
    permission: Permission,
    tags: KeyTags | None = None,
    expires_at: datetime | None = None,
) -> str:
    """The secret of the new key. Raises: InvalidRequest, StoreUnavailable, InvalidSetting."""
    if not name.strip():
        raise InvalidRequest("a key needs a name that people know it by: --name")

    async def create(keys: "SqlKeyStore") -> str:
        _, secret = await keys.create_key(
            organization_id=organization_id, name=name, permission=permission, tags=tags, expires_at=expires_at
        )
        return secret

    return _with_keys(state, create)


def parse_secrets(text: str, name: str) -> Sequence[tuple[str, str]]:
    """A secret a line, with the name after it or `name`. Raises: InvalidRequest, which names the line alone."""
    given = []
    for number, line in enumerate(text.splitlines(), 1):
        secret, _, own_name = line.strip().partition(" ")
        if secret:
            try:
                check_secret(secret)
            except InvalidRequest as error:
                raise InvalidRequest(f"line {number}: {error}") from None
            given.append((secret, own_name.strip() or name))
    if not given:
        raise InvalidRequest("there are no secrets: give one a line, and a name after it if you like")
    return given


def import_keys(
    state: str, *, organization_id: str, given: Sequence[tuple[str, str]], permission: Permission
) -> tuple[int, int]:
    """How many were taken, and how many were keys already. Raises: StoreUnavailable, InvalidSetting."""

    async def take(keys: "SqlKeyStore") -> int:
        taken = 0
        for secret, name in given:
            with suppress(Conflict):
                await keys.create_key(organization_id=organization_id, name=name, permission=permission, secret=secret)
                taken += 1
        return taken

    taken = _with_keys(state, take)
    return taken, len(given) - taken


def list_keys(state: str, *, organization_id: str) -> Sequence[ApiKey]:
    """Raises: StoreUnavailable, InvalidSetting."""
    return _with_keys(state, lambda keys: keys.list_keys(organization_id))


def rotate_key(state: str, *, organization_id: str, key_id: str, overlap: timedelta) -> str:
    """The new secret. Raises: NotFound when there is no such active key; StoreUnavailable, InvalidSetting."""

    async def rotate(keys: "SqlKeyStore") -> str:
        rotated = await keys.rotate_key(organization_id, key_id, overlap=overlap, rotated_by=CLI)
        if rotated is None:
            raise _no_key(organization_id, key_id)
        return rotated[1]

    return _with_keys(state, rotate)


def revoke_key(state: str, *, organization_id: str, key_id: str) -> None:
    """Raises: NotFound when there is no such active key; StoreUnavailable, InvalidSetting."""

    async def revoke(keys: "SqlKeyStore") -> None:
        if not await keys.revoke_key(organization_id, key_id):
            raise _no_key(organization_id, key_id)

    _with_keys(state, revoke)


def _no_key(organization_id: str, key_id: str) -> NotFound:
    return NotFound(f"no active key has the id {key_id!r} in organization {organization_id!r}")


def listed_keys(keys: Sequence[ApiKey]) -> Iterator[Text]:
    """The keys for people; a secret is never in it."""
    for key in keys:
        yield Text(key.id, style="bold")
        permission = f"{key.permission.value} ({PERMISSIONS[key.permission]})"
        yield Text(f"  {escape(key.name)}: permission {permission}, ends in {key.hint}")
        yield Text(f"  made {day(key.created_at)}{''.join(_dates(key))}")
        if key.tags is not None:
            yield Text(f"  {escape(_listed_tags(key.tags))}")
    if not keys:
        yield Text("There are no keys yet: farebox keys create")


def _dates(key: ApiKey) -> Iterator[str]:
    if key.rotated_at and key.old_secret_until:
        yield f", rotated {day(key.rotated_at)} (old secret until {minute(key.old_secret_until)})"
    if key.expires_at:
        yield f", expires {minute(key.expires_at)}"
    yield f", last used {day(key.last_used_at)}" if key.last_used_at else ", never used"
    if key.revoked_at:
        yield f", revoked {day(key.revoked_at)}"


def _listed_tags(tags: KeyTags) -> str:
    forced = [f"{name}={value}" for name, value in tags.forced.items()]
    default = [f"{name}={value}" for name, value in tags.default.items()]
    parts = (("forces", forced), ("defaults to", default), ("requires", tags.required))
    return "; ".join(f"{what} {', '.join(which)}" for what, which in parts if which)


def _with_keys(state: str, act: "Callable[[SqlKeyStore], Awaitable[T]]") -> T:
    # The stores take longer to load than most commands to run.
    from services.stores.factory import open_keys
    from services.stores.state.migrations.run import migrate_state

    async def act_on_store() -> T:
        await migrate_state(state)
        keys = open_keys(state)
        try:
            return await act(keys)
        finally:
            await keys.close()

    return asyncio.run(act_on_store())
