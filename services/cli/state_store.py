"""A store of the state database, opened for one command and closed behind it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from services.embedded.data_folder import DataFolder, existing
from services.settings.processes import Settings


class Store(Protocol):
    async def close(self) -> None: ...


S = TypeVar("S", bound=Store)
T = TypeVar("T")


def with_store(
    data: Path, open_store: Callable[[str, str], S], act: Callable[[S], Awaitable[T]], *, is_there: bool = False
) -> T:
    """What `act` returns of what `open_store` opens, from the database's URL and the encryption key.

    `is_there`: it is an error when there is no database yet. Raises: FareboxError.
    """
    # The stores take longer to load than most commands to run.
    from services.stores.state.migrations.run import migrate_state

    settings = Settings.from_environ(DataFolder(data).environ(os.environ))
    state = existing(settings.state) if is_there else settings.state

    async def act_on_store() -> T:
        await migrate_state(state)
        store = open_store(state, settings.encryption_key)
        try:
            return await act(store)
        finally:
            await store.close()

    return asyncio.run(act_on_store())
