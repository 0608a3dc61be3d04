"""The query service as a process: settings -> stores -> app -> uvicorn. Stops on SIGTERM and SIGINT."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

from fastapi import FastAPI

from services.domain.exchange.host import host_names
from services.process import GRACE_S, closed_by, descriptor_share, run_process
from services.proxy.log_endpoint import LogService
from services.query.app import create_app
from services.query.server import query_server
from services.settings import QuerySettings
from services.stores.clock import SystemClock
from services.stores.factory import (
    open_event_sink,
    open_keys,
    open_price_rows,
    open_reprices,
    open_secrets,
    open_warehouse,
)
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry import QUERY_METRICS, Metrics

logger = logging.getLogger("farebox.query")


async def run(settings: QuerySettings, *, grace_s: int = GRACE_S) -> None:
    """Answers until a signal comes, then for `grace_s` what is under way. Raises: FareboxError when it cannot start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn stops at a signal and then sends it again, which would end the process before its stores are closed.
        asyncio.get_running_loop().add_signal_handler(number, _stay)
    async with AsyncExitStack() as stack:
        app = await _open_app(settings, stack)
        server = query_server(
            app,
            grace_s=grace_s,
            host=settings.query_host,
            port=settings.query_port,
            max_connections=descriptor_share(2),
        )
        logger.info("query service starts", extra={"host": settings.query_host, "port": settings.query_port})
        await server.serve()
    logger.info("query service stopped")


async def _open_app(settings: QuerySettings, stack: AsyncExitStack) -> FastAPI:
    """What is open closes with `stack`. Raises: FareboxError."""
    warehouse = closed_by(stack, await open_warehouse(settings.warehouse, query_timeout_s=settings.query_timeout_s))
    keys = closed_by(stack, open_keys(settings.state))
    price_rows = closed_by(stack, open_price_rows(settings.state))
    reprices = closed_by(stack, open_reprices(settings.state))
    secrets = closed_by(stack, open_secrets(settings.state))
    clock, metrics = SystemClock(), Metrics(QUERY_METRICS)
    # A log is answered when it is durable, so it shares its write with those that come within milliseconds.
    sink = await open_event_sink(settings.event_log, durability="standard", spill=settings.kafka_spill, metrics=metrics)
    closed_by(stack, sink)
    logs = LogService(
        warehouse=warehouse,
        keys=keys,
        sink=sink,
        clock=clock,
        metrics=metrics,
        capture_bytes=settings.capture_bytes,
        omission=settings.omit_bodies,
    )
    closed_by(stack, logs)
    return create_app(
        warehouse=warehouse,
        keys=keys,
        price_rows=price_rows,
        shipped=ShippedPrices(),
        reprices=reprices,
        clock=clock,
        logs=logs,
        secrets=secrets,
        metrics=metrics,
        public_url=settings.query_url,
        hosts=host_names(settings.hosts),
    )


def _stay() -> None:
    """Leaves the stopping to uvicorn."""


def main() -> None:
    run_process(QuerySettings, run, logger, failed="query service stops")


if __name__ == "__main__":
    main()
