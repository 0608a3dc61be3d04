"""Work that blocks the event loop for milliseconds: one step at a time, and the loop is free as long after each.

A thread would not help, as parsing does not let go of the interpreter. So whatever one client sends, the calls of
others wait for one such step, and not for all of them. Organizations take turns.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from time import monotonic
from typing import Final, TypeVar

SMALL_BYTES: Final = 256 * 2**10  # what is no larger takes no time that others would notice

T = TypeVar("T")


class PacedWork:
    """One for the process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Callable[[], None]]] = {}  # by organization, in the order of their turns
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._free_from_s = 0.0

    def run(self, organization_id: str, step: Callable[[], None]) -> None:
        """Calls `step`: at once when nothing waits and the pause behind the last one is over."""
        self._waiting.setdefault(organization_id, deque()).append(step)
        if self._timer is None and not self._running:
            self._go_on()

    async def result_of(self, organization_id: str, steps: Generator[None, None, T]) -> T:
        """What `steps` return, each of them run on its own. Raises: what they raise."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def step() -> None:
            if result.done():
                return  # nobody waits for it any more
            try:
                next(steps)
            except StopIteration as end:
                result.set_result(end.value)
            except Exception as error:
                result.set_exception(error)
            else:
                self.run(organization_id, step)

        self.run(organization_id, step)
        return await result

    def _go_on(self) -> None:
        self._timer = None
        began_s = monotonic()
        if began_s < self._free_from_s:
            self._wait(began_s)
            return
        self._running = True
        try:
            self._next()()
        finally:
            self._running = False
            ended_s = monotonic()
            self._free_from_s = 2 * ended_s - began_s
            if self._waiting:
                self._wait(ended_s)

    def _next(self) -> Callable[[], None]:
        organization_id = next(iter(self._waiting))
        steps = self._waiting.pop(organization_id)
        step = steps.popleft()
        if steps:
            self._waiting[organization_id] = steps
        return step

    def _wait(self, now_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._free_from_s - now_s, self._go_on)
