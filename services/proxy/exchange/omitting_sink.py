"""An EventSink before the event log: bodies that are to be omitted go no further than here.

A large body is read in a thread, so that other requests do not wait for it. Bodies that wait for that are bounded:
above that they are dropped unread, and the cost of their requests is unknown.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from schemas.errors import BrokerUnavailable
from schemas.event import ExchangeEvent
from schemas.omission import Omission
from services.domain.omission import omits, unread, with_omission, without_bodies
from services.ports import EventSink
from services.telemetry import Metrics

AT_ONCE_BYTES: Final = 16 * 2**10  # of both bodies, uncompressed: read in a millisecond or two, mostly in far less
MAX_WAITING_BYTES: Final = 64 * 2**20

logger = logging.getLogger("farebox.proxy")


class OmittingSink:
    """Belongs to one event loop. It is closed before the sink that it publishes to."""

    def __init__(self, sink: EventSink, *, omission: Omission, metrics: Metrics) -> None:
        """`omission` is the operator's, for all events."""
        self._sink = sink
        self._omission = omission
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="omitting")
        self._waiting: set[asyncio.Task[None]] = set()
        self._waiting_bytes = 0
        self._closed = False

    def publish(self, event: ExchangeEvent) -> Awaitable[None]:
        if self._omission is not Omission.NONE:
            event = with_omission(event, self._omission)
        if not omits(event):
            return self._sink.publish(event)
        size_bytes = _size_bytes(event)
        if self._closed or (size_bytes <= AT_ONCE_BYTES and not _is_compressed(event)):
            return self._sink.publish(_reduced(event))
        if self._waiting_bytes + size_bytes > MAX_WAITING_BYTES:
            self._metrics.add(
                "proxy_bodies_dropped_total", event.request.tags.omit_request + event.request.tags.omit_response
            )
            return self._sink.publish(unread(event))
        return self._publish_later(event, size_bytes)

    async def close(self) -> None:
        """Returns when all that waits has been handed on. The sink behind is left open."""
        self._closed = True
        while self._waiting:
            await asyncio.wait(self._waiting)
        await asyncio.to_thread(self._threads.shutdown)

    def _publish_later(self, event: ExchangeEvent, size_bytes: int) -> Awaitable[None]:
        self._waiting_bytes += size_bytes
        task = asyncio.get_running_loop().create_task(self._read_and_publish(event, size_bytes))
        self._waiting.add(task)
        task.add_done_callback(self._done)
        return _Durable(task)

    async def _read_and_publish(self, event: ExchangeEvent, size_bytes: int) -> None:
        try:
            event = await asyncio.get_running_loop().run_in_executor(self._threads, _reduced, event)
        finally:
            self._waiting_bytes -= size_bytes
        try:
            durable = self._sink.publish(event)
        except Exception as error:
            # As in the recorder: a fault of the log must not reach clients.
            logger.exception("an event was not taken by the event log")
            self._metrics.add("log_lost_total")
            raise BrokerUnavailable("the event log did not take the event") from error
        await durable

    def _done(self, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved: callers may drop what `publish` returned


class _Durable:
    """Awaiting it waits beside the task, not on it: a client that disconnects would cancel it, and lose the event."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def __await__(self) -> Generator[Any, Any, None]:
        if not self._task.done():
            yield from asyncio.wait((self._task,)).__await__()
        self._task.result()


def _reduced(event: ExchangeEvent) -> ExchangeEvent:
    """`event` without what it omits. What brings a fault of ours to light is omitted all the same."""
    try:
        return without_bodies(event)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        # Not the error's text: it may hold parts of a body.
        reason = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
        logger.warning("a body to be omitted could not be read: a bug of Farebox", extra={"reason": reason})
        return unread(event)


def _size_bytes(event: ExchangeEvent) -> int:
    request, response = event.request, event.response
    return len(request.body) + len(response.body) + len(response.body_tail)


def _is_compressed(event: ExchangeEvent) -> bool:
    return bool(event.request.content_encoding or event.response.content_encoding)
