"""The proxy as a process: settings -> stores -> server. Stops gracefully on SIGTERM and SIGINT."""

import asyncio
import gc
import logging
import os
import signal
from contextlib import AsyncExitStack
from typing import Final

from services.domain.exchange.capture import CaptureSpace
from services.domain.exchange.helicone_headers import ignored_headers
from services.domain.exchange.host import host_names
from services.domain.exchange.routes import Routes, origins_of
from services.ports import Clock, EventSink, KeyStore, QueryableWarehouse, Upstream
from services.process import GRACE_S, closed_by, run_process
from services.proxy.app import ProxyApp
from services.proxy.exchange.context import Limits, ProxyContext
from services.proxy.exchange.drain import DrainLimits, Drains
from services.proxy.exchange.key_cache import ApiKeyCache
from services.proxy.exchange.omitting_sink import OmittingSink
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.exchange.recorder import EventRecorder
from services.proxy.exchange.request_ids import RequestIds
from services.proxy.http.dispatcher import Dispatcher
from services.proxy.http.server import ProxyServer
from services.proxy.log_conflicts import LOOK_UP_S, LogConflicts
from services.proxy.log_endpoint import LogEndpoint
from services.proxy.log_intake import LoggedCallIntake
from services.settings import ProxySettings
from services.stores.clock import SystemClock
from services.stores.factory import open_event_sink, open_keys, open_shared_warehouse
from services.stores.upstream.pool import UpstreamPool
from services.telemetry import PROXY_METRICS, Metrics

KEPT_BYTES: Final = 64 * 2**20  # of all bodies that are kept until they are whole

logger = logging.getLogger("farebox.proxy")


def proxy_server(
    settings: ProxySettings,
    *,
    sink: EventSink,
    keys: KeyStore,
    metrics: Metrics,
    clock: Clock,
    warehouse: QueryableWarehouse | None = None,
    grace_s: int = GRACE_S,
) -> ProxyServer:
    """A proxy to be served on a running event loop. Its owner closes `sink` after it, never before.

    `warehouse` tells it which logs would replace what they may not; without one only the worker decides.
    Told to stop, it gives exchanges in flight `grace_s` to end. Raises: InvalidSetting.
    """
    upstream = UpstreamPool(max_connections=settings.max_connections, connect_timeout_s=settings.connect_timeout_s)
    routes = Routes(origins_of(settings.base_urls()))
    keyring = ApiKeyCache(keys)
    draw_id = RequestIds(os.urandom).draw
    omitting = OmittingSink(sink, omission=settings.omit_bodies, metrics=metrics)
    accounts = EventRecorder(
        sink=omitting,
        metrics=metrics,
        draw_id=draw_id,
        capture_bytes=settings.capture_bytes,
        capture_total_bytes=settings.capture_total_bytes,
    )
    drains = _drains(settings, accounts, metrics)
    paced = PacedWork()
    relay = _relay(settings, upstream, keyring, accounts, drains, metrics, paced)
    logs = LoggedCallIntake(
        keys=keyring,
        conflicts=LogConflicts(warehouse),
        sink=omitting,
        clock=clock,
        draw_id=draw_id,
        metrics=metrics,
        capture_bytes=settings.capture_bytes,
        paced=paced,
    )
    dispatcher = Dispatcher(context=relay, routes=routes, app=_app(settings, routes, logs, metrics))
    return ProxyServer(
        dispatcher,
        host=settings.proxy_host,
        port=settings.proxy_port,
        clock=clock,
        max_head_bytes=settings.max_head_bytes,
        upstream=upstream,
        key_cache=keyring,
        drains=drains,
        omitting=omitting,
        grace_s=grace_s,
    )


def _app(settings: ProxySettings, routes: Routes, logs: LoggedCallIntake, metrics: Metrics) -> ProxyApp:
    return ProxyApp(
        metrics=metrics,
        routes=routes.known,
        logs=LogEndpoint(logs, metrics),
        query_url=settings.query_url,
        hosts=host_names(settings.hosts),
    )


def _relay(
    settings: ProxySettings,
    upstream: Upstream,
    keyring: ApiKeyCache,
    accounts: EventRecorder,
    drains: Drains,
    metrics: Metrics,
    paced: PacedWork,
) -> ProxyContext:
    return ProxyContext(
        upstream=upstream,
        keys=keyring,
        accounts=accounts,
        metrics=metrics,
        drains=drains,
        paced=paced,
        kept=CaptureSpace(KEPT_BYTES),
        ignored_headers=ignored_headers(settings.ignore_headers),
        asks_usage=settings.stream_usage == "inject",
        limits=Limits(
            max_body_bytes=settings.max_body_bytes,
            first_byte_timeout_s=settings.first_byte_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
            total_timeout_s=settings.total_timeout_s,
        ),
        strict=settings.durability == "strict",
        pass_unauthenticated=settings.unauthenticated == "pass",
    )


def _drains(settings: ProxySettings, accounts: EventRecorder, metrics: Metrics) -> Drains:
    limits = DrainLimits(
        timeout_s=settings.drain_timeout_s, max_bytes=settings.drain_bytes, max_drains=settings.drain_count
    )
    return Drains(accounts=accounts, metrics=metrics, limits=limits, wanted=settings.on_disconnect == "drain")


async def run(settings: ProxySettings) -> None:
    """Serves until a signal comes. Raises: InvalidSetting, BrokerUnavailable."""
    metrics = Metrics(PROXY_METRICS)
    async with AsyncExitStack() as stack:
        keys = closed_by(stack, open_keys(settings.state))
        sink = await open_event_sink(
            settings.event_log, durability=settings.durability, spill=settings.kafka_spill, metrics=metrics
        )
        closed_by(stack, sink)
        warehouse = open_shared_warehouse(settings.warehouse, query_timeout_s=LOOK_UP_S)
        if warehouse is not None:
            closed_by(stack, warehouse)
        server = proxy_server(settings, sink=sink, keys=keys, metrics=metrics, clock=SystemClock(), warehouse=warehouse)
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
