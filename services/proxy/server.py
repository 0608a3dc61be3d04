"""uvicorn's server around the relay: listens, sweeps, stops gracefully."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import Any, Final

import uvicorn

from services.domain.capture import CaptureSpace
from services.domain.providers import Routes, origin_of
from services.ports import Clock, EventSink, KeyStore, Upstream
from services.proxy.accounts import Accounts
from services.proxy.app import ProxyApp
from services.proxy.drains import DrainLimits, Drains
from services.proxy.ids import RequestIds
from services.proxy.keys import Keyring
from services.proxy.manual_log import LogIntake
from services.proxy.protocol import RelayProtocol
from services.proxy.terms import Limits, Relay
from services.settings import ProxySettings
from services.telemetry import Metrics

KEPT_BYTES: Final = 64 * 2**20  # of all bodies that are kept until they are whole
LAST_WORDS_S: Final = 0.5  # for callers to take what was said to them last, when the grace period is over
_POLL_S: Final = 0.01
GRACE_S = 8  # for exchanges in flight when the process is told to stop: container engines kill after ten


class ProxyServer(uvicorn.Server):
    """Serves until `stop` is called. Signals are the business of whoever started it; so is the event log's end."""

    def __init__(
        self, config: uvicorn.Config, *, upstream: Upstream, keyring: Keyring, drains: Drains, grace_s: int
    ) -> None:
        super().__init__(config)
        self._grace_s = grace_s
        self._drains = drains
        self._upstream = upstream
        self._keyring = keyring

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
        if counter % 10 == 0:
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
        await self._wait_for_callers()

    async def _wait_for_callers(self) -> None:
        """Callers that do not take what was said to them last are not waited for."""
        deadline_s = monotonic() + LAST_WORDS_S
        while self._connections() and monotonic() < deadline_s:  # noqa: ASYNC110  # nobody tells when they have gone
            await asyncio.sleep(_POLL_S)
        for connection in self._connections():
            connection.transport.abort()
        await asyncio.sleep(0)  # in which they are told

    def _connections(self) -> list[RelayProtocol]:
        return [one for one in self.server_state.connections if isinstance(one, RelayProtocol)]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def create_server(
    settings: ProxySettings,
    *,
    upstream: Upstream,
    sink: EventSink,
    keys: KeyStore,
    metrics: Metrics,
    clock: Clock,
    grace_s: int = GRACE_S,
) -> ProxyServer:
    """A proxy that is ready to `await serve()`. Raises: InvalidSetting."""
    routes = Routes({b"oai": origin_of(settings.openai_url), b"anthropic": origin_of(settings.anthropic_url)})
    keyring = Keyring(keys)
    draw_id = RequestIds(os.urandom).draw
    accounts = Accounts(
        sink=sink,
        metrics=metrics,
        draw_id=draw_id,
        capture_bytes=settings.capture_bytes,
        capture_total_bytes=settings.capture_total_bytes,
    )
    drains = _drains(settings, accounts, metrics)
    relay = _relay(settings, upstream=upstream, keyring=keyring, accounts=accounts, drains=drains, metrics=metrics)
    logs = LogIntake(
        keys=keyring,
        sink=sink,
        clock=clock,
        draw_id=draw_id,
        metrics=metrics,
        capture_bytes=settings.capture_bytes,
    )
    app = ProxyApp(metrics=metrics, routes=routes.known, logs=logs)
    protocol = partial(RelayProtocol, relay=relay, routes=routes, clock=clock, max_head_bytes=settings.max_head_bytes)
    config = _config(settings, app, protocol, grace_s=grace_s)
    return ProxyServer(config, upstream=upstream, keyring=keyring, drains=drains, grace_s=grace_s)


def _relay(
    settings: ProxySettings,
    *,
    upstream: Upstream,
    keyring: Keyring,
    accounts: Accounts,
    drains: Drains,
    metrics: Metrics,
) -> Relay:
    return Relay(
        upstream=upstream,
        keys=keyring,
        accounts=accounts,
        metrics=metrics,
        drains=drains,
        kept=CaptureSpace(KEPT_BYTES),
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


def _config(settings: ProxySettings, app: ProxyApp, protocol: Any, *, grace_s: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.proxy_host,
        port=settings.proxy_port,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=grace_s,
    )


def _drains(settings: ProxySettings, accounts: Accounts, metrics: Metrics) -> Drains:
    limits = DrainLimits(
        timeout_s=settings.drain_timeout_s, max_bytes=settings.drain_bytes, max_drains=settings.drain_count
    )
    return Drains(accounts=accounts, metrics=metrics, limits=limits, wanted=settings.on_disconnect == "drain")
