"""Re-pricings and undoings under way in this process: each a task, on record where all processes see how far it is."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from schemas.errors import Conflict, FareboxError, Unavailable
from schemas.price import PriceBook
from schemas.reprice import Criteria, Reprice, RepriceState
from services.domain.pricing.price_book import LayeredPrices
from services.ports.clock import Clock
from services.ports.prices import PriceRows, Reprices
from services.ports.warehouse import AmendableWarehouse
from services.repricing.job import RepriceJob
from services.sql.reprices import compile_later_runs

CHUNK_ROWS: Final = 10_000
RESPOND_WITHIN_S: Final = 5.0  # a client waits so long for the end; later it has to look again

logger = logging.getLogger(__name__)

Steps = Callable[[RepriceJob], Awaitable[None]]


class Repricing:
    """Begins runs and undoings, and has them end well or be recorded as broken off."""

    def __init__(
        self,
        *,
        warehouse: AmendableWarehouse,
        reprices: Reprices,
        price_rows: PriceRows,
        shipped: PriceBook,
        clock: Clock,
        chunk_rows: int = CHUNK_ROWS,
        respond_within_s: float = RESPOND_WITHIN_S,
    ) -> None:
        self._respond_within_s = respond_within_s
        self._chunk_rows = chunk_rows
        self._warehouse = warehouse
        self._reprices = reprices
        self._price_rows = price_rows
        self._shipped = shipped
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, organization_id: str, criteria: Criteria, *, dry_run: bool) -> Reprice:
        """The run, ended if it did soon. Raises: Conflict when another one is under way; StoreUnavailable."""
        run = await self._reprices.begin(organization_id, criteria, dry_run=dry_run, at=self._clock.now())
        return await self._start(run, self._charge_again)

    async def undo(self, run: Reprice) -> Reprice:
        """The run, undone if that was done soon.

        Raises: Conflict when there is nothing to undo, or later runs have to be undone first; StoreUnavailable.
        """
        if run.dry_run:
            raise Conflict(f"re-pricing {run.id} was a dry run: it changed nothing")
        if run.state is RepriceState.UNDONE:
            return run
        undoing = await self._reprices.begin_undo(run, at=self._clock.now())
        try:
            await self._check_is_latest(run)
        except BaseException:
            await self._reprices.end(run)
            raise
        return await self._start(undoing, RepriceJob.undo)

    async def close(self) -> None:
        """Breaks off what is under way, and records it as failed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _check_is_latest(self, run: Reprice) -> None:
        """Rows must go back the way they came: a later run took this one's costs for the prior ones."""
        later_runs = msgspec.structs.replace(compile_later_runs(run.organization_id, run.id), is_patient=True)
        rows = await self._warehouse.query(later_runs)
        for row in rows:
            later = await self._reprices.get_reprice(run.organization_id, row["reprice_id"])
            if later is not None and later.state is not RepriceState.UNDONE:
                raise Conflict(f"re-pricing {later.id} has since changed the same requests: undo it first")

    async def _charge_again(self, job: RepriceJob) -> None:
        """At the prices known now that hold at the timestamp of each request."""
        rows = await self._price_rows.list_prices(job.run.organization_id)
        await job.charge_again(LayeredPrices(self._shipped, rows))

    async def _start(self, run: Reprice, steps: Steps) -> Reprice:
        task = asyncio.create_task(self._run(run, steps))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=self._respond_within_s)
        return await self._reprices.get_reprice(run.organization_id, run.id) or run

    async def _run(self, run: Reprice, steps: Steps) -> None:
        job = RepriceJob(run, self._warehouse, self._reprices, self._clock, chunk_rows=self._chunk_rows)
        failure = "the query service was stopped"
        lease = asyncio.create_task(job.keep_lease())
        try:
            failure = await _failure_of(steps, job)
        finally:
            lease.cancel()
            await self._record(job.run, failure)

    async def _record(self, run: Reprice, failure: str) -> None:
        if failure:
            run = msgspec.structs.replace(run, state=RepriceState.FAILED, error=failure)
        logger.info("re-pricing ended", extra={"reprice_id": run.id, "state": run.state, "rows": run.rows_done})
        try:
            await self._reprices.end(msgspec.structs.replace(run, ended_at=run.ended_at or self._clock.now()))
        except Unavailable as error:
            logger.warning(
                "the end of a re-pricing could not be recorded", extra={"reprice_id": run.id, "reason": str(error)}
            )


async def _failure_of(steps: Steps, job: RepriceJob) -> str:
    """Why the work broke off; '' when it did not."""
    try:
        await steps(job)
    except FareboxError as error:
        return str(error)
    except Exception:
        logger.exception("re-pricing failed", extra={"reprice_id": job.run.id})
        return "internal error: the log of the query service has more"
    return ""
