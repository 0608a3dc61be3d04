"""The proxy's server: listens, looks after time limits, stops gracefully."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, Protocol

from schemas.errors import InvalidSetting
from services.ports.clock import Clock
from services.proxy.exchange.drain import Drains
from services.proxy.exchange.key_cache import ApiKeyCache
from services.proxy.exchange.omitting_sink import OmittingSink
from services.proxy.http.connection import ProxyConnection
from services.proxy.http.dispatcher import Dispatcher

SWEEP_S: Final = 0.1
LAST_WORDS_S: Final = 0.5  # for clients to take their last responses, when the grace period is over
BACKLOG: Final = 2048
_POLL_S: Final = 0.01


class Swept(Protocol):
    """What the server does with an Upstream."""

    def sweep(self) -> None: ...

    async def close(self) -> None: ...


class Opened(Protocol):
    """What the server begins with, before it listens, and ends with, once every event is published."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class ProxyServer:
    """Serves until `stop` is called. Signals are its owner's business, and so is closing the event log."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        host: str,
        port: int,
        clock: Clock,
        max_head_bytes: int,
        upstream: Swept,
        key_cache: ApiKeyCache,
        drains: Drains,
        omitting: OmittingSink,
        limits: Opened,
        grace_s: int,
    ) -> None:
        """Exchanges in flight have `grace_s` to end when it is stopped."""
        self._dispatcher = dispatcher
        self._host = host
        self._port = port
        self._clock = clock
        self._max_head_bytes = max_head_bytes
        self._upstream = upstream
        self._key_cache = key_cache
        self._drains = drains
        self._omitting = omitting
        self._limits = limits
        self._grace_s = grace_s
        self._connections: set[ProxyConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._stopping = asyncio.Event()

    @property
    def started(self) -> bool:
        """Whether it listens, or did."""
        return bool(self._servers)

    @property
    def should_exit(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    @property
    def port(self) -> int:
        """Where it listens; known once `started` is true."""
        return int(self._servers[0].sockets[0].getsockname()[1])

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def stop(self) -> None:
        self._stopping.set()

    async def serve(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Listens on `sockets`, else on its own address; returns when it was stopped and everything has ended.

        When every exchange has ended, its event is with the event log, and no client is connected any more.
        Raises: InvalidSetting when the address cannot be had.
        """
        await self._limits.open()
        await self._listen(sockets)
        await self._sweep()
        await self._shutdown()

    async def _listen(self, sockets: Sequence[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        if sockets:
            self._servers = [await loop.create_server(self._connection, sock=one, backlog=BACKLOG) for one in sockets]
            return
        try:
            server = await loop.create_server(self._connection, host=self._host, port=self._port, backlog=BACKLOG)
        except OSError as error:
            raise InvalidSetting(f"cannot listen on {self._host}:{self._port}: {error.strerror or error}") from error
        self._servers = [server]

    def _connection(self) -> ProxyConnection:
        return ProxyConnection(
            self._dispatcher, clock=self._clock, max_head_bytes=self._max_head_bytes, connections=self._connections
        )

    async def _sweep(self) -> None:
        """Until it is to stop."""
        while not self.should_exit:
            now_s = monotonic()
            for connection in list(self._connections):
                connection.sweep(now_s)
            self._drains.sweep(now_s)
            self._upstream.sweep()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_S):
                    await self._stopping.wait()

    async def _shutdown(self) -> None:
        deadline_s = monotonic() + self._grace_s
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.shutdown()
        await _until(lambda: not self._connections and not self._dispatcher.app_tasks, deadline_s)
        for connection in list(self._connections):
            connection.give_up()
        for task in list(self._dispatcher.app_tasks):
            task.cancel()
        await self._drains.close(deadline_s - monotonic())
        await self._key_cache.close()
        await self._upstream.close()
        await self._omitting.close()
        await self._limits.close()
        await self._wait_for_clients()

    async def _wait_for_clients(self) -> None:
        """Clients that do not take their last responses are not waited for."""
        await _until(lambda: not self._connections, monotonic() + LAST_WORDS_S)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # in which they learn of it


async def _until(condition: Callable[[], bool], deadline_s: float) -> None:
    while not condition() and monotonic() < deadline_s:  # noqa: ASYNC110  # many ends, and none worth a signal of its own
        await asyncio.sleep(_POLL_S)
