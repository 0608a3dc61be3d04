"""The worker as a process: settings -> stores -> loop. Stops on SIGTERM and SIGINT once its batch is kept."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

from schemas.errors import InvalidSetting
from services.domain.exchange.host import host_names
from services.process import closed_by, run_process
from services.settings import WorkerSettings
from services.stores.factory import open_event_source, open_price_rows, open_pricing_releases, open_warehouse
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry import WORKER_METRICS, Metrics
from services.worker.build import work
from services.worker.health import serve_health

logger = logging.getLogger("farebox.worker")


async def run(settings: WorkerSettings) -> None:
    """Works until a signal comes. Raises: FareboxError when it cannot start, or must not go on."""
    metrics, stop = Metrics(WORKER_METRICS), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        # The log first: a wrong setting is an error at once, while a warehouse that is not up yet is waited for.
        source = closed_by(
            stack, await open_event_source(settings.event_log, group=settings.worker_group, metrics=metrics)
        )
        warehouse = closed_by(stack, await open_warehouse(settings.warehouse))
        price_rows = closed_by(stack, open_price_rows(settings.state))
        releases = closed_by(stack, open_pricing_releases(settings.state))
        health = await _listen(settings, metrics)
        stack.callback(health.close)
        logger.info("worker starts", extra={"host": settings.worker_host, "port": settings.worker_port})
        await work(
            settings,
            source=source,
            warehouse=warehouse,
            shipped=ShippedPrices(),
            price_rows=price_rows,
            releases=releases,
            metrics=metrics,
            stop=stop,
        )
    logger.info("worker stopped")


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
