"""Keeps the accounting process running: starts it, restarts it with backoff when it ends, stops it last.

The proxy never waits for it. Events meet it in the event log only; what it has not counted waits there.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

from schemas.errors import FareboxError, StoreUnavailable
from schemas.statement import Statement
from services.embedded.accounting_process import AccountingProcess, Ended, Launch, resident_mb
from services.embedded.messages import Status
from services.embedded.stand_in import StandIn
from services.telemetry.metrics import Metrics

FIRST_DELAY_S: Final = 0.5
MAX_DELAY_S: Final = 30.0
STABLE_S: Final = 60.0  # a run of this length ends well enough for the next delay to be the first again
UNRESPONSIVE_S: Final = 60.0  # without a message, of which several a second are sent: then it is killed
SILENT_S: Final = 10.0  # likewise: then an operator is told
STOP_S: Final = 28.0  # for draining the log and closing

_FAILURE: Final = "accounting"

logger = logging.getLogger("farebox.up")


class AccountingStopped(FareboxError):
    """Nothing is counted until the next start."""

    code = "accounting_stopped"


class AccountingSupervisor:
    """To be used on the event loop that started it."""

    def __init__(self, launch: Launch, metrics: Metrics) -> None:
        self._launch = launch
        self._metrics = metrics
        self._run: AccountingProcess | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stand_in: StandIn | None = None
        self._stopped = ""
        self._reported: set[str] = set()  # names of failures and warnings that are accounting's
        metrics.health.warnings[_FAILURE] = self._silence

    async def start(self) -> None:
        """Returns when accounting is ready. Raises: AccountingStopped when it cannot start."""
        self._run = run = await self._start_run()
        if not await run.ready:
            raise AccountingStopped((await run.ended).reason)
        self._metrics.worker_inside = True
        self._watch = asyncio.create_task(self._keep_running(run))

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Rows of the warehouse by column alias. Raises: StoreUnavailable, also while accounting is restarted."""
        if self._run is None:
            raise StoreUnavailable("accounting has not started")
        return await self._run.query(statement)

    async def backlog(self) -> int:
        """Events that are in the log and not yet rows. Raises: StoreUnavailable, AccountingStopped."""
        self.check()
        if self._run is None:
            raise StoreUnavailable("accounting has not started")
        return await self._run.backlog()

    def check(self) -> None:
        """Raises: AccountingStopped, with the reason, when it has stopped for good."""
        if self._stopped:
            raise AccountingStopped(self._stopped)

    def resident_mb(self) -> int:
        """Memory of this process and of accounting."""
        return resident_mb(os.getpid(), *([self._run.pid] if self._run else []))

    async def stop(self) -> None:
        """Returns when the log is empty, or as empty as it gets in time, and the process has ended."""
        if self._watch:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self._close_stand_in()
        self._launch.listening.close()
        run = self._run
        if run is None or run.ended.done():
            return
        if run.ready.done():
            run.stop()
            await asyncio.wait([run.ended], timeout=STOP_S)
        if not run.ended.done():
            run.kill()
            await run.ended

    async def _start_run(self) -> AccountingProcess:
        return await AccountingProcess.start(self._launch, self._take_status)

    async def _keep_running(self, run: AccountingProcess) -> None:
        """Returns when it has stopped for good."""
        delay_s = FIRST_DELAY_S
        while True:
            began_s = monotonic()
            ended = await self._end_of(run)
            self._forget_status()
            self._metrics.worker_inside = False
            if ended.for_good and run.ready.result():
                self._give_up(ended.reason)
                return
            if monotonic() - began_s >= STABLE_S:
                delay_s = FIRST_DELAY_S
            run = await self._restart(ended, delay_s)
            delay_s = min(2 * delay_s, MAX_DELAY_S)

    async def _end_of(self, run: AccountingProcess) -> Ended:
        """Once it has ended, be it because it was killed for not responding."""
        while not run.ended.done():
            silent_s = run.silent_s
            if silent_s >= UNRESPONSIVE_S:
                run.kill()
                await run.ended
                return Ended(reason=f"no response for {silent_s:.0f} s")
            await asyncio.wait([run.ended], timeout=UNRESPONSIVE_S - silent_s)
        return run.ended.result()

    async def _restart(self, ended: Ended, delay_s: float) -> AccountingProcess:
        """Its next run, which may not be ready yet."""
        failure = f"accounting ended ({ended.reason}) and restarts: calls pass and are kept, and are counted afterwards"
        self._metrics.health.failures[_FAILURE] = failure
        self._metrics.add("accounting_restarts_total")
        logger.error("accounting ended and restarts", extra={"reason": ended.reason, "delay_s": delay_s})
        if self._stand_in is None:
            self._stand_in = StandIn(failure)
            await self._stand_in.start(self._launch.listening)
        while True:
            await asyncio.sleep(delay_s)
            try:
                self._run = run = await self._start_run()
            except OSError as error:  # no memory, no descriptors or no processes at the moment
                logger.warning("accounting could not be started, retrying", extra={"reason": str(error.strerror)})
                delay_s = min(2 * delay_s, MAX_DELAY_S)
                continue
            run.ready.add_done_callback(lambda ready: self._recovered() if ready.result() else None)
            return run

    def _recovered(self) -> None:
        self._close_stand_in()
        self._metrics.health.failures.pop(_FAILURE, None)
        self._metrics.worker_inside = True
        logger.warning("accounting runs again")

    def _give_up(self, reason: str) -> None:
        logger.error("accounting stopped: calls pass and are kept, but not counted", extra={"reason": reason})
        self._stopped = f"accounting stopped ({reason}): calls pass and are kept, but not counted"
        self._metrics.health.failures[_FAILURE] = self._stopped
        self._launch.listening.close()  # clients are refused, and do not wait for a response

    def _take_status(self, status: Status) -> None:
        for name, count in status.counted.items():
            self._metrics.add(name, count)  # type: ignore[arg-type]  # the same names, in the same code
        self._forget_status()
        for name, failure in status.failures.items():
            self._metrics.health.failures[self._own(name)] = failure
        for name, warnings in status.warnings.items():
            if warnings and name not in self._metrics.health.warnings:  # both processes warn of the same journal
                self._metrics.health.warnings[self._own(name)] = lambda warnings=warnings: warnings  # type: ignore[misc]

    def _silence(self) -> Sequence[str]:
        """That it seems to hang. Of one that has ended the failure tells."""
        run = self._run
        if run is None or run.ended.done() or run.silent_s < SILENT_S:
            return ()
        return [f"accounting has not responded for {run.silent_s:.0f} s: calls pass and are kept, and not counted"]

    def _own(self, name: str) -> str:
        own = f"accounting: {name}"
        self._reported.add(own)
        return own

    def _forget_status(self) -> None:
        for name in self._reported:
            self._metrics.health.failures.pop(name, None)
            self._metrics.health.warnings.pop(name, None)
        self._reported.clear()

    def _close_stand_in(self) -> None:
        if self._stand_in:
            self._stand_in.close()
            self._stand_in = None
