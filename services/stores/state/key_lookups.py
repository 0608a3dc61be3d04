"""Lookups of many keys at once: those that come while others are being looked up share the next query.

So a flood of wrong keys costs the database a few queries, and a key that is seen for the first time during it
waits for one of these rather than for a thousand others.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar, cast

BATCH_KEYS: Final = 500  # SQLite takes 999 parameters at least
MAX_QUERIES: Final = 2  # at once

Found = TypeVar("Found")


class KeyLookups(Generic[Found]):
    """Belongs to one event loop at a time."""

    def __init__(self, query: Callable[[Sequence[str]], Awaitable[Mapping[str, Found]]]) -> None:
        """`query` returns what the database holds of these hashes, by hash. It raises StoreUnavailable."""
        self._query = query
        self._waiting: deque[tuple[str, asyncio.Future[Found | None]]] = deque()
        self._queries: set[asyncio.Task[None]] = set()

    async def find(self, key_hash: str) -> Found | None:
        """What the database holds of `key_hash`. Raises: StoreUnavailable."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Found | None] = loop.create_future()
        self._waiting.append((key_hash, found))
        if len(self._queries) < MAX_QUERIES:
            self._queries.add(loop.create_task(self._look_up_all()))
        return await found

    async def _look_up_all(self) -> None:
        try:
            while self._waiting:
                await self._look_up([self._waiting.popleft() for _ in range(min(BATCH_KEYS, len(self._waiting)))])
        finally:  # at once: the next lookup has to see that no query is left to take it along
            self._queries.remove(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _look_up(self, batch: Sequence[tuple[str, asyncio.Future[Found | None]]]) -> None:
        try:
            rows = await self._query(list({key_hash for key_hash, _ in batch}))
        except BaseException as error:
            for _, found in batch:
                _fail(found, error)
            if not isinstance(error, Exception):
                raise
        else:
            for key_hash, found in batch:
                if not found.done():
                    found.set_result(rows.get(key_hash))


def _fail(found: asyncio.Future[Found | None], error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        found.cancel()
    elif not found.done():
        found.set_exception(error)
