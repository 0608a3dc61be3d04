"""A LogSink before the event log: bodies that are to be omitted go no further than here.

A large body is read in a thread, so that other requests do not wait for it; how long it may hold the interpreter is
bounded in services/domain/exchange/bounded.py. Bodies that wait to be read are bounded too: above that they are
given up unread, and the cost of their requests is unknown.

Until a large body has been read, its event is with no event log: a killed process loses it, and it is counted as
uncovered. The end of a response does not wait for that, unless durability is `strict`.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Final

from msgspec.structs import replace

from schemas.errors import BrokerUnavailable
from schemas.event import ExchangeEvent
from schemas.log_entry import LogEntry
from schemas.omission import Omission
from services.domain.omission import omits, unread, with_omission, without_bodies
from services.hashing import KeyedHashes
from services.ports.log import LogSink
from services.telemetry.metrics import Metrics

AT_ONCE_BYTES: Final = 16 * 2**10  # of both bodies, uncompressed: read in a millisecond or two, usually in far less
MAX_WAITING_BYTES: Final = 64 * 2**20

logger = logging.getLogger("farebox.proxy")


class OmittingSink:
    """Belongs to one event loop. It is closed before the sink that it publishes to."""

    def __init__(
        self, sink: LogSink, *, omission: Omission, metrics: Metrics, hashes: KeyedHashes | None = None
    ) -> None:
        """`omission` is the operator's, for all events. Without `hashes` requests have no fingerprints."""
        self._sink = sink
        self._omission = omission
        self._metrics = metrics
        self._hashes = hashes
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="omitting")
        self._reading: set[asyncio.Task[Awaitable[None]]] = set()  # each publishes its event and returns the outcome
        self._waiting_bytes = 0
        self._closed = False

    def publish(self, event: LogEntry) -> Awaitable[None]:
        if not isinstance(event, ExchangeEvent):  # it has no bodies
            return self._sink.publish(event)
        if self._omission is not Omission.NONE:
            event = with_omission(event, self._omission)
        if not omits(event):
            return self._sink.publish(event)
        size_bytes = _size_bytes(event)
        if self._closed or (size_bytes <= AT_ONCE_BYTES and not _is_compressed(event)):
            return self._sink.publish(_reduced(event, self._hash_key))
        if self._waiting_bytes + size_bytes > MAX_WAITING_BYTES:
            self._metrics.add(
                "proxy_bodies_dropped_total", event.request.tags.omit_request + event.request.tags.omit_response
            )
            return self._sink.publish(unread(event))
        return self._publish_later(event, size_bytes)

    async def close(self) -> None:
        """Returns when all events have been published. The sink behind is left open, and makes them durable."""
        self._closed = True
        while self._reading:
            await asyncio.wait(self._reading)
        await asyncio.to_thread(self._threads.shutdown)

    @property
    def _hash_key(self) -> bytes:
        return b"" if self._hashes is None else self._hashes.key

    def _publish_later(self, event: ExchangeEvent, size_bytes: int) -> Awaitable[None]:
        self._waiting_bytes += size_bytes
        self._metrics.add("log_uncovered_total")
        task = asyncio.get_running_loop().create_task(self._read_and_publish(event, size_bytes))
        self._reading.add(task)
        task.add_done_callback(self._done)
        return _Durable(task)

    async def _read_and_publish(self, event: ExchangeEvent, size_bytes: int) -> Awaitable[None]:
        """What the sink behind returned. Raises: BrokerUnavailable when it did not take the event."""
        began_s = monotonic()
        try:
            event = await asyncio.get_running_loop().run_in_executor(self._threads, _reduced, event, self._hash_key)
        finally:
            self._waiting_bytes -= size_bytes
        if event.recorded_at is not None:  # when it is handed to the log: seals go by it
            event = replace(event, recorded_at=event.recorded_at + timedelta(seconds=monotonic() - began_s))
        try:
            return self._sink.publish(event)
        except Exception as error:
            # As in EventRecorder: a fault of the log must not reach clients.
            logger.exception("an event was not taken by the event log")
            self._metrics.add("log_lost_total")
            raise BrokerUnavailable("the event log did not take the event") from error

    def _done(self, task: asyncio.Task[Awaitable[None]]) -> None:
        self._reading.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved: nobody has to await an event


class _Durable:
    """Awaiting it waits beside the task, not on it: a cancelled client would cancel the task, and lose the event."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[Awaitable[None]]) -> None:
        self._task = task

    def __await__(self) -> Generator[Any, Any, None]:
        if not self._task.done():
            yield from asyncio.wait((self._task,)).__await__()
        yield from self._task.result().__await__()


def _reduced(event: ExchangeEvent, hash_key: bytes) -> ExchangeEvent:
    """`event` without the bodies that it omits, also where reading them fails."""
    try:
        return without_bodies(event, hash_key)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        # Not the error's text: it may quote the body.
        reason = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
        logger.warning("a body to be omitted could not be read: a bug of Farebox", extra={"reason": reason})
        return unread(event)


def _size_bytes(event: ExchangeEvent) -> int:
    request, response = event.request, event.response
    return len(request.body) + len(response.body) + len(response.body_tail)


def _is_compressed(event: ExchangeEvent) -> bool:
    return bool(event.request.content_encoding or event.response.content_encoding)
