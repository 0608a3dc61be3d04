"""A real proxy on loopback sockets, in this process, before a scripted provider. Its events land in memory."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from schemas.errors import StoreUnavailable
from schemas.event import ExchangeEvent, decode_event
from schemas.key import ApiKey, Permission
from services.domain.providers.catalog import ROUTED
from services.ports import Clock, EventSink, KeyStore, Warehouse
from services.proxy.build import proxy_server
from services.proxy.http.server import ProxyServer
from services.settings import ProxySettings
from services.stores.clock import SystemClock
from services.stores.memory import MemoryLog, MemorySink
from services.telemetry import Metrics
from tests.builders import MOMENT, ORGANIZATION
from tests.scripted_provider import ScriptedProvider

SECRET = "sk-helicone-canary1-canary2-canary3-canary4"
PROVIDER_KEY = "sk-provider-canary-5f1c"


def key_id_of(secret: str) -> str:
    """The id by which `Keys` know a key."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, secret))


class Keys:
    """A KeyStore of known answers that can be away, and counts how often it is asked."""

    def __init__(self) -> None:
        self.known = {SECRET: (ORGANIZATION, Permission.READ_WRITE)}
        self.away = False
        self.asked = 0
        self.slow_s = 0.0

    async def organization_of(self, secret: str) -> tuple[str, Permission] | None:
        self.asked += 1
        await asyncio.sleep(self.slow_s)
        if self.away:
            raise StoreUnavailable("keys")
        return self.known.get(secret)

    async def key_of(self, secret: str) -> ApiKey | None:
        known = await self.organization_of(secret)
        if known is None:
            return None
        id_ = key_id_of(secret)
        return ApiKey(
            id=id_, organization_id=known[0], name="", permission=known[1], hint=secret[-4:], created_at=MOMENT
        )

    async def create_key(self, *, organization_id: str, name: str, permission: Permission) -> tuple[ApiKey, str]:
        raise NotImplementedError

    async def list_keys(self, organization_id: str) -> Sequence[ApiKey]:
        raise NotImplementedError

    async def revoke_key(self, organization_id: str, key_id: str) -> bool:
        raise NotImplementedError


class Rig:
    """What a test does with a running proxy."""

    def __init__(self, provider: ScriptedProvider, keys: Keys, log: MemoryLog, metrics: Metrics) -> None:
        self.provider = provider
        self.keys = keys
        self.metrics = metrics
        self._log = log
        self.server: ProxyServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def client(self, **options: Any) -> httpx.AsyncClient:
        headers = {"Helicone-Auth": f"Bearer {SECRET}", "Authorization": f"Bearer {PROVIDER_KEY}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=10, trust_env=False, **options)

    async def events(self, count: int) -> list[ExchangeEvent]:
        """All events, once there are `count` of them; a timestamp is given for one too many to show itself."""
        for _ in range(200):
            if len(self._log.entries) >= count:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
        events = [decode_event(entry) for entry in self._log.entries]
        assert len(events) == count, [event.response for event in events]
        return events

    async def event(self) -> ExchangeEvent:
        return (await self.events(1))[0]

    def everything_logged(self) -> bytes:
        return b"".join(self._log.entries)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    async def raw(self, *parts: bytes, timeout_s: float = 5) -> bytes:
        """What the proxy says until it closes the connection."""
        reader, writer = await self.connect()
        try:
            async with asyncio.timeout(timeout_s):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.01)
                return await reader.read(-1)
        finally:
            writer.close()


def head(
    target: str = "/oai/v1/chat/completions", *lines: str, method: str = "POST", version: str = "1.1", key: str = SECRET
) -> bytes:
    """The head of a request with a valid key."""
    first = [f"{method} {target} HTTP/{version}", "Host: proxy", f"Helicone-Auth: Bearer {key}"]
    return "\r\n".join([*first, *lines, "", ""]).encode("latin-1")


@asynccontextmanager
async def rig(
    *,
    sink: EventSink | None = None,
    clock: Clock | None = None,
    warehouse: Warehouse | None = None,
    key_store: KeyStore | None = None,
    grace_s: int = 2,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """A proxy whose routes lead to a scripted provider; `settings` are those of ProxySettings."""
    provider, keys, log, metrics = ScriptedProvider(), Keys(), MemoryLog(), Metrics()
    async with provider.listening():
        urls = {routed.setting: provider.url for routed in ROUTED} | {"anthropic_url": f"{provider.url}/below/here"}
        chosen = ProxySettings(**({"proxy_port": 0} | urls | settings))
        taken = sink or MemorySink(log, metrics=metrics)
        one = Rig(provider, keys, log, metrics)
        time = clock or SystemClock()
        one.server = proxy_server(
            chosen,
            sink=taken,
            keys=key_store or keys,
            metrics=metrics,
            clock=time,
            warehouse=warehouse,
            grace_s=grace_s,
        )
        serving = asyncio.create_task(one.server.serve())
        while not one.server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        try:
            yield one
        finally:
            one.server.stop()
            await serving
