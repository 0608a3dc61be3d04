"""Queries that a client waits for: within limits, and ended in the engine when nobody waits any more."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.errors import StoreUnavailable
from schemas.query_limits import QueryLimits
from schemas.statement import Statement
from services.stores.clickhouse.handles import Handles
from services.stores.clickhouse.limits import exceeded_limit
from services.stores.clickhouse.statements import run_query

READERS: Final = 4  # as many as the query service uses at once

# A query is named by the comment that it begins with: in-process none has an id of our choice.
_END: Final = "KILL QUERY WHERE startsWith(query, {tag:String}) ASYNC"

logger = logging.getLogger(__name__)


class LimitedQueries:
    """Handles of their own, opened by `open_one` with `limits` in force."""

    def __init__(
        self, open_one: Callable[[], Client], others: Handles, *, limits: QueryLimits, own_cores: int | None
    ) -> None:
        """`others` end what runs here. `own_cores`: those of the engine in this process; None for a server."""
        self._handles = Handles(READERS, open_one)
        self._others = others
        self._limits = limits
        self._own_cores = own_cores
        self._running = 0
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, statement: Statement) -> list[dict[str, Any]]:
        """Ends in the engine too when this is cancelled. Raises: QueryLimitExceeded, StoreUnavailable."""
        settings = self._settings_of(statement)
        tag = f"/*farebox {secrets.token_hex(8)}*/"
        tagged = msgspec.structs.replace(statement, sql=f"{tag}{statement.sql}")
        self._running += 1
        try:
            return await self._handles.run(lambda handle: self._query(handle, tagged, settings))
        except asyncio.CancelledError:
            ending = asyncio.create_task(self._end(tag))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            raise
        finally:
            self._running -= 1

    async def close(self) -> None:
        """Waits for what runs."""
        if self._ending:
            await asyncio.wait(self._ending)
        await self._handles.close()

    def _settings_of(self, statement: Statement) -> dict[str, object]:
        """In-process the first query has every core, and those beside it have what that leaves to each.

        The process runs at a lower priority than the proxy, which has the cores first.
        """
        settings: dict[str, object] = {}
        if self._own_cores is not None:
            settings["max_threads"] = max(1, self._own_cores - self._running)
        if statement.timeout_s is not None:
            settings["max_execution_time"] = min(statement.timeout_s, self._limits.time_s)
        return settings

    def _query(self, handle: Client, statement: Statement, settings: Mapping[str, object]) -> list[dict[str, Any]]:
        try:
            return run_query(handle, statement, settings)
        except (StoreUnavailable, DatabaseError) as error:
            cause = error.__cause__ if isinstance(error, StoreUnavailable) else error
            exceeded = exceeded_limit(cause, self._limits) if isinstance(cause, DatabaseError) else None
            if exceeded is None:
                raise
            raise exceeded from error

    async def _end(self, tag: str) -> None:
        """Ends the query with `tag`. Where that fails it ends at its own limit of time."""
        try:
            await self._others.run(lambda handle: run_query(handle, Statement(sql=_END, parameters={"tag": tag})))
        except (StoreUnavailable, DatabaseError) as error:
            logger.info("a query without a client could not be ended", extra={"reason": type(error).__name__})
