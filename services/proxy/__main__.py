"""The proxy as a process: settings -> stores -> server. Stops gracefully on SIGTERM and SIGINT."""

import asyncio
import gc
import logging
import os
import signal
import sys

import uvloop

from schemas.errors import FareboxError
from services.ports import Clock, EventSink, KeyStore
from services.proxy.server import GRACE_S, ProxyServer, create_server
from services.settings import ProxySettings
from services.stores.clock import SystemClock
from services.stores.connect import open_event_sink, open_keys
from services.stores.upstream import UpstreamPool
from services.telemetry import Metrics, configure_logging

logger = logging.getLogger("farebox.proxy")


def proxy_server(
    settings: ProxySettings,
    *,
    sink: EventSink,
    keys: KeyStore,
    metrics: Metrics,
    clock: Clock,
    grace_s: int = GRACE_S,
) -> ProxyServer:
    """A proxy to be served on a running event loop. Its owner closes `sink` after it, never before.

    Told to stop, it gives exchanges in flight `grace_s` to end.
    """
    upstream = UpstreamPool(max_connections=settings.max_connections, connect_timeout_s=settings.connect_timeout_s)
    return create_server(
        settings, upstream=upstream, sink=sink, keys=keys, metrics=metrics, clock=clock, grace_s=grace_s
    )


async def run(settings: ProxySettings) -> None:
    """Serves until a signal comes. Raises: InvalidSetting, BrokerUnavailable."""
    metrics = Metrics()
    keys = open_keys(settings.state)
    sink = await open_event_sink(
        settings.event_log, durability=settings.durability, spill=settings.kafka_spill, metrics=metrics
    )
    try:
        server = proxy_server(settings, sink=sink, keys=keys, metrics=metrics, clock=SystemClock())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        gc.collect()
        gc.freeze()  # what was loaded stays: looking through it again would only make requests wait
        logger.info("proxy starts", extra={"host": settings.proxy_host, "port": settings.proxy_port})
        await server.serve()
    finally:
        await sink.close()
        await keys.close()
    logger.info("proxy stopped")


def main() -> None:
    """Exits with 1, and one line that says why, when it cannot start."""
    configure_logging("info")  # to tell what is wrong with the settings, which say how to log
    try:
        settings = ProxySettings.from_environ(os.environ)
        configure_logging(settings.log_level)
        uvloop.run(run(settings))
    except FareboxError as error:
        logger.error("proxy cannot start", extra={"reason": str(error), "code": error.code})  # noqa: TRY400
        sys.exit(1)


if __name__ == "__main__":
    main()
