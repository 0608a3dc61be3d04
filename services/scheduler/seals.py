"""The seal by which alerts are evaluated: until when the totals are complete."""

import asyncio
import logging
from typing import Final

from schemas.errors import Unavailable
from schemas.seal import Seal
from services.domain.seal import seal_of, unknown_seal
from services.ports.clock import Clock
from services.ports.log import LogPositions, ProgressStore
from services.telemetry.metrics import Metrics

LOOK_S: Final = 10.0

logger = logging.getLogger("farebox.scheduler")


class SchedulerSeals:
    """One look at the log for each round."""

    def __init__(self, positions: LogPositions, progress: ProgressStore, clock: Clock, metrics: Metrics) -> None:
        self._positions = positions
        self._progress = progress
        self._clock = clock
        self._metrics = metrics

    async def current(self) -> Seal:
        """Unknown while the log is unreachable."""
        try:
            async with asyncio.timeout(LOOK_S):
                now = self._clock.now()
                progress = await self._progress.read()
                seal = seal_of(now, await self._positions.snapshot(), progress)
        except (Unavailable, TimeoutError) as error:
            logger.warning("alerts have no seal", extra={"reason": str(error) or "no response in time"})
            seal = unknown_seal("the event log or the state database is unreachable")
        self._metrics.show_seal(seal, self._clock.now())
        return seal
