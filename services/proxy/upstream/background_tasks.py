"""Work beside what a request waits for, such as settling what it has spent, which ends with the process."""

import asyncio
import logging
from collections.abc import Coroutine

logger = logging.getLogger("farebox.proxy")


class BackgroundTasks:
    """Belongs to one event loop."""

    def __init__(self, what: str) -> None:
        """`what` is named in the log where one of them fails."""
        self._what = what
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed: a bug of Farebox", self._what, exc_info=error)

    async def close(self, wait_s: float) -> None:
        """Returns when all have ended, or were cancelled after that time."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=wait_s)
        for task in list(self._tasks):
            task.cancel()
