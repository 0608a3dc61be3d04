"""Wires the worker: settings and stores -> its loop. `__main__` and `embedded/` call `work`."""

import asyncio
import os
from collections.abc import Mapping

import msgspec

from schemas.price import ShippedBook
from services.hashing import KeyedHashes
from services.ports.budgets import BudgetCounters, BudgetRows
from services.ports.clock import Clock
from services.ports.log import EventSource, LogPositions, ProgressStore
from services.ports.otlp import TelemetryReceiver
from services.ports.prices import PriceRows, PricingReleaseRegistry
from services.ports.state import Leases, Secrets
from services.ports.warehouse import AmendableWarehouse
from services.settings.processes import WorkerSettings
from services.telemetry.metrics import Metrics
from services.worker.budgets import BudgetLedger, BudgetRebuilder
from services.worker.gc_tuning import look_for_cycles_rarely
from services.worker.loop import Flush, run_worker
from services.worker.otlp_export import OtlpExport
from services.worker.prices import PriceCache
from services.worker.progress import ProgressWriter
from services.worker.rollup import RollupWriter


class WorkerStores(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the worker. What opened them closes them, after the worker."""

    source: EventSource
    positions: LogPositions
    progress: ProgressStore
    warehouse: AmendableWarehouse
    price_rows: PriceRows
    releases: PricingReleaseRegistry
    secrets: Secrets
    leases: Leases
    budgets: BudgetRows
    budget_counters: BudgetCounters
    telemetry: TelemetryReceiver | None = None  # who is sent spans and metrics of calls


async def work(
    settings: WorkerSettings,
    stores: WorkerStores,
    *,
    shipped: ShippedBook,
    clock: Clock,
    metrics: Metrics,
    stop: asyncio.Event,
    drain_now: asyncio.Event | None = None,
) -> None:
    """Works until `stop`. From `drain_now` on no batch waits for more events.

    Raises: FareboxError when it must not go on.
    """
    look_for_cycles_rarely()
    worker_id = os.urandom(16).hex()
    writer = ProgressWriter(
        worker_id, positions=stores.positions, progress=stores.progress, clock=clock, metrics=metrics
    )
    rollup = RollupWriter(worker_id, warehouse=stores.warehouse, leases=stores.leases, clock=clock)
    budgets = BudgetRebuilder(worker_id, _budget_ledger(stores), leases=stores.leases, clock=clock)
    export = _export(settings.otlp_resource(worker_id), stores, clock, metrics)
    beside = [asyncio.create_task(one.run()) for one in (writer, rollup, budgets)]
    if export is not None:
        beside.append(asyncio.create_task(export.run()))
    try:
        await run_worker(
            stores.source,
            stores.warehouse,
            PriceCache(shipped, stores.price_rows, stores.releases),
            metrics,
            flush=Flush(max_rows=settings.flush_rows, max_bytes=settings.flush_bytes, max_age_s=settings.flush_s),
            stop=stop,
            drain_now=drain_now,
            max_dead_letter_ratio=settings.max_dead_letter_ratio,
            hashes=KeyedHashes(stores.secrets),
            export=export,
        )
    finally:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)


def _export(resource: Mapping[str, str], stores: WorkerStores, clock: Clock, metrics: Metrics) -> OtlpExport | None:
    if stores.telemetry is None:
        return None
    return OtlpExport(stores.telemetry, resource=resource, clock=clock, metrics=metrics)


def _budget_ledger(stores: WorkerStores) -> BudgetLedger:
    return BudgetLedger(
        rows=stores.budgets,
        counters=stores.budget_counters,
        warehouse=stores.warehouse,
        positions=stores.positions,
        progress=stores.progress,
    )
