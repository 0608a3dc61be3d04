"""The worker as a process: settings -> stores -> loop. Stops on SIGTERM and SIGINT once its batch is kept."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

from schemas.errors import InvalidSetting
from services.domain.exchange.host import host_names
from services.health_page import serve_health
from services.process import closed_by, run_process
from services.settings.processes import WorkerSettings
from services.stores.clock import SystemClock
from services.stores.factory import (
    COUNTERS_S,
    open_budget_counters,
    open_budgets,
    open_event_source,
    open_leases,
    open_otlp_receiver,
    open_positions,
    open_price_rows,
    open_pricing_releases,
    open_progress,
    open_secrets,
    open_warehouse,
)
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import WORKER_METRICS, Metrics
from services.worker.build import WorkerStores, work

logger = logging.getLogger("farebox.worker")


async def run(settings: WorkerSettings) -> None:
    """Works until a signal comes. Raises: FareboxError when it cannot start, or must not go on."""
    metrics, stop = Metrics(WORKER_METRICS), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stores = await _open_stores(settings, stack, metrics)
        health = await _listen(settings, metrics)
        stack.callback(health.close)
        logger.info("worker starts", extra={"host": settings.worker_host, "port": settings.worker_port})
        await work(settings, stores, shipped=ShippedPrices(), clock=SystemClock(), metrics=metrics, stop=stop)
    logger.info("worker stopped")


async def _open_stores(settings: WorkerSettings, stack: AsyncExitStack, metrics: Metrics) -> WorkerStores:
    """What is open closes with `stack`. Raises: FareboxError."""
    # The log first: a wrong setting is an error at once, while a warehouse that is not up yet is waited for.
    source = await open_event_source(settings.event_log, group=settings.worker_group, metrics=metrics)
    telemetry = open_otlp_receiver(
        settings, proxy=settings.egress_proxy, no_proxy=settings.no_proxy, ca_file=settings.ca_file
    )
    return WorkerStores(
        source=closed_by(stack, source),
        positions=closed_by(stack, open_positions(settings.event_log, group=settings.worker_group)),
        progress=closed_by(stack, open_progress(settings.state)),
        warehouse=closed_by(stack, await open_warehouse(settings.warehouse)),
        price_rows=closed_by(stack, open_price_rows(settings.state)),
        releases=closed_by(stack, open_pricing_releases(settings.state)),
        secrets=closed_by(stack, open_secrets(settings.state)),
        leases=closed_by(stack, open_leases(settings.state)),
        budgets=closed_by(stack, open_budgets(settings.state)),
        budget_counters=closed_by(stack, open_budget_counters(settings.budgets_url, timeout_s=COUNTERS_S)),
        telemetry=None if telemetry is None else closed_by(stack, telemetry),
    )


async def _listen(settings: WorkerSettings, metrics: Metrics) -> asyncio.Server:
    try:
        return await serve_health(
            metrics, host=settings.worker_host, port=settings.worker_port, hosts=host_names(settings.hosts)
        )
    except OSError as error:
        raise InvalidSetting(f"worker_host, worker_port: {error.strerror}") from error


def main() -> None:
    run_process(WorkerSettings, run, logger, failed="worker stops")


if __name__ == "__main__":
    main()
