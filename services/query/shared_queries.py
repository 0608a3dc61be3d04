"""Equal queries that run at the same time are one: a page that ten people open costs what it costs one."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Any, TypeAlias

from schemas.statement import Statement

Rows: TypeAlias = list[dict[str, Any]]


class SharedQuery:
    """One query for all who wait for it. It ends when nobody does."""

    def __init__(self) -> None:
        self.began_s: float | None = None  # when the warehouse got it; None while it waits for its turn
        self.waiters = 0
        self._is_shared = False  # somebody else has waited for it too
        self.task: asyncio.Task[Rows]

    def begin(self) -> None:
        """To be called when the warehouse gets it."""
        self.began_s = monotonic()

    async def rows(self) -> Rows:
        """Each has rows of its own: nobody sees what another one does to them."""
        self._is_shared = self.waiters > 0 or self._is_shared
        self.waiters += 1
        try:
            rows = await asyncio.shield(self.task)
        finally:
            self.waiters -= 1
            if not self.waiters:
                self.task.cancel()
        return [dict(row) for row in rows] if self._is_shared else rows


class SharedQueries:
    """Those that wait or run, by organization and statement.

    `as_of_s` is the monotonic time that rows may not be older than: whoever has looked at the log since then, or knows
    of a write, would miss what a query that began before it did not find.
    """

    def __init__(self, as_of_s: Callable[[], float]) -> None:
        self._as_of_s = as_of_s
        self._shared: dict[Hashable, SharedQuery] = {}

    async def run(self, statement: Statement, run: Callable[[SharedQuery], Awaitable[Rows]]) -> Rows:
        """What `run` returns for `statement`, or has been returning since it may be shared. Raises what it raises."""
        key = _key_of(statement)
        shared = self._shared.get(key)
        if shared is None or not self._is_new(shared):
            shared = self._shared[key] = SharedQuery()
            shared.task = asyncio.ensure_future(run(shared))
            shared.task.add_done_callback(lambda _: self._forget(key, shared))
        return await shared.rows()

    def _is_new(self, shared: SharedQuery) -> bool:
        return shared.waiters > 0 and (shared.began_s is None or shared.began_s >= self._as_of_s())

    def _forget(self, key: Hashable, shared: SharedQuery) -> None:
        if self._shared.get(key) is shared:
            del self._shared[key]


def _key_of(statement: Statement) -> Hashable:
    """Equal for statements that return the same rows."""
    values = ((name, type(value), _hashable(value)) for name, value in statement.parameters.items())
    return statement.organization_id, statement.sql, tuple(values)


def _hashable(value: object) -> Hashable:
    return tuple(value) if isinstance(value, list) else value
