"""All of Farebox in one process: the proxy's loop in the main thread, the accounting's in a second one."""

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path

import msgspec
import uvloop

from schemas.errors import InvalidSetting
from schemas.event import ExchangeEvent
from schemas.key import Permission
from services.domain.exchange.routes import origin_of
from services.embedded.accounting import Accounting
from services.embedded.data_folder import ORGANIZATION, DataFolder
from services.embedded.sockets import listen, url_of
from services.migrate import migrate
from services.ports import EventSink
from services.process import raise_descriptor_limit
from services.proxy.build import proxy_server
from services.proxy.http.server import ProxyServer
from services.settings import MigrateSettings, ProxySettings, QuerySettings, WorkerSettings
from services.stores.clock import SystemClock
from services.stores.factory import open_event_sink, open_keys
from services.stores.private_files import make_private_folder
from services.stores.state.api_keys import SqlKeyStore
from services.telemetry import Metrics

logger = logging.getLogger("farebox.up")

# Between the two threads the interpreter changes this often, so that the proxy's answers wait no longer for the worker.
_SWITCH_S = 0.0005


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A Farebox that answers, as other threads see it."""

    proxy_url: str
    query_url: str
    key: str
    key_is_new: bool
    loop: asyncio.AbstractEventLoop
    sink: EventSink
    server: ProxyServer
    accounting: Accounting

    def publish(self, events: Iterable[ExchangeEvent]) -> None:
        """Returns when `events` are durable in the event log. Raises: BrokerUnavailable."""
        asyncio.run_coroutine_threadsafe(self._publish(events), self.loop).result()

    async def _publish(self, events: Iterable[ExchangeEvent]) -> None:
        for promise in [self.sink.publish(event) for event in events]:
            await promise

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.server.stop)


def serve(folder: DataFolder, environ: Mapping[str, str], use: Callable[[Running], None]) -> None:
    """Serves until a signal comes or `use` stops it; `use` runs in a thread of its own once all is ready.

    Raises: FareboxError when it cannot start, or when accounting had stopped before; what `use` raised.
    """
    settings = folder.environ(environ)
    sys.setswitchinterval(_SWITCH_S)
    raise_descriptor_limit()
    with _alone_in(folder):
        uvloop.run(_serve(folder, settings, use))


async def _serve(folder: DataFolder, environ: Mapping[str, str], use: Callable[[Running], None]) -> None:
    proxy, query = ProxySettings.from_environ(environ), QuerySettings.from_environ(environ)
    _check_providers(proxy)
    proxy_socket = listen("proxy", proxy.proxy_host, proxy.proxy_port)
    query_socket = listen("query", query.query_host, query.query_port)
    await migrate(MigrateSettings.from_environ(environ))
    metrics, query_url = Metrics(), url_of(query_socket)
    accounting = Accounting(WorkerSettings.from_environ(environ), query, listening=query_socket, metrics=metrics)
    async with contextlib.AsyncExitStack() as stack:
        keys = open_keys(proxy.state)
        stack.push_async_callback(keys.close)
        key, key_is_new = await _first_key(folder, keys)
        # Closed in the opposite order: the proxy, its log, and then those who read the log.
        stack.push_async_callback(asyncio.to_thread, accounting.stop)
        await asyncio.to_thread(accounting.start)
        sink = await open_event_sink(
            proxy.event_log, durability=proxy.durability, spill=proxy.kafka_spill, metrics=metrics
        )
        stack.push_async_callback(sink.close)
        proxy = proxy.model_copy(update={"query_url": proxy.query_url or query_url})
        server = proxy_server(
            proxy, sink=sink, keys=keys, metrics=metrics, clock=SystemClock(), warehouse=accounting.warehouse
        )
        running = Running(
            proxy_url=url_of(proxy_socket),
            query_url=query_url,
            key=key,
            key_is_new=key_is_new,
            loop=asyncio.get_running_loop(),
            sink=sink,
            server=server,
            accounting=accounting,
        )
        await _serve_proxy(running, proxy_socket, use)
    accounting.check()


def _check_providers(proxy: ProxySettings) -> None:
    """Before anything is made. Raises: InvalidSetting."""
    for name, url in (("OPENAI", proxy.openai_url), ("ANTHROPIC", proxy.anthropic_url)):
        try:
            origin_of(url)
        except InvalidSetting as error:
            raise InvalidSetting(f"setting FAREBOX_{name}_URL: {error}") from error


async def _serve_proxy(running: Running, listening: socket.socket, use: Callable[[Running], None]) -> None:
    server = running.server
    for number in (signal.SIGINT, signal.SIGTERM):
        running.loop.add_signal_handler(number, server.stop)
    outcome: Future[None] = Future()
    # A daemon: when the operator has had enough, nobody waits for it. The socket listens already.
    threading.Thread(target=_run_use, args=(running, use, outcome), name="use", daemon=True).start()
    await server.serve(sockets=[listening])
    if outcome.done():
        outcome.result()


def _run_use(running: Running, use: Callable[[Running], None], outcome: Future[None]) -> None:
    try:
        use(running)
    except BaseException as error:
        if not running.server.should_exit:
            outcome.set_exception(error)
            running.stop()
    else:
        outcome.set_result(None)


async def _first_key(folder: DataFolder, keys: SqlKeyStore) -> tuple[str, bool]:
    """The key kept in the data folder, and whether it was made just now."""
    secret = folder.read_key()
    if secret and await keys.organization_of(secret) is not None:
        return secret, False
    _, secret = await keys.create_key(
        organization_id=ORGANIZATION, name="made on the first start", permission=Permission.ADMIN
    )
    folder.keep_key(secret)
    return secret, True


@contextlib.contextmanager
def _alone_in(folder: DataFolder) -> Iterator[None]:
    """Holds the data folder for this process. Raises: InvalidSetting when another one does."""
    try:
        # What people said to models is in here.
        make_private_folder(folder.path)
        descriptor = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InvalidSetting(f"the data folder {folder.path} cannot be used: {error.strerror}") from error
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InvalidSetting(f"the data folder {folder.path} is in use by another Farebox") from error
        _keep_scratch_in(folder.path / "scratch")
        yield


def _keep_scratch_in(folder: Path) -> None:
    """The engine's driver passes batches in temporary files, prompts included: a kill must not leave them elsewhere."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    tempfile.tempdir = str(folder)


def resident_mb() -> int:
    """Memory that this process has now, in MB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
