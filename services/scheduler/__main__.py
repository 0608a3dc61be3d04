"""The scheduler as a process: settings -> stores -> loops. Any number may run; one of them evaluates."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

from schemas.errors import InvalidSetting
from services.domain.exchange.host import host_names
from services.health_page import serve_health
from services.process import closed_by, run_process
from services.scheduler.build import SchedulerStores, schedule
from services.scheduler.delivery_build import open_deliveries
from services.scheduler.report_build import open_reports
from services.scheduler.seals import SchedulerSeals
from services.settings.processes import SchedulerSettings
from services.stores.clock import SystemClock
from services.stores.factory import (
    open_alerts,
    open_heartbeat,
    open_leases,
    open_positions,
    open_progress,
    open_warehouse,
)
from services.telemetry.metrics import SCHEDULER_METRICS, Metrics

logger = logging.getLogger("farebox.scheduler")


async def run(settings: SchedulerSettings) -> None:
    """Works until a signal comes. Raises: FareboxError when it cannot start."""
    metrics, stop = Metrics(SCHEDULER_METRICS), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stores = await _open_stores(settings, stack)
        health = await _listen(settings, metrics)
        stack.callback(health.close)
        logger.info("scheduler starts", extra={"host": settings.scheduler_host, "port": settings.scheduler_port})
        clock = SystemClock()
        deliveries = open_deliveries(stack, settings, clock=clock, metrics=metrics)
        seals = SchedulerSeals(stores.positions, stores.progress, clock, metrics)
        reports = open_reports(stack, settings.state, warehouse=stores.warehouse, seals=seals, metrics=metrics)
        await schedule(stores, clock=clock, metrics=metrics, stop=stop, deliveries=deliveries, reports=reports)
    logger.info("scheduler stopped")


async def _open_stores(settings: SchedulerSettings, stack: AsyncExitStack) -> SchedulerStores:
    """What is open closes with `stack`. Raises: FareboxError."""
    heartbeat = open_heartbeat(settings.heartbeat_url)
    return SchedulerStores(
        positions=closed_by(stack, open_positions(settings.event_log, group=settings.worker_group)),
        progress=closed_by(stack, open_progress(settings.state)),
        alerts=closed_by(stack, open_alerts(settings.state)),
        leases=closed_by(stack, open_leases(settings.state)),
        heartbeat=None if heartbeat is None else closed_by(stack, heartbeat),
        warehouse=closed_by(stack, await open_warehouse(settings.warehouse, limits=settings.limits())),
    )


async def _listen(settings: SchedulerSettings, metrics: Metrics) -> asyncio.Server:
    try:
        return await serve_health(
            metrics, host=settings.scheduler_host, port=settings.scheduler_port, hosts=host_names(settings.hosts)
        )
    except OSError as error:
        raise InvalidSetting(f"scheduler_host, scheduler_port: {error.strerror}") from error


def main() -> None:
    run_process(SchedulerSettings, run, logger, failed="scheduler stops")


if __name__ == "__main__":
    main()
