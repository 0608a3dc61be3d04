"""All of Farebox by one command: the proxy in this process, the accounting in a second one that it supervises."""

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future

import msgspec
import uvloop

from schemas.errors import InvalidSetting
from schemas.event import ExchangeEvent
from schemas.key import Permission
from services.domain.exchange.routes import origins_of
from services.embedded.accounting_process import Launch
from services.embedded.data_folder import ORGANIZATION, DataFolder
from services.embedded.sockets import listen, url_of
from services.embedded.supervisor import AccountingSupervisor
from services.ports.log import LogSink
from services.process import closed_by, raise_descriptor_limit
from services.proxy.build import open_cache, open_limit_stores, proxy_server
from services.proxy.http.server import ProxyServer
from services.settings.processes import MigrateSettings, ProxySettings, QuerySettings, WorkerSettings
from services.stores.clock import SystemClock
from services.stores.factory import open_event_sink, open_keys, open_secrets, open_upstreams
from services.stores.private_files import make_private_folder
from services.stores.state.api_keys import SqlKeyStore
from services.telemetry.metrics import Metrics

logger = logging.getLogger("farebox.up")


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A Farebox that serves, as other threads use it."""

    proxy_url: str
    query_url: str
    key: str
    key_is_new: bool
    loop: asyncio.AbstractEventLoop
    sink: LogSink
    server: ProxyServer
    accounting: AccountingSupervisor

    def backlog(self) -> int:
        """Events that are in the log and not yet rows. Raises: StoreUnavailable, AccountingStopped."""
        return asyncio.run_coroutine_threadsafe(self.accounting.backlog(), self.loop).result()

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
    raise_descriptor_limit()
    with _alone_in(folder):
        uvloop.run(_serve(folder, settings, use))


async def _serve(folder: DataFolder, environ: Mapping[str, str], use: Callable[[Running], None]) -> None:
    proxy, query = _settings(environ)
    proxy_socket = listen("proxy", proxy.proxy_host, proxy.proxy_port)
    query_socket = listen("query", query.query_host, query.query_port)
    metrics, query_url = Metrics(), url_of(query_socket)
    environ = {**environ, "FAREBOX_PROXY_URL": query.proxy_url or url_of(proxy_socket)}
    accounting = AccountingSupervisor(Launch(environ=environ, folder=folder.path, listening=query_socket), metrics)
    async with contextlib.AsyncExitStack() as stack:
        # Closed in the opposite order: the proxy, its log, and then accounting, which drains the log.
        stack.push_async_callback(accounting.stop)
        await accounting.start()
        keys = closed_by(stack, open_keys(proxy.state))
        key, key_is_new = await _first_key(folder, keys)
        sink = await open_event_sink(
            proxy.event_log, durability=proxy.durability, spill=proxy.kafka_spill, state=proxy.state, metrics=metrics
        )
        closed_by(stack, sink)
        proxy = proxy.model_copy(update={"query_url": proxy.query_url or query_url})
        server = _open_proxy(stack, proxy, sink=sink, keys=keys, metrics=metrics, accounting=accounting)
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
        _keep_what_is_loaded()
        await _serve_proxy(running, proxy_socket, use)
    accounting.check()


def _open_proxy(
    stack: contextlib.AsyncExitStack,
    proxy: ProxySettings,
    *,
    sink: LogSink,
    keys: SqlKeyStore,
    metrics: Metrics,
    accounting: AccountingSupervisor,
) -> ProxyServer:
    return proxy_server(
        proxy,
        sink=sink,
        keys=keys,
        secrets=closed_by(stack, open_secrets(proxy.state)),
        metrics=metrics,
        clock=SystemClock(),
        upstreams=closed_by(stack, open_upstreams(proxy.state, encryption_key=proxy.encryption_key)),
        warehouse=accounting,
        cache=open_cache(stack, proxy),
        limit_stores=open_limit_stores(stack, proxy),
    )


def _keep_what_is_loaded() -> None:
    """What was loaded stays: looking through it again would only make requests wait."""
    gc.collect()
    gc.freeze()


def _settings(environ: Mapping[str, str]) -> tuple[ProxySettings, QuerySettings]:
    """Raises: InvalidSetting, for those of the worker too, before anything is made."""
    proxy, query = ProxySettings.from_environ(environ), QuerySettings.from_environ(environ)
    for kind in (WorkerSettings, MigrateSettings):
        kind.from_environ(environ)
    origins_of(proxy.base_urls())
    return proxy, query


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
        # Prompts and responses are in here.
        make_private_folder(folder.path)
        descriptor = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InvalidSetting(f"the data folder {folder.path} cannot be used: {error.strerror}") from error
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InvalidSetting(f"the data folder {folder.path} is in use by another Farebox") from error
        yield
