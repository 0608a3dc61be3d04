"""Handles on the warehouse, each in a thread of its own, so that no loop ever waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from clickhouse_connect.driver import Client

from schemas.errors import StoreUnavailable

T = TypeVar("T")


class Handles:
    """Up to `count` handles, opened when first needed, and as many threads: each call has one of each to itself."""

    def __init__(self, count: int, open_one: Callable[[], Client]) -> None:
        self._open_one = open_one
        self._free: list[Client] = []
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="warehouse")

    async def run(self, call: Callable[[Client], T]) -> T:
        try:
            result = asyncio.get_running_loop().run_in_executor(self._threads, self._run, call)
        except RuntimeError as error:
            raise StoreUnavailable("the warehouse is closed") from error
        return await result

    def _run(self, call: Callable[[Client], T]) -> T:
        try:
            handle = self._free.pop()
        except IndexError:
            handle = self._open_one()
        try:
            return call(handle)
        finally:
            self._free.append(handle)

    async def close(self) -> None:
        """Waits for the calls that run. Further calls fail."""
        await asyncio.to_thread(self._threads.shutdown)
        while self._free:
            self._free.pop().close()
