"""Takes batches from the event log, inserts rows, dead-letters what is no event, and only then commits.

No event is held between batches, so a crash costs a redelivery and scaling out is more processes of the same.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from schemas.errors import FareboxError, PoisonMessage, Unavailable
from schemas.event import DeadLetter, Delivery
from schemas.price import Price
from services.hashing import KeyedHashes
from services.ports.log import EventSource
from services.ports.warehouse import AmendableWarehouse
from services.retry import RetryPolicy, retry
from services.telemetry.metrics import Metrics
from services.worker.amendments import keep_amendments
from services.worker.logged_rows import settle_logs
from services.worker.otlp_export import OtlpExport
from services.worker.prices import PriceCache
from services.worker.rows import Chunk, Row, dead_letter, rows_of
from services.worker.skip_existing import rows_to_insert

RETRY: Final = RetryPolicy(first_delay_s=0.1, last_delay_s=15.0)
UNHEALTHY_AFTER_S: Final = 3.0  # of failed attempts at the same
LONGEST_WAIT_S: Final = 0.25  # for events, between two looks at whether to stop

# More dead letters than this in a window are a fault of ours or of the table: better to stop than to go on.
MAX_DEAD_LETTER_RATIO: Final = 0.01
WINDOW_EVENTS: Final = 10_000
MAX_DEAD_LETTERS: Final = 100  # of a window, whatever the share

_FAILURE: Final = "worker"

logger = logging.getLogger("farebox.worker")

T = TypeVar("T")


class TooManyDeadLetters(FareboxError):
    """The worker stops with nothing committed: somebody must look."""

    code = "too_many_dead_letters"


class Flush(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a batch: whichever comes first."""

    max_rows: int
    max_bytes: int  # of events as they stand in the log
    max_age_s: float  # of the batch's first event


async def run_worker(
    source: EventSource,
    warehouse: AmendableWarehouse,
    prices: PriceCache,
    metrics: Metrics,
    *,
    flush: Flush,
    stop: asyncio.Event,
    drain_now: asyncio.Event | None = None,
    max_dead_letter_ratio: float = MAX_DEAD_LETTER_RATIO,
    hashes: KeyedHashes | None = None,
    export: OtlpExport | None = None,
) -> None:
    """Works until `stop`, and then finishes the batch in hand. Its owner closes what it was given.

    From `drain_now` on no batch waits for more events: the owner knows that none will come. A larger share of dead
    letters than `max_dead_letter_ratio` stops it. Without `hashes` requests have no fingerprints. Rows are handed to
    `export` once they are inserted.

    While the log, the warehouse or the store of prices is unavailable it retries. Raises: TooManyDeadLetters.
    """
    worker = _Worker(
        source,
        warehouse,
        prices,
        metrics,
        flush=flush,
        stop=stop,
        drain_now=drain_now or asyncio.Event(),
        max_dead_letter_ratio=max_dead_letter_ratio,
        hashes=hashes,
        export=export,
    )
    try:
        while not stop.is_set():
            batch = await worker.gather()
            if batch:
                await worker.keep(batch)
    except Unavailable as error:
        if not stop.is_set():
            raise
        logger.warning("worker stops with a batch not kept: it will be delivered again", extra={"code": error.code})


class _Worker:
    def __init__(
        self,
        source: EventSource,
        warehouse: AmendableWarehouse,
        prices: PriceCache,
        metrics: Metrics,
        *,
        flush: Flush,
        stop: asyncio.Event,
        drain_now: asyncio.Event,
        max_dead_letter_ratio: float,
        hashes: KeyedHashes | None,
        export: OtlpExport | None,
    ) -> None:
        self._source = source
        self._warehouse = warehouse
        self._prices = prices
        self._kept_prices: set[str] = set()
        self._metrics = metrics
        self._flush = flush
        self._stop = stop
        self._drain_now = drain_now
        self._max_dead_letter_ratio = max_dead_letter_ratio
        self._hashes = hashes
        self._export = export
        self._window_events = 0
        self._window_dead_letters = 0

    async def gather(self) -> Sequence[Delivery]:
        """The next batch; empty when nothing came for a while."""
        loop = asyncio.get_running_loop()
        batch = list(await self._take(self._flush.max_rows, self._flush.max_bytes, self._flush.max_age_s))
        deadline = loop.time() + self._flush.max_age_s
        size = sum(len(delivery.payload) for delivery in batch)
        while batch and not self._stop.is_set() and not self._drain_now.is_set():
            rows_left, bytes_left = self._flush.max_rows - len(batch), self._flush.max_bytes - size
            seconds_left = deadline - loop.time()
            if min(rows_left, bytes_left, seconds_left) <= 0:
                break
            more = await self._take(rows_left, bytes_left, seconds_left)
            batch.extend(more)
            size += sum(len(delivery.payload) for delivery in more)
        return batch

    async def _take(self, max_events: int, max_bytes: int, wait_s: float) -> Sequence[Delivery]:
        return await self._retry(
            lambda: self._source.take(max_events=max_events, max_bytes=max_bytes, wait_s=min(wait_s, LONGEST_WAIT_S))
        )

    async def keep(self, batch: Sequence[Delivery]) -> None:
        """Inserts the rows, dead-letters the rest, then commits. All of it may be repeated."""
        self._count_events(len(batch))
        dead_letters: list[DeadLetter] = []
        books = await self._retry(self._prices.books)
        charged_until = await self._retry(self._prices.charged_by_others_until)
        hash_key = b"" if self._hashes is None else await self._retry(self._hashes.load)
        done = 0
        while done < len(batch):
            # In a thread: another task of this loop may have somebody waiting.
            chunk = await asyncio.to_thread(rows_of, batch, done, books, hash_key)
            self._count_dead_letters(chunk.dead_letters)
            dead_letters += chunk.dead_letters
            await self._keep_prices(chunk.prices)
            rows, conflicts = await self._settle_logs(chunk.rows)
            dead_letters += conflicts
            dead_letters += await self._insert(await self._rows_to_insert(rows, charged_until))
            await self._amend(chunk)
            done = chunk.end
        if dead_letters:
            await self._retry(lambda: self._source.write_dead_letters(dead_letters))
            self._metrics.add("worker_dead_letters_total", len(dead_letters))
            logger.info(
                "events dead-lettered",
                extra={"count": len(dead_letters), "of": len(batch), "reason": dead_letters[0].reason},
            )
        await self._retry(self._source.commit)
        logger.debug("batch kept", extra={"events": len(batch), "dead_letters": len(dead_letters)})

    async def _keep_prices(self, prices: Mapping[str, Price]) -> None:
        """Those that this worker has not kept yet, before the rows that name them: a receipt can always be given."""
        new = [price for price_id, price in prices.items() if price_id not in self._kept_prices]
        if new:
            await self._retry(lambda: self._warehouse.keep_prices(new))
            self._kept_prices.update(price.id for price in new)

    async def _settle_logs(self, rows: Sequence[Row]) -> tuple[Sequence[Row], list[DeadLetter]]:
        """Letters for logs that may not replace what is there. No fault of ours, so they do not stop the worker."""
        left, conflicts = await self._retry(lambda: settle_logs(rows, self._warehouse))
        if conflicts:
            self._metrics.add("worker_log_conflicts_total", len(conflicts))
            logger.warning("refused logs that would replace what they may not", extra={"count": len(conflicts)})
        return left, conflicts

    async def _amend(self, chunk: Chunk) -> None:
        """Behind the rows of `chunk`, also those that were there before: a worker may have died between the two."""
        await self._retry(lambda: keep_amendments(chunk.amendments, chunk.rows, self._warehouse))
        self._metrics.add("worker_amendments_total", len(chunk.amendments))

    async def _rows_to_insert(self, rows: Sequence[Row], charged_until: datetime | None) -> Sequence[Row]:
        left = await self._retry(lambda: rows_to_insert(rows, self._warehouse, charged_until=charged_until))
        if len(left) < len(rows):
            logger.info("skipped rows already inserted", extra={"count": len(rows) - len(left)})
        return left

    async def _insert(self, rows: Sequence[Row]) -> list[DeadLetter]:
        """Letters for the rows that the warehouse cannot hold, found by halving; all others are kept."""
        if not rows:
            return []
        records = [row.record for row in rows]
        bodies = [row.bodies for row in rows if row.bodies is not None]
        try:
            await self._retry(lambda: self._warehouse.insert(records, bodies))
        except PoisonMessage as error:
            if len(rows) == 1:
                dead_letters = [dead_letter(rows[0].delivery, error)]
                self._count_dead_letters(dead_letters)
                return dead_letters
            half = len(rows) // 2
            return await self._insert(rows[:half]) + await self._insert(rows[half:])
        self._metrics.add("worker_rows_total", len(rows))
        if self._export is not None:
            await self._export.take(rows)
        return []

    def _count_events(self, count: int) -> None:
        self._metrics.add("worker_events_total", count)
        if self._window_events >= WINDOW_EVENTS:
            self._window_events = self._window_dead_letters = 0
        self._window_events += count

    def _count_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        self._window_dead_letters += len(dead_letters)
        if self._window_dead_letters > max(MAX_DEAD_LETTERS, self._max_dead_letter_ratio * self._window_events):
            raise TooManyDeadLetters(
                f"{self._window_dead_letters} of the last {self._window_events} events are unusable, the last because: "
                f"{dead_letters[-1].reason}. FAREBOX_MAX_DEAD_LETTER_RATIO=1 sets them aside: `farebox dead-letters`"
            )

    async def _retry(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` returns once what it needs is available. Raises: Unavailable when stopped before that."""
        done = await retry(
            attempt,
            RETRY,
            logger=logger,
            message="attempt failed, retrying: events wait to be counted",
            on_failure=self._note_failure,
            stop=self._stop,
        )
        self._metrics.health.failures.pop(_FAILURE, None)
        return done

    def _note_failure(self, error: Unavailable, elapsed_s: float) -> None:
        self._metrics.add("worker_retries_total")
        if elapsed_s >= UNHEALTHY_AFTER_S:
            self._metrics.health.failures[_FAILURE] = f"events wait to be counted: {error}"
