"""One re-pricing, or the undoing of one, from the first chunk of rows to the last.

Each chunk is complete in itself: prices, then corrections, then rows, then how far the run is. Whenever it breaks off,
what was written stands, is on record, and a second run does the rest.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from schemas.errors import FareboxError, Unavailable
from schemas.price import Price, PriceBook
from schemas.reprice import ChargedRow, Correction, Reprice, RepriceState
from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from schemas.timestamps import unix_us
from schemas.usage import USAGE_CLASSES
from services.amending import amend_rows
from services.domain.pricing.other_models import decode_parts
from services.domain.pricing.price_book import RecordingPriceBook
from services.domain.pricing.reprice import Differences, correction_of
from services.ports.clock import Clock
from services.ports.prices import Reprices
from services.ports.warehouse import AmendableWarehouse, Row
from services.retry import RetryPolicy, retry
from services.sql.compile import compile_report
from services.sql.measures import ROWS
from services.sql.nodes import Filter, Key, Report, key_of
from services.sql.reprices import (
    CHARGED,
    Span,
    compile_charged_rows,
    compile_corrected,
    compile_correction_count,
    compile_correction_keys,
    compile_not_restored_count,
    compile_restored,
    criteria_filter,
)

RENEW_EVERY_S: Final = 20.0  # a third of what a lease lasts
RETRY: Final = RetryPolicy(first_delay_s=0.2, last_delay_s=1.6, max_attempts=5)

logger = logging.getLogger(__name__)

T = TypeVar("T")


class LeaseLost(FareboxError):
    """This process did not renew its lease for so long that another one acquired it."""

    code = "lease_lost"


class RepriceJob:
    """`run` is the record as it stands; its owner records it when the job has ended, one way or the other."""

    def __init__(
        self, run: Reprice, warehouse: AmendableWarehouse, reprices: Reprices, clock: Clock, *, chunk_rows: int
    ) -> None:
        self.run = run
        self._warehouse = warehouse
        self._reprices = reprices
        self._clock = clock
        self._chunk_rows = chunk_rows
        self._stored_prices: set[str] = set()

    async def charge_again(self, book: PriceBook) -> None:
        """Raises: Unavailable, LeaseLost."""
        where = criteria_filter(self.run.criteria)
        await self._count_rows(where)
        differences = Differences()
        try:
            await self._charge_rows(where, book, differences)
        finally:
            self.run = replace(self.run, result=differences.result())
        self.run = replace(self.run, state=RepriceState.DONE)

    async def _charge_rows(self, where: Filter, book: PriceBook, differences: Differences) -> None:
        after = None
        while rows := await self._query(compile_charged_rows(self.run.organization_id, where, after, self._chunk_rows)):
            # In a thread: this loop also serves requests.
            decided = await asyncio.to_thread(_decided, rows, book, self.run)
            if not self.run.dry_run:
                await self._write(decided)
                await self._amend(rows)
            differences.add_all(decided.differences)
            await self._advance(len(rows))
            after = key_of(rows[-1])

    async def undo(self) -> None:
        """Puts back what is still as the run left it. At the end `rows_done` are the rows that cost what they did.

        The others of `rows_total` were logged again after the run: the later log is a charge of its own, at the prices
        known when it was recorded, and stays. Raises: Unavailable, LeaseLost.
        """
        run = self.run
        now_us = unix_us(self._clock.now())
        after = None
        not_restored = 0
        (total,) = await self._query(compile_correction_count(run.organization_id, run.id))
        self.run = replace(run, rows_total=total["corrections"])
        while keys := await self._query(compile_correction_keys(run.organization_id, run.id, after, self._chunk_rows)):
            after = key_of(keys[-1])
            span = Span(key_of(keys[0]), after)
            await self._execute(compile_restored(run.organization_id, run.id, span, now_us))
            await self._amend(keys)
            (count,) = await self._query(compile_not_restored_count(run.organization_id, run.id, span))
            not_restored += count["not_restored"]
            await self._advance(len(keys))
        done = self.run.rows_done - not_restored
        self.run = replace(self.run, state=RepriceState.UNDONE, error="", undone_at=self._clock.now(), rows_done=done)

    async def _count_rows(self, where: Filter) -> None:
        organization_id = self.run.organization_id
        requests = (ROWS,)
        query = Report(table=REQUEST_RESPONSE, organization_id=organization_id, where=where, measures=requests)
        (total,) = await self._query(compile_report(query))
        self.run = replace(self.run, rows_total=total["m0"])

    async def _write(self, decided: "_Decided") -> None:
        """What a row was is on disk before the row is written anew, and so is the price that it names."""
        corrections = decided.corrections
        if not corrections:
            return
        prices = [price for price_id, price in decided.prices.items() if price_id not in self._stored_prices]
        await _retry(lambda: self._warehouse.keep_prices(prices))
        self._stored_prices.update(price.id for price in prices)
        await _retry(lambda: self._warehouse.keep_corrections(corrections))
        span = Span(_key(corrections[0]), _key(corrections[-1]))
        await self._execute(compile_corrected(self.run.organization_id, self.run.id, span))

    async def _amend(self, rows: Sequence[Row]) -> None:
        """What was set on `rows` while they were written anew, or when an earlier run broke off."""
        keys = [key_of(row) for row in rows]
        await _retry(lambda: amend_rows(self._warehouse, self.run.organization_id, keys, is_patient=True))

    async def keep_lease(self) -> None:
        """Renews it until cancelled, also while a query takes longer than the lease lasts."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            with contextlib.suppress(Unavailable):  # the next time
                await self._reprices.advance(self.run, at=self._clock.now())

    async def _advance(self, rows: int) -> None:
        self.run = replace(self.run, rows_done=self.run.rows_done + rows)
        if not await _retry(lambda: self._reprices.advance(self.run, at=self._clock.now())):
            raise LeaseLost(f"re-pricing {self.run.id} lost its lease")

    async def _query(self, statement: Statement) -> Sequence[Row]:
        # No client waits for it: one run charges as many rows as there are.
        patient = replace(statement, is_patient=True)
        return await _retry(lambda: self._warehouse.query(patient))

    async def _execute(self, statement: Statement) -> None:
        await _retry(lambda: self._warehouse.execute(statement))


class _Decided(msgspec.Struct, frozen=True):
    """What one chunk of rows becomes, and the prices by id that it was charged at."""

    corrections: Sequence[Correction]
    prices: Mapping[str, Price]
    differences: Differences


def _decided(rows: Sequence[Row], book: PriceBook, run: Reprice) -> _Decided:
    prices: dict[str, Price] = {}
    recording, differences = RecordingPriceBook(book, prices), Differences()
    corrections = []
    for stored in rows:
        row = _charged_row(stored, run.organization_id)
        correction = correction_of(row, recording, reprice_id=run.id, timestamp=run.started_at)
        differences.add(row, correction)
        if correction is not None:
            corrections.append(correction)
    named = {correction.price_id for correction in corrections}
    named |= {part.price_id for correction in corrections for part in decode_parts(correction.other_models)}
    used = {price_id: price for price_id, price in prices.items() if price_id in named}
    return _Decided(corrections, used, differences)


def _charged_row(row: Row, organization_id: str) -> ChargedRow:
    facts = {name: row[name] for name in CHARGED} | {"request_id": str(row["request_id"])}
    usage = {name: row[name] for name in USAGE_CLASSES}
    return msgspec.convert(facts | {"organization_id": organization_id, "usage": usage}, ChargedRow)


def _key(correction: Correction) -> Key:
    return Key(correction.request_created_at, correction.request_id)


async def _retry(attempt: Callable[[], Awaitable[T]]) -> T:
    """Every write may be repeated. Raises: Unavailable when the last attempt failed too."""
    return await retry(attempt, RETRY, logger=logger, message="re-pricing: attempt failed, retrying")
