"""The worker and the query service of an embedded Farebox, on one event loop in a process of their own.

The process may crash, run out of memory or be killed at any time: events that it has not counted wait in the log, and
the supervisor starts it again. When it must not go on, its last report has the reason.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import uvicorn

from schemas.errors import FareboxError, StoreUnavailable, Unavailable
from services.domain.exchange.host import host_names
from services.embedded.accounting_lock import accounting_lock
from services.embedded.channel import ParentChannel
from services.embedded.messages import CountBacklog, Failed, QueryRows, Ready, Reply, Request, Status, Stop
from services.migrate import migrate
from services.ports import EventSink, EventSource
from services.process import closed_by, descriptor_share
from services.query.build import query_server
from services.query.dependencies import QueryStores
from services.settings import MigrateSettings, QuerySettings, WorkerSettings
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
from services.telemetry import QUERY_METRICS, Counter, Metrics
from services.worker.build import work

logger = logging.getLogger("farebox.up")

DRAIN_S: Final = 20  # for events still in the log when everything stops; later ones wait for the next start
_POLL_S: Final = 0.05
_STATUS_S: Final = 0.25

# Calls come first: where both want the same core, the proxy's process is to have it.
_NICENESS: Final = 5


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


async def run_accounting(
    environ: Mapping[str, str], *, folder: Path, listening: socket.socket, channel: ParentChannel
) -> bool:
    """Runs until the proxy's process stops it; False when it stopped by itself.

    `listening`: where the query service takes its connections. `folder` is made for the one user and exists.
    """
    os.nice(_NICENESS)
    accounting = Accounting(environ, listening=listening, channel=channel)
    loop = asyncio.get_running_loop()
    channel.listen(lambda request: _post(loop, lambda: accounting.take(request)))
    statuses = asyncio.create_task(accounting.report_status())
    try:
        with accounting_lock(folder):
            await accounting.serve()
    except BaseException as error:
        first = _first(error)
        reason = str(first) if isinstance(first, FareboxError) else type(first).__name__
        # Of a bug the traceback is needed; its text could hold anything, so only its name goes further.
        logger.log(
            logging.ERROR if accounting.is_ready else logging.INFO,
            "accounting ends",
            extra={"reason": reason},
            exc_info=None if isinstance(first, FareboxError) else error,
        )
        for_good = isinstance(first, FareboxError) and not isinstance(first, Unavailable)
        channel.send(Failed(reason=reason, for_good=for_good))
        return False
    finally:
        statuses.cancel()
        accounting.send_status()
    return True


class Accounting:
    """Worker and query service, what the proxy's process requests of them, and how they are."""

    def __init__(self, environ: Mapping[str, str], *, listening: socket.socket, channel: ParentChannel) -> None:
        """Raises: InvalidSetting."""
        self._worker = WorkerSettings.from_environ(environ)
        self._query = QuerySettings.from_environ(environ)
        self._migrate = MigrateSettings.from_environ(environ)
        self._listening = listening
        self._channel = channel
        self._metrics = Metrics(QUERY_METRICS)  # the others are shown by the proxy, to which they are sent
        self._sent: dict[str, int] = {}
        self._stores: _Stores | None = None  # until they are open
        self._stop = asyncio.Event()
        self._replies: set[asyncio.Task[None]] = set()
        self.is_ready = False

    async def serve(self) -> None:
        """Returns when it was stopped, the log is drained and everything is closed. Raises: FareboxError."""
        await migrate(self._migrate)
        async with AsyncExitStack() as stack:
            self._stores = stores = await self._open(stack)
            shipped = ShippedPrices()
            server = await stack.enter_async_context(self._query_server(stores, shipped))
            worker_stop = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(server.serve(sockets=[self._listening]))
                tasks.create_task(self._run_worker(stores, shipped, worker_stop))
                self._channel.send(Ready())
                self.is_ready = True
                await self._stop.wait()
                server.should_exit = True
                await _drained(stores.source)
                worker_stop.set()

    async def _run_worker(self, stores: _Stores, shipped: ShippedPrices, stop: asyncio.Event) -> None:
        await work(
            self._worker,
            source=stores.source,
            warehouse=stores.warehouse,
            shipped=shipped,
            price_rows=stores.price_rows,
            releases=stores.releases,
            metrics=self._metrics,
            stop=stop,
            drain_now=self._stop,
        )

    async def report_status(self) -> None:
        """Until it is cancelled."""
        while True:
            self.send_status()
            await asyncio.sleep(_STATUS_S)

    def send_status(self) -> None:
        counts: dict[str, int] = {name: self._metrics.get(name) for name in get_args(Counter)}
        counted = {name: count - self._sent.get(name, 0) for name, count in counts.items()}
        self._sent = counts
        self._channel.send(
            Status(
                troubles=dict(self._metrics.health.troubles),
                warnings={name: tuple(warnings()) for name, warnings in self._metrics.health.warnings.items()},
                counted={name: count for name, count in counted.items() if count},
            )
        )

    def take(self, request: Request) -> None:
        """Does what is requested; its reply follows."""
        match request:
            case Stop():
                self._stop.set()
            case QueryRows() | CountBacklog():
                task = asyncio.create_task(self._reply(request))
                self._replies.add(task)
                task.add_done_callback(self._replies.discard)

    async def _reply(self, request: QueryRows | CountBacklog) -> None:
        try:
            reply = Reply(id=request.id, value=await self._value(request))
        except FareboxError as error:
            reply = Reply(id=request.id, error=str(error))
        except Exception as error:
            logger.exception("a request of the proxy failed")
            reply = Reply(id=request.id, error=type(error).__name__)
        self._channel.send(reply)

    async def _value(self, request: QueryRows | CountBacklog) -> list[dict[str, Any]] | int:
        if self._stores is None:
            raise StoreUnavailable("accounting is not ready yet")
        if isinstance(request, QueryRows):
            return await self._stores.warehouse.query(request.statement)
        return await self._stores.source.backlog()

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
            max_connections=descriptor_share(2),
            public_url=self._query.query_url,
            hosts=host_names(self._query.hosts),
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
        # A second writer beside the proxy's: a logged call is acknowledged when it is durable.
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


def _first(error: BaseException) -> BaseException:
    """Of several errors the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _post(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: this process ends
        loop.call_soon_threadsafe(act)


async def _drained(source: EventSource) -> None:
    """Returns when the log is empty, or after `DRAIN_S`."""
    try:
        for _ in range(int(DRAIN_S / _POLL_S)):
            if not await source.backlog():
                return
            await asyncio.sleep(_POLL_S)
    except FareboxError as error:
        logger.warning("the event log could not be drained", extra={"reason": str(error)})
