"""The proxy as a process. Stops gracefully on SIGTERM and SIGINT."""

import asyncio
import gc
import logging
import signal
from contextlib import AsyncExitStack

from services.process import closed_by, run_process
from services.proxy.build import open_cache, open_limit_stores, proxy_server
from services.proxy.log_conflicts import LOOK_UP_S
from services.settings.processes import ProxySettings
from services.stores.clock import SystemClock
from services.stores.factory import open_event_sink, open_keys, open_secrets, open_shared_warehouse, open_upstreams
from services.telemetry.metrics import PROXY_METRICS, Metrics

logger = logging.getLogger("farebox.proxy")


async def run(settings: ProxySettings) -> None:
    """Serves until a signal comes. Raises: InvalidSetting, BrokerUnavailable."""
    metrics = Metrics(PROXY_METRICS)
    async with AsyncExitStack() as stack:
        keys = closed_by(stack, open_keys(settings.state))
        secrets = closed_by(stack, open_secrets(settings.state))
        upstreams = closed_by(stack, open_upstreams(settings.state, encryption_key=settings.encryption_key))
        sink = await open_event_sink(
            settings.event_log,
            durability=settings.durability,
            spill=settings.kafka_spill,
            state=settings.state,
            metrics=metrics,
        )
        closed_by(stack, sink)
        warehouse = open_shared_warehouse(settings.warehouse, query_timeout_s=LOOK_UP_S)
        if warehouse is not None:
            closed_by(stack, warehouse)
        server = proxy_server(
            settings,
            sink=sink,
            keys=keys,
            secrets=secrets,
            metrics=metrics,
            clock=SystemClock(),
            upstreams=upstreams,
            warehouse=warehouse,
            cache=open_cache(stack, settings),
            limit_stores=open_limit_stores(stack, settings),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        gc.collect()
        gc.freeze()  # what was loaded stays: looking through it again would only make requests wait
        logger.info("proxy starts", extra={"host": settings.proxy_host, "port": settings.proxy_port})
        await server.serve()
    logger.info("proxy stopped")


def main() -> None:
    run_process(ProxySettings, run, logger, failed="proxy cannot start")


if __name__ == "__main__":
    main()
