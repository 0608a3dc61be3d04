"""Writes down until when totals are complete, a partition at a time, where the query services read it.

It watches the log from beside: whichever worker counts a partition, and however often partitions move, what this one
says of it is true.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from schemas.errors import Unavailable
from schemas.seal import LogSnapshot, Member, MemberKind
from services.domain.seal import Ends, is_forgotten, published_until, seal_of, unknown_seal
from services.ports.clock import Clock
from services.ports.log import LogPositions, ProgressStore
from services.retry import Backoff, RetryPolicy
from services.telemetry.metrics import Metrics

EVERY_S: Final = 1.0
LOOK_S: Final = 10.0  # for one look at the log and at the state database
HEARD_EVERY: Final = timedelta(seconds=5)  # while nothing is counted
LEAVE_S: Final = 3.0

_RETRY: Final = RetryPolicy(first_delay_s=EVERY_S, last_delay_s=5.0)
_UNREACHABLE: Final = "the event log or the state database is unreachable"

logger = logging.getLogger("farebox.worker")


class ProgressWriter:
    """Of one worker, known as `worker_id`, which no other process is."""

    def __init__(
        self, worker_id: str, *, positions: LogPositions, progress: ProgressStore, clock: Clock, metrics: Metrics
    ) -> None:
        self._worker_id = worker_id
        self._positions = positions
        self._progress = progress
        self._clock = clock
        self._metrics = metrics
        self._ends = Ends()
        self._written: LogSnapshot | None = None
        self._written_at: datetime | None = None

    async def run(self) -> None:
        """Until it is cancelled; then the worker is withdrawn."""
        backoff = Backoff(_RETRY, logger, "progress cannot be written: totals look older than they are")
        try:
            while True:
                delay_s: float | None = EVERY_S
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self.look()
                except (Unavailable, TimeoutError) as error:
                    self._metrics.show_seal(unknown_seal(_UNREACHABLE), self._clock.now())
                    delay_s = backoff.failed(error)
                except Exception:  # a bug of ours, which must not end this: events are counted all the same
                    logger.exception("progress cannot be written")
                await asyncio.sleep(delay_s or EVERY_S)
        finally:
            with suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await self._progress.withdraw([self._worker_id])

    async def look(self) -> None:
        """Once. Raises: BrokerUnavailable, StoreUnavailable."""
        now = self._clock.now()
        progress = await self._progress.read()
        snapshot = await self._positions.snapshot()
        complete_until = self._ends.observe(snapshot, published_until(now, snapshot, progress))
        if self._is_due(now, snapshot):
            worker = Member(id=self._worker_id, kind=MemberKind.WORKER, heard_at=now)
            await self._progress.advance(worker, complete_until)
            self._written, self._written_at = snapshot, now
        forgotten = [member.id for member in progress.members if is_forgotten(member, now)]
        if forgotten:
            await self._progress.withdraw(forgotten)
        self._metrics.show_seal(seal_of(now, snapshot, progress), now)

    def _is_due(self, now: datetime, snapshot: LogSnapshot) -> bool:
        """Not every second: each time is a write to the disk."""
        is_new = self._written is None or self._written.positions != snapshot.positions
        return is_new or self._written_at is None or now - self._written_at >= HEARD_EVERY
