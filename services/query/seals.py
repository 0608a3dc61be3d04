"""The seal of what is read next: until when the rows are complete, and what waits. Looked up twice a second at most."""

import asyncio
import logging
from time import monotonic
from typing import Final

from schemas.errors import Unavailable
from schemas.seal import Seal, SealState
from services.domain.seal import seal_of, unknown_seal
from services.ports.clock import Clock
from services.ports.log import LogPositions, ProgressStore
from services.telemetry.metrics import Metrics

MAX_AGE_S: Final = 0.5
WAIT_S: Final = 1.0  # of a request for a seal; a response without one says that nothing is known
LOOK_S: Final = 10.0  # for one look, which goes on after that

logger = logging.getLogger("farebox.query")


class Seals:
    """One look at the log for all who want to know at once, and for half a second after."""

    def __init__(self, positions: LogPositions, progress: ProgressStore, clock: Clock, metrics: Metrics) -> None:
        self._positions = positions
        self._progress = progress
        self._clock = clock
        self._metrics = metrics
        self._seal = unknown_seal("the event log has not been looked at yet")
        self._looking: asyncio.Task[None] | None = None
        self.looked_s = 0.0  # monotonic, at the end of the last look
        self._has_failed = False

    async def current(self) -> Seal:
        """To be called before the rows are read: they may be newer than their seal, and never older."""
        looking = self._looking
        if looking is None and monotonic() - self.looked_s > MAX_AGE_S:
            looking = self._looking = asyncio.create_task(self._look())
        # While the log is unreachable nobody waits for it: the first one after it is back gets no seal.
        if looking is not None and not self._has_failed:
            await asyncio.wait((looking,), timeout=WAIT_S)
            if not looking.done():
                self._seal = unknown_seal("the event log does not respond in time")
                self._has_failed = True
        return self._seal

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                now = self._clock.now()
                progress = await self._progress.read()
                self._seal = seal_of(now, await self._positions.snapshot(), progress)
        except (Unavailable, TimeoutError) as error:
            self._seal = unknown_seal("the event log or the state database is unreachable")
            logger.warning("totals have no seal", extra={"reason": str(error) or "no response in time"})
        except Exception:
            # A bug of ours: totals are shown all the same, and nobody is told that they are complete.
            self._seal = unknown_seal("of a fault of Farebox")
            logger.exception("totals have no seal")
        finally:
            self._has_failed = self._seal.state is SealState.UNKNOWN
            self._metrics.show_seal(self._seal, self._clock.now())
            self.looked_s = monotonic()
            self._looking = None
