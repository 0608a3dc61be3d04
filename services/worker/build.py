"""Wires the worker: settings and stores -> its loop. `__main__` and `embedded/` call `work`."""

import asyncio

from schemas.price import ShippedBook
from services.ports import EventSource, PriceRows, PricingReleaseRegistry, Warehouse
from services.settings import WorkerSettings
from services.telemetry import Metrics
from services.worker.gc_tuning import look_for_cycles_rarely
from services.worker.loop import Flush, run_worker
from services.worker.prices import PriceCache


async def work(
    settings: WorkerSettings,
    *,
    source: EventSource,
    warehouse: Warehouse,
    shipped: ShippedBook,
    price_rows: PriceRows,
    releases: PricingReleaseRegistry,
    metrics: Metrics,
    stop: asyncio.Event,
    drain_now: asyncio.Event | None = None,
) -> None:
    """Works until `stop`; its owner closes what it is given. From `drain_now` on no batch waits for more events.

    Raises: FareboxError when it must not go on.
    """
    look_for_cycles_rarely()
    await run_worker(
        source,
        warehouse,
        PriceCache(shipped, price_rows, releases),
        metrics,
        flush=Flush(max_rows=settings.flush_rows, max_bytes=settings.flush_bytes, max_age_s=settings.flush_s),
        stop=stop,
        drain_now=drain_now,
        max_dead_letter_ratio=settings.max_dead_letter_ratio,
    )
