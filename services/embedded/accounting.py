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

import uvicorn

from schemas.errors import FareboxError, StoreUnavailable, Unavailable
from services.domain.exchange.host import host_names
from services.embedded.accounting_lock import accounting_lock
from services.embedded.accounting_stores import AccountingStores, open_stores
from services.embedded.channel import ParentChannel
from services.embedded.messages import CountBacklog, Failed, QueryRows, Ready, Reply, Request, Status, Stop
from services.embedded.sockets import url_of
from services.migrate import migrate
from services.ports.log import EventSource
from services.process import descriptor_share, process_id
from services.query.build import query_server
from services.query.dependencies import QueryStores
from services.scheduler.build import SchedulerStores, schedule
from services.scheduler.delivery_build import open_deliveries
from services.scheduler.report_build import open_reports
from services.scheduler.seals import SchedulerSeals
from services.settings.processes import MigrateSettings, QuerySettings, SchedulerSettings, WorkerSettings
from services.stores.clock import SystemClock
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import QUERY_METRICS, SCHEDULER_METRICS, Counter, Metrics
from services.worker.build import WorkerStores, work

logger = logging.getLogger("farebox.up")

DRAIN_S: Final = 20  # for events still in the log when everything stops; later ones wait for the next start
_POLL_S: Final = 0.05
_STATUS_S: Final = 0.25

# Calls come first: where both want the same core, the proxy's process is to have it.
_NICENESS: Final = 5


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
        self._scheduler = SchedulerSettings.from_environ(environ)
        self._migrate = MigrateSettings.from_environ(environ)
        self._listening = listening
        self._channel = channel
        self._metrics = Metrics(
            QUERY_METRICS | SCHEDULER_METRICS
        )  # the others are shown by the proxy, to which they are sent
        self._sent: dict[str, int] = {}
        self._stores: AccountingStores | None = None  # until they are open
        self._stop = asyncio.Event()
        self._replies: set[asyncio.Task[None]] = set()
        self.is_ready = False

    async def serve(self) -> None:
        """Returns when it was stopped, the log is drained and everything is closed. Raises: FareboxError."""
        await migrate(self._migrate)
        async with AsyncExitStack() as stack:
            self._stores = stores = await open_stores(
                stack, self._query, self._worker, self._metrics, heartbeat_url=self._scheduler.heartbeat_url
            )
            shipped = ShippedPrices()
            server = await stack.enter_async_context(self._query_server(stores, shipped))
            worker_stop = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(server.serve(sockets=[self._listening]))
                tasks.create_task(self._run_worker(stores, shipped, worker_stop))
                tasks.create_task(self._run_scheduler(stores, stack))
                self._channel.send(Ready())
                self.is_ready = True
                await self._stop.wait()
                server.should_exit = True
                await _drained(stores.source)
                worker_stop.set()

    async def _run_worker(self, stores: AccountingStores, shipped: ShippedPrices, stop: asyncio.Event) -> None:
        await work(
            self._worker,
            WorkerStores(
                source=stores.source,
                positions=stores.positions,
                progress=stores.progress,
                warehouse=stores.warehouse,
                price_rows=stores.price_rows,
                releases=stores.releases,
                secrets=stores.secrets,
                leases=stores.leases,
                budgets=stores.budgets,
                budget_counters=stores.budget_counters,
                telemetry=stores.telemetry,
            ),
            shipped=shipped,
            clock=SystemClock(),
            metrics=self._metrics,
            stop=stop,
            drain_now=self._stop,
        )

    async def _run_scheduler(self, stores: AccountingStores, stack: AsyncExitStack) -> None:
        clock = SystemClock()
        deliveries = open_deliveries(
            stack, self._scheduler, clock=clock, metrics=self._metrics, public_url=url_of(self._listening)
        )
        seals = SchedulerSeals(stores.positions, stores.progress, clock, self._metrics)
        reports = open_reports(
            stack, self._scheduler.state, warehouse=stores.warehouse, seals=seals, metrics=self._metrics
        )
        await schedule(
            SchedulerStores(
                alerts=stores.alerts,
                warehouse=stores.warehouse,
                leases=stores.leases,
                positions=stores.positions,
                progress=stores.progress,
                heartbeat=stores.heartbeat,
            ),
            clock=clock,
            metrics=self._metrics,
            stop=self._stop,
            deliveries=deliveries,
            reports=reports,
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
                failures=dict(self._metrics.health.failures),
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

    def _query_server(
        self, stores: AccountingStores, shipped: ShippedPrices
    ) -> AbstractAsyncContextManager[uvicorn.Server]:
        return query_server(
            QueryStores(
                positions=stores.positions,
                progress=stores.progress,
                warehouse=stores.warehouse,
                keys=stores.keys,
                price_rows=stores.price_rows,
                reprices=stores.reprices,
                secrets=stores.secrets,
                hidden_properties=stores.hidden_properties,
                upstreams=stores.upstreams,
                alerts=stores.alerts,
                channels=stores.channels,
                scheduled_reports=stores.scheduled_reports,
                sink=stores.sink,
                cache=stores.cache,
                budgets=stores.budgets,
                budget_counters=stores.budget_counters,
            ),
            shipped=shipped,
            clock=SystemClock(),
            metrics=self._metrics,
            capture_bytes=self._query.capture_bytes,
            omission=self._query.omit_bodies,
            proxy_id=process_id(self._query.proxy_id, self._query.query_port),
            missing_tags=self._query.missing_tags,
            grace_s=DRAIN_S,
            max_connections=descriptor_share(2),
            public_url=self._query.query_url,
            proxy_url=self._query.proxy_url,
            hosts=host_names(self._query.hosts),
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
