"""The query service as a process: settings -> stores -> server. Stops on SIGTERM and SIGINT."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

from services.domain.exchange.host import host_names
from services.process import GRACE_S, closed_by, descriptor_share, process_id, run_process
from services.query.build import query_server
from services.query.dependencies import QueryStores
from services.settings.processes import QuerySettings
from services.stores.clock import SystemClock
from services.stores.factory import (
    COUNTERS_S,
    open_alerts,
    open_budget_counters,
    open_budgets,
    open_cache_to_clear,
    open_channels,
    open_event_sink,
    open_hidden_properties,
    open_keys,
    open_positions,
    open_price_rows,
    open_progress,
    open_reprices,
    open_scheduled_reports,
    open_secrets,
    open_upstreams,
    open_warehouse,
)
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import QUERY_METRICS, Metrics

logger = logging.getLogger("farebox.query")


async def run(settings: QuerySettings, *, grace_s: int = GRACE_S) -> None:
    """Serves until a signal comes; requests in work then get `grace_s`. Raises: FareboxError when it cannot start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn stops at a signal and then sends it again, which would end the process before its stores are closed.
        asyncio.get_running_loop().add_signal_handler(number, _ignore_signal)
    metrics = Metrics(QUERY_METRICS)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            query_server(
                await _open_stores(settings, stack, metrics),
                shipped=ShippedPrices(),
                clock=SystemClock(),
                metrics=metrics,
                capture_bytes=settings.capture_bytes,
                omission=settings.omit_bodies,
                proxy_id=process_id(settings.proxy_id, settings.query_port),
                missing_tags=settings.missing_tags,
                grace_s=grace_s,
                host=settings.query_host,
                port=settings.query_port,
                max_connections=descriptor_share(2),
                public_url=settings.query_url,
                proxy_url=settings.proxy_url,
                hosts=host_names(settings.hosts),
            )
        )
        logger.info("query service starts", extra={"host": settings.query_host, "port": settings.query_port})
        await server.serve()
    logger.info("query service stopped")


async def _open_stores(settings: QuerySettings, stack: AsyncExitStack, metrics: Metrics) -> QueryStores:
    """What is open closes with `stack`. Raises: FareboxError."""
    warehouse = await open_warehouse(settings.warehouse, limits=settings.limits())
    cache = open_cache_to_clear(settings.cache_url)
    return QueryStores(
        positions=closed_by(stack, open_positions(settings.event_log, group=settings.worker_group)),
        progress=closed_by(stack, open_progress(settings.state)),
        warehouse=closed_by(stack, warehouse),
        keys=closed_by(stack, open_keys(settings.state)),
        price_rows=closed_by(stack, open_price_rows(settings.state)),
        reprices=closed_by(stack, open_reprices(settings.state)),
        secrets=closed_by(stack, open_secrets(settings.state)),
        hidden_properties=closed_by(stack, open_hidden_properties(settings.state)),
        cache=None if cache is None else closed_by(stack, cache),
        upstreams=closed_by(stack, open_upstreams(settings.state, encryption_key=settings.encryption_key)),
        alerts=closed_by(stack, open_alerts(settings.state)),
        channels=closed_by(stack, open_channels(settings.state, encryption_key=settings.encryption_key)),
        scheduled_reports=closed_by(stack, open_scheduled_reports(settings.state)),
        budgets=closed_by(stack, open_budgets(settings.state)),
        budget_counters=closed_by(stack, open_budget_counters(settings.budgets_url, timeout_s=COUNTERS_S)),
        # The response to a log comes when it is durable, so logs that come within milliseconds share one write.
        sink=closed_by(
            stack,
            await open_event_sink(
                settings.event_log,
                durability="standard",
                spill=settings.kafka_spill,
                state=settings.state,
                metrics=metrics,
            ),
        ),
    )


def _ignore_signal() -> None:
    """uvicorn stops the server."""


def main() -> None:
    run_process(QuerySettings, run, logger, failed="query service stops")


if __name__ == "__main__":
    main()
