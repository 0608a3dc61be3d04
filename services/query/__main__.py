"""The query service as a process: settings -> stores -> app -> uvicorn. Stops on SIGTERM and SIGINT."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack

import uvicorn
import uvloop

from schemas.errors import FareboxError
from services.query.app import create_app
from services.settings import QuerySettings
from services.stores.clock import SystemClock
from services.stores.connect import open_keys, open_price_rows, open_reprices, open_warehouse
from services.stores.prices import ShippedPrices
from services.telemetry import configure_logging

GRACE_S = 8  # for answers under way when the process is told to stop: container engines kill after ten

logger = logging.getLogger("farebox.query")


async def run(settings: QuerySettings, *, grace_s: int = GRACE_S) -> None:
    """Answers until a signal comes, then for `grace_s` what is under way. Raises: FareboxError when it cannot start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn stops at a signal and then sends it again, which would end the process before its stores are closed.
        asyncio.get_running_loop().add_signal_handler(number, _stay)
    async with AsyncExitStack() as stack:
        warehouse = await open_warehouse(settings.warehouse, query_timeout_s=settings.query_timeout_s)
        stack.push_async_callback(warehouse.close)
        keys = open_keys(settings.state)
        stack.push_async_callback(keys.close)
        price_rows = open_price_rows(settings.state)
        stack.push_async_callback(price_rows.close)
        reprices = open_reprices(settings.state)
        stack.push_async_callback(reprices.close)
        app = create_app(
            warehouse=warehouse,
            keys=keys,
            price_rows=price_rows,
            shipped=ShippedPrices(),
            reprices=reprices,
            clock=SystemClock(),
        )
        config = uvicorn.Config(
            app,
            host=settings.query_host,
            port=settings.query_port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=grace_s,
        )
        logger.info("query service starts", extra={"host": settings.query_host, "port": settings.query_port})
        await uvicorn.Server(config).serve()
    logger.info("query service stopped")


def _stay() -> None:
    """Leaves the stopping to uvicorn."""


def main() -> None:
    """Exits with 1, and one line that says why, when it cannot start."""
    configure_logging("info")  # to tell what is wrong with the settings, which say how to log
    try:
        settings = QuerySettings.from_environ(os.environ)
        configure_logging(settings.log_level)
        uvloop.run(run(settings))
    except FareboxError as error:
        logger.error("query service stops", extra={"reason": str(error), "code": error.code})  # noqa: TRY400
        sys.exit(1)


if __name__ == "__main__":
    main()
