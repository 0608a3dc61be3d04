"""uvicorn's server around the relay: listens, sweeps, stops gracefully."""

import asyncio
import contextlib
from collections.abc import Iterator
from time import monotonic
from typing import Any, Final

import uvicorn

from services.ports import Upstream
from services.proxy.exchange.drain import Drains
from services.proxy.exchange.key_cache import ApiKeyCache
from services.proxy.exchange.omitting_sink import OmittingSink
from services.proxy.http.connection import ProxyConnection

LAST_WORDS_S: Final = 0.5  # for clients to take what was said to them last, when the grace period is over
_POLL_S: Final = 0.01


class ProxyServer(uvicorn.Server):
    """Serves until `stop` is called. Signals are the business of whoever started it; so is the event log's end."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        upstream: Upstream,
        keyring: ApiKeyCache,
        drains: Drains,
        omitting: OmittingSink,
        grace_s: int,
    ) -> None:
        super().__init__(config)
        self._grace_s = grace_s
        self._drains = drains
        self._upstream = upstream
        self._keyring = keyring
        self._omitting = omitting

    @property
    def port(self) -> int:
        """Where it listens; known once `started` is true."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        now_s = monotonic()
        for connection in self._connections():
            connection.sweep(now_s)
        self._drains.sweep(now_s)
        self._upstream.sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: Any = None) -> None:
        """Returns when every exchange has ended, its event is with the event log, and nobody is connected any more."""
        deadline_s = monotonic() + self._grace_s
        await super().shutdown(sockets)
        for connection in self._connections():
            connection.give_up()
        await self._drains.close(deadline_s - monotonic())
        await self._keyring.close()
        await self._upstream.close()
        await self._omitting.close()
        await self._wait_for_callers()

    async def _wait_for_callers(self) -> None:
        """Clients that do not take what was said to them last are not waited for."""
        deadline_s = monotonic() + LAST_WORDS_S
        while self._connections() and monotonic() < deadline_s:  # noqa: ASYNC110  # nobody tells when they have gone
            await asyncio.sleep(_POLL_S)
        for connection in self._connections():
            connection.transport.abort()
        await asyncio.sleep(0)  # in which they are told

    def _connections(self) -> list[ProxyConnection]:
        return [one for one in self.server_state.connections if isinstance(one, ProxyConnection)]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
