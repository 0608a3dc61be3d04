"""Keeps the roll-up complete: computes anew the hours, days and weeks whose rows were written since, a few at a time.

Of several workers the one that holds the lease does it. Nothing depends on that: a bucket that is computed twice is the
same twice, and what is not computed is read from its rows.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from time import monotonic
from typing import Any, Final

from schemas.errors import StoreUnavailable, Unavailable
from services.ports.clock import Clock
from services.ports.state import Leases
from services.ports.warehouse import AmendableWarehouse
from services.retry import Backoff, RetryPolicy
from services.sql.rollup.computing import compile_computed, compile_outdated
from services.sql.rollup.grains import GRAINS

# What began to be written longer ago than this can be seen, or failed: inserts are given two minutes.
SETTLE_S: Final = 300.0
EVERY_S: Final = 30.0
LEASE: Final = "rollup"
LEASE_S: Final = 600.0
BUCKETS: Final = 2_000  # of a grain in one turn
ROWS: Final = 100_000  # of a statement: rows wait that are to be inserted meanwhile
_SHARE: Final = 0.25  # of the time at most

_RETRY: Final = RetryPolicy(first_delay_s=EVERY_S, last_delay_s=300.0)

logger = logging.getLogger("farebox.worker")


class RollupWriter:
    """Of one worker, known as `worker_id`, which no other process is."""

    def __init__(self, worker_id: str, *, warehouse: AmendableWarehouse, leases: Leases, clock: Clock) -> None:
        self._worker_id = worker_id
        self._warehouse = warehouse
        self._leases = leases
        self._clock = clock

    async def run(self) -> None:
        """Until it is cancelled."""
        backoff = Backoff(_RETRY, logger, "sums by hour and day cannot be kept: reports take longer")
        while True:
            began_s, delay_s = monotonic(), EVERY_S
            try:
                if await self._has_lease() and await compute_outdated(self._warehouse) >= BUCKETS:
                    delay_s = 0  # there are probably more
            except Unavailable as error:
                delay_s = backoff.failed(error) or EVERY_S
            except Exception:  # a bug of ours, which must not end this: reports read rows then
                logger.exception("sums by hour and day cannot be kept")
            await asyncio.sleep(max(delay_s, (monotonic() - began_s) / _SHARE))

    async def _has_lease(self) -> bool:
        now = self._clock.now()
        return await self._leases.hold(LEASE, self._worker_id, at=now, until=now + timedelta(seconds=LEASE_S))


async def compute_outdated(warehouse: AmendableWarehouse, *, settle_s: float = SETTLE_S) -> int:
    """How many buckets it computed: of each grain the first few that are not complete.

    `settle_s`: how long a statement that writes rows may take until they can be seen. An hour is computed when nobody
    has written its rows for so long; a day or week, which takes longer to compute, when that is so many times as long
    ago as it has hours. What fails alone, as a bucket too large to compute, keeps no other from being computed.
    Raises: StoreUnavailable, at the latest when two statements have failed.
    """
    settle_us = int(settle_s * 1_000_000)
    computed = 0
    failure: StoreUnavailable | None = None
    for grain in GRAINS:
        quiet_us = settle_us * (grain.unit.length // timedelta(hours=1))
        found = await warehouse.query(compile_outdated(grain, quiet_us, BUCKETS))
        for organization_id, buckets in _together(found):
            try:
                await warehouse.execute(compile_computed(grain, organization_id, buckets, settle_us))
            except StoreUnavailable as error:
                if failure is not None:
                    raise
                failure = error
        computed += len(found)
    if failure is not None:
        raise failure
    return computed


def _together(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Sequence[int]]]:
    """Buckets of one organization that lie close together, with so many rows that one statement is short."""
    for organization_id, rows in groupby(found, key=lambda row: str(row["organization_id"])):
        buckets: list[int] = []
        stored = 0
        for row in rows:
            is_far = buckets and row["bucket"] - buckets[0] > 31 * 86_400
            if buckets and (is_far or stored + row["stored"] > ROWS):
                yield organization_id, buckets
                buckets, stored = [], 0
            buckets.append(row["bucket"])
            stored += row["stored"]
        yield organization_id, buckets
