"""The writing end of the journal: events gather for some milliseconds and become durable with one write."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Awaitable
from pathlib import Path
from queue import SimpleQueue

from schemas.errors import BrokerUnavailable, JournalDamaged
from schemas.log_entry import LogEntry, encode_entry
from services.retry import Backoff, RetryPolicy
from services.stores.durability import DurabilityAck, LossReporter
from services.stores.journal.file import INSERT_SEGMENT, pack_segment, unavailable, unix_ms
from services.stores.journal.files import JournalFiles
from services.stores.journal.intake import INTAKE_BYTES, Intake, Mark
from services.stores.journal.recovery import Recovery
from services.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

GROUP_EVENTS = 1000
GROUP_BYTES = 4 * 2**20
GROUPS_PER_SEGMENT = 4  # groups that pile up behind a slow disk share a write
RETRY = RetryPolicy(first_delay_s=0.05, last_delay_s=1.0)


class _Group:
    """Events that become durable together."""

    __slots__ = ("ack", "mark", "payloads", "published_s", "size_bytes", "timer", "uncovered")

    def __init__(self, ack: DurabilityAck, timer: asyncio.TimerHandle) -> None:
        self.payloads: list[bytes] = []
        self.published_s: list[float] = []
        self.size_bytes = 0
        self.uncovered = 0  # events that a killed process would have lost
        self.mark = Mark(0, 0)  # behind its last event in the intake
        self.ack = ack
        self.timer = timer


class JournalSink:
    """An EventSink on the journal at `path`. Several processes may have one on the same journal.

    While the disk is full or cannot be reached, or there are no descriptors left, it retries. When the file is
    damaged, events go to a fresh one beside it. `metrics` shows both.

    An event is with the operating system when `publish` returns, so that a killed process loses none; and on the disk
    a little later. `group_s` is how long it waits for others before that. When the disk stalls, events are kept up to
    `queue_bytes`; above that they are given up. What cannot be written within `close_timeout_s` of closing stays for
    whoever opens the log next. With `intake_bytes` 0 somebody else covers events, and counts those that are lost.
    All methods belong to one event loop.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        metrics: Metrics,
        group_s: float = 0.010,
        queue_bytes: int = 256 * 2**20,
        close_timeout_s: float = 10.0,
        intake_bytes: int = INTAKE_BYTES,
    ) -> None:
        """Raises: BrokerUnavailable when the file cannot be opened now; once open, a failing disk is waited for."""
        self._path = Path(path)
        self._files = JournalFiles(path)
        self._metrics = metrics
        self._failure = f"journal {path} {id(self)}"  # of this sink: another one may have the same file
        self._losses = LossReporter(metrics)
        self._group_s = group_s
        self._queue_bytes = queue_bytes
        self._close_timeout_s = close_timeout_s
        self._group: _Group | None = None
        self._held_bytes = 0
        self._closed = False
        self._sealed: SimpleQueue[_Group | None] = SimpleQueue()
        self._abandoned = threading.Event()
        self._connection: sqlite3.Connection | None
        self._file, self._connection = self._files.open_newest()
        metrics.health.warnings[f"journal {path}"] = self._files.warnings
        self._intake = Intake(self._path, metrics=metrics, size_bytes=intake_bytes)
        self._recovery = Recovery(self._path, metrics) if intake_bytes else None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer = threading.Thread(target=self._write_until_closed, name="journal-writer", daemon=True)
        self._writer.start()

    def publish(self, event: LogEntry) -> Awaitable[None]:
        self._metrics.add("log_published_total")
        return self.append(encode_entry(event))

    def append(self, payload: bytes) -> DurabilityAck:
        """Like `publish`, for an event that was encoded and counted before."""
        size_bytes = len(payload)
        if self._closed or self._held_bytes + size_bytes > self._queue_bytes:
            return self._refuse()
        self._held_bytes += size_bytes
        group = self._group or self._open_group()
        if not self._intake.add(payload):
            group.uncovered += 1
        group.payloads.append(payload)
        group.published_s.append(time.monotonic())
        group.size_bytes += size_bytes
        if group.size_bytes >= GROUP_BYTES or len(group.payloads) >= GROUP_EVENTS:
            self._seal()
        return group.ack

    async def close(self) -> None:
        self._closed = True
        self._seal()
        self._sealed.put(None)
        await asyncio.to_thread(self._writer.join, self._close_timeout_s)
        self._abandoned.set()
        await asyncio.to_thread(self._writer.join)
        self._intake.close()
        self._losses.log("the journal was closed")

    def _open_group(self) -> _Group:
        self._loop = loop = asyncio.get_running_loop()
        self._group = _Group(DurabilityAck(loop), loop.call_later(self._group_s, self._seal))
        return self._group

    def _seal(self) -> None:
        if self._group is not None:
            self._group.timer.cancel()
            self._group.mark = self._intake.mark
            self._sealed.put(self._group)
            self._group = None

    def _refuse(self) -> DurabilityAck:
        reason = "is closed" if self._closed else "cannot keep up: too much is waiting to be written"
        error = BrokerUnavailable(f"journal {self._path} {reason}")
        if self._recovery is not None:
            self._losses.add(1, error)
        ack = DurabilityAck(asyncio.get_running_loop())
        ack.fail(error)
        return ack

    def _settle(self, groups: list[_Group], error: BrokerUnavailable | None, settled_s: float) -> None:
        for group in groups:
            self._held_bytes -= group.size_bytes
            if error is None:
                self._metrics.add("log_durable_total", len(group.payloads))
                self._metrics.observe_durable(group.published_s, settled_s)
                group.ack.settle()
            else:
                self._losses.add(group.uncovered, error)
                group.ack.fail(error)
        if error is not None and self._recovery is not None:
            self._losses.left_over(sum(len(group.payloads) - group.uncovered for group in groups), error)

    # From here on: the writer thread. It shares nothing with the loop but the queue and what `_settle` is given.

    def _write_until_closed(self) -> None:
        is_open, error = True, None
        self._recover()
        while is_open:
            queued = [self._sealed.get()]
            while len(queued) < GROUPS_PER_SEGMENT and self._sealed.qsize():
                queued.append(self._sealed.get())
            is_open = None not in queued
            groups = [group for group in queued if group is not None]
            if groups:
                # What was given up stays in the intake, and so does what follows it: the next one to open takes over.
                error = error or self._write(groups)
                if error is None:
                    self._intake.release(groups[-1].mark)
                self._report(groups, error)
                self._recover()
        self._disconnect()

    def _report(self, groups: list[_Group], error: BrokerUnavailable | None) -> None:
        assert self._loop is not None, "a group is opened on a loop"
        try:
            self._loop.call_soon_threadsafe(self._settle, groups, error, time.monotonic())
        except RuntimeError:
            logger.debug("event loop ended before the journal was closed")

    def _write(self, groups: list[_Group]) -> BrokerUnavailable | None:
        """Tries until the segment is durable; the last error when the sink was abandoned meanwhile."""
        payloads = [payload for group in groups for payload in group.payloads]
        created_ms = unix_ms()
        self._intake.begin_segment(created_ms)
        backoff = Backoff(RETRY, logger, "journal cannot be written, events are kept in memory")
        while (error := self._try_write(created_ms, payloads)) is not None:
            self._metrics.add("log_write_failures_total")
            reason = f"the event log cannot be written, events are kept in memory: {error}"
            self._metrics.health.failures[self._failure] = reason
            if self._abandoned.wait(backoff.failed(error)):
                return error
        self._metrics.health.failures.pop(self._failure, None)
        return None

    def _try_write(self, created_ms: int, payloads: list[bytes]) -> BrokerUnavailable | None:
        try:
            return self._try_insert((created_ms, len(payloads), pack_segment(payloads)))
        except Exception as error:  # whatever it is: no event is ever written again once this thread has ended
            logger.exception("journal cannot be written")
            self._disconnect()
            return BrokerUnavailable(f"journal {self._file}: {type(error).__name__} {error}")

    def _recover(self) -> None:
        if self._recovery is not None:
            self._recovery.attempt(self._connected)

    def _try_insert(self, segment: tuple[int, int, bytes]) -> BrokerUnavailable | None:
        try:
            connection = self._connected()
            # One statement is one transaction: each further one would wait for the interpreter lock again.
            connection.execute(INSERT_SEGMENT, segment)
        except BrokerUnavailable as error:
            return error
        except (sqlite3.Error, OSError) as cause:
            return self._failed(unavailable(self._file, cause))
        return None

    def _connected(self) -> sqlite3.Connection:
        """To the file that takes events, which is another one once somebody found this one damaged."""
        if self._connection is not None and self._files.after(self._file).exists():
            self._disconnect()
        if self._connection is None:
            self._file, self._connection = self._files.open_newest()
        return self._connection

    def _failed(self, error: BrokerUnavailable) -> BrokerUnavailable:
        # After a failing disk a connection may stay broken; a new one costs a millisecond.
        self._disconnect()
        if isinstance(error, JournalDamaged):
            try:
                self._files.begin_after(self._file, str(error))
            except BrokerUnavailable as no_fresh_file:
                return no_fresh_file
        return error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
