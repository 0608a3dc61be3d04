"""A worker between a log in memory and a warehouse."""

import asyncio
from collections.abc import Sequence

from services.hashing import KeyedHashes
from services.ports.warehouse import AmendableWarehouse
from services.stores.memory import MemoryLog, MemorySource
from services.telemetry.metrics import Metrics
from services.worker.loop import Flush, run_worker
from services.worker.prices import PriceCache
from tests.builders.price_rows import known


def work_through(
    warehouse: AmendableWarehouse,
    entries: Sequence[bytes],
    *,
    rows: int = 1000,
    prices: PriceCache | None = None,
    hashes: KeyedHashes | None = None,
) -> None:
    """One worker from the first entry to the last, in batches of `rows`; at the shipped prices unless reported."""

    async def work() -> None:
        log, stop, metrics = MemoryLog(), asyncio.Event(), Metrics()
        log.entries.extend(entries)
        source = MemorySource(log)
        flush = Flush(max_rows=rows, max_bytes=2**30, max_age_s=0.01)
        worker = asyncio.create_task(
            run_worker(source, warehouse, prices or known(), metrics, flush=flush, stop=stop, hashes=hashes)
        )
        while await source.backlog():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
        stop.set()
        await worker

    asyncio.run(asyncio.wait_for(work(), 60))
