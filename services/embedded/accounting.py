"""The worker and the query service of an embedded Farebox: an event loop of their own in a second thread.

The proxy's loop never waits for them: they meet it in the journal's file only. When they stop for good, it goes on as
it would beside a worker process that stopped: calls pass, their events wait in the journal, and `/healthz` says so.
"""

import asyncio
import logging
import socket
import threading
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import msgspec
import uvicorn
import uvloop

from schemas.errors import FareboxError
from services.domain.exchange.host import host_names
from services.ports import EventSink, EventSource, Warehouse
from services.process import closed_by, descriptor_share
from services.query.build import query_server
from services.query.dependencies import QueryStores
from services.settings import QuerySettings, WorkerSettings
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.clock import SystemClock
from services.stores.factory import (
    open_event_sink,
    open_event_source,
    open_keys,
    open_price_rows,
    open_pricing_releases,
    open_reprices,
    open_secrets,
    open_warehouse,
)
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.prices import SqlPriceRows
from services.stores.state.releases import SqlPricingReleases
from services.stores.state.reprices import SqlReprices
from services.stores.state.secrets import SqlSecrets
from services.telemetry import Metrics
from services.worker.gc_tuning import look_for_cycles_rarely
from services.worker.loop import Flush, run_worker
from services.worker.prices import PriceCache

logger = logging.getLogger("farebox.up")

DRAIN_S = 20  # for the events that are still in the journal when everything stops; later ones wait for the next start
_POLL_S = 0.05


class _Live(msgspec.Struct, frozen=True):
    """What runs, once it does."""

    loop: asyncio.AbstractEventLoop
    source: EventSource
    warehouse: ClickHouseWarehouse
    stop: asyncio.Event


class _Stores(msgspec.Struct, frozen=True, kw_only=True):
    """What accounting works on."""

    source: EventSource
    warehouse: ClickHouseWarehouse
    keys: SqlKeyStore
    price_rows: SqlPriceRows
    releases: SqlPricingReleases
    reprices: SqlReprices
    secrets: SqlSecrets
    sink: EventSink


class AccountingStopped(FareboxError):
    """Nothing is counted until the next start."""

    code = "accounting_stopped"


class Accounting:
    """Starts, is asked how far it is, and stops. All of it from other threads than its own."""

    def __init__(
        self, worker: WorkerSettings, query: QuerySettings, *, listening: socket.socket, metrics: Metrics
    ) -> None:
        """`listening`: where the query service takes its connections."""
        self._worker = worker
        self._query = query
        self._listening = listening
        self._metrics = metrics
        self._stopped = ""
        self._live: Future[_Live] = Future()
        self._thread = threading.Thread(target=self._run, name="accounting")

    def start(self) -> None:
        """Returns when both work. Raises: FareboxError when they cannot."""
        self._thread.start()
        self._live.result()

    @property
    def warehouse(self) -> Warehouse:
        """To be asked from any loop, once both work."""
        return self._live.result().warehouse

    def backlog(self) -> int:
        """Events that are in the log and not yet rows. Raises: BrokerUnavailable, AccountingStopped."""
        self.check()
        live = self._live.result()
        return asyncio.run_coroutine_threadsafe(live.source.backlog(), live.loop).result()

    def check(self) -> None:
        """Raises: AccountingStopped, with the reason, when it has stopped by itself."""
        if self._stopped:
            raise AccountingStopped(self._stopped)

    def stop(self) -> None:
        """Returns when the log is empty, or as empty as it gets in time, and everything is closed."""
        if self._thread.is_alive() and self._live.done() and self._live.exception() is None:
            live = self._live.result()
            live.loop.call_soon_threadsafe(live.stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            uvloop.run(self._serve())
        except BaseException as error:
            if not self._live.done():
                self._live.set_exception(error)
                return
            reason = _reason(error)
            logger.exception("accounting stopped: calls pass and are kept, but not counted", extra={"reason": reason})
            self._stopped = f"accounting stopped ({reason}): calls pass and are kept, but not counted"
            self._metrics.health.troubles["accounting"] = self._stopped
        finally:
            self._metrics.worker_inside = False
            self._listening.close()  # so that who asks is refused, and does not wait for a response

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            stores = await self._open(stack)
            live = _Live(asyncio.get_running_loop(), stores.source, stores.warehouse, asyncio.Event())
            shipped = ShippedPrices()
            server = await stack.enter_async_context(self._query_server(stores, shipped))
            worker_stop = asyncio.Event()
            look_for_cycles_rarely()
            work = run_worker(
                stores.source,
                stores.warehouse,
                PriceCache(shipped, stores.price_rows, stores.releases),
                self._metrics,
                flush=Flush(
                    max_rows=self._worker.flush_rows, max_bytes=self._worker.flush_bytes, max_age_s=self._worker.flush_s
                ),
                stop=worker_stop,
                drain_now=live.stop,
                max_dead_letter_ratio=self._worker.max_dead_letter_ratio,
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(server.serve(sockets=[self._listening]))
                tasks.create_task(work)
                self._metrics.worker_inside = True
                self._live.set_result(live)
                await live.stop.wait()
                server.should_exit = True
                await _drained(stores.source)
                worker_stop.set()

    def _query_server(self, stores: _Stores, shipped: ShippedPrices) -> AbstractAsyncContextManager[uvicorn.Server]:
        return query_server(
            QueryStores(
                warehouse=stores.warehouse,
                keys=stores.keys,
                price_rows=stores.price_rows,
                reprices=stores.reprices,
                secrets=stores.secrets,
                sink=stores.sink,
            ),
            shipped=shipped,
            clock=SystemClock(),
            metrics=self._metrics,
            capture_bytes=self._query.capture_bytes,
            omission=self._query.omit_bodies,
            grace_s=DRAIN_S,
            max_connections=descriptor_share(8),  # the other descriptors are the proxy's
            public_url=self._query.query_url,
            hosts=host_names(self._query.hosts),
            unhealthy_reason=lambda: self._metrics.health.unhealthy_reason,
        )

    async def _open(self, stack: AsyncExitStack) -> _Stores:
        """What is open closes with `stack`. Raises: FareboxError."""
        warehouse = closed_by(
            stack, await open_warehouse(self._query.warehouse, query_timeout_s=self._query.query_timeout_s)
        )
        keys = closed_by(stack, open_keys(self._query.state))
        source = closed_by(
            stack,
            await open_event_source(self._worker.event_log, group=self._worker.worker_group, metrics=self._metrics),
        )
        price_rows = closed_by(stack, open_price_rows(self._query.state))
        releases = closed_by(stack, open_pricing_releases(self._query.state))
        reprices = closed_by(stack, open_reprices(self._query.state))
        secrets = closed_by(stack, open_secrets(self._query.state))
        # A second writer beside the proxy's, on this loop: a log is answered when it is durable.
        sink = await open_event_sink(
            self._query.event_log, durability="standard", spill=self._query.kafka_spill, metrics=self._metrics
        )
        closed_by(stack, sink)
        return _Stores(
            source=source,
            warehouse=warehouse,
            keys=keys,
            price_rows=price_rows,
            releases=releases,
            reprices=reprices,
            secrets=secrets,
            sink=sink,
        )


def _reason(error: BaseException) -> str:
    """Of several errors the first. A bug's text could hold anything, so only its name is told."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, FareboxError) else type(error).__name__


async def _drained(source: EventSource) -> None:
    """Returns when the log is empty, or after `DRAIN_S`."""
    try:
        for _ in range(int(DRAIN_S / _POLL_S)):
            if not await source.backlog():
                return
            await asyncio.sleep(_POLL_S)
    except FareboxError as error:
        logger.warning("the event log could not be emptied", extra={"reason": str(error)})
