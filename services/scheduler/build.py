"""Wires the scheduler: stores -> its loops. `__main__` and `embedded/` call `schedule`."""

import asyncio
import os
from typing import Protocol

import msgspec

from services.alerting.warehouse import AlertWarehouse
from services.ports.alerts import EvaluatedAlerts
from services.ports.clock import Clock
from services.ports.log import LogPositions, ProgressStore
from services.ports.state import Leases
from services.ports.warehouse import Warehouse
from services.scheduler.delivery import Deliveries
from services.scheduler.evaluator import Evaluator
from services.scheduler.reports import Reports
from services.scheduler.seals import SchedulerSeals
from services.telemetry.metrics import Metrics


class Heartbeat(Protocol):
    """Somebody outside who is notified that this works."""

    async def beat(self) -> bool:
        """Whether it was taken. Never fails."""
        ...


class SchedulerStores(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the scheduler. What opened them closes them, after the scheduler."""

    alerts: EvaluatedAlerts
    warehouse: Warehouse
    leases: Leases
    positions: LogPositions
    progress: ProgressStore
    heartbeat: Heartbeat | None = None


async def schedule(
    stores: SchedulerStores,
    *,
    clock: Clock,
    metrics: Metrics,
    stop: asyncio.Event,
    deliveries: Deliveries | None = None,
    reports: Reports | None = None,
) -> None:
    """Evaluates alerts until `stop`, and sends what `deliveries` finds, to the end of what is being sent then.

    Beside that it makes the `reports` that are due.
    """
    evaluator = Evaluator(
        os.urandom(16).hex(),
        alerts=stores.alerts,
        warehouse=AlertWarehouse(stores.warehouse),
        leases=stores.leases,
        seal=SchedulerSeals(stores.positions, stores.progress, clock, metrics).current,
        clock=clock,
        metrics=metrics,
    )
    is_done = asyncio.Event()
    tasks = [asyncio.create_task(evaluator.run(is_done.set))]
    if reports is not None:
        tasks.append(asyncio.create_task(reports.run(clock.now)))
    if stores.heartbeat is not None:
        tasks.append(asyncio.create_task(_beat(stores.heartbeat, is_done)))
    try:
        await (stop.wait() if deliveries is None else deliveries.run(stop))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _beat(heartbeat: Heartbeat, is_done: asyncio.Event) -> None:
    """Beside the evaluations, which wait for nobody outside."""
    while True:
        await is_done.wait()
        is_done.clear()
        await heartbeat.beat()
