"""A real proxy on loopback sockets, in this process, before a scripted provider. Its events land in memory."""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx

from schemas.errors import StoreUnavailable
from schemas.event import ExchangeEvent, decode_event
from schemas.key import ApiKey, KeyTags, MissingTags, Permission
from schemas.upstream import NamedUpstream
from services.domain.providers.catalog import ROUTED
from services.hashing import KeyedHashes
from services.ports.cache import ResponseCache
from services.ports.clock import Clock
from services.ports.log import LogSink
from services.ports.state import KeyStore, Secrets
from services.ports.warehouse import Warehouse
from services.proxy.build import proxy_server
from services.proxy.exchange.attribution import Attribution
from services.proxy.http.server import ProxyServer
from services.proxy.rate_limits import LimitStores
from services.settings.processes import ProxySettings
from services.stores.clock import SystemClock
from services.stores.memory import MemoryLog, MemorySink
from services.telemetry.metrics import Metrics
from tests.builders.records import ORGANIZATION, TIMESTAMP
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.scripted_provider import ScriptedProvider

SECRET = "sk-helicone-canary1-canary2-canary3-canary4"
PROVIDER_KEY = "sk-provider-canary-5f1c"


def key_id_of(secret: str) -> str:
    """The id by which `Keys` know a key."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, secret))


class Keys:
    """A KeyStore of known responses that can be away, and counts how often it is called."""

    def __init__(self) -> None:
        self.known = {SECRET: (ORGANIZATION, Permission.READ_WRITE)}
        self.unreachable = False
        self.requested = 0
        self.slow_s = 0.0
        self.tags: dict[str, KeyTags] = {}  # by secret
        self.expires_at: datetime | None = None  # of every key

    async def organization_of(self, secret: str) -> tuple[str, Permission] | None:
        self.requested += 1
        await asyncio.sleep(self.slow_s)
        if self.unreachable:
            raise StoreUnavailable("keys")
        return self.known.get(secret)

    async def key_of(self, secret: str) -> ApiKey | None:
        known = await self.organization_of(secret)
        if known is None:
            return None
        id_ = key_id_of(secret)
        return ApiKey(
            id=id_,
            organization_id=known[0],
            name="",
            permission=known[1],
            hint=secret[-4:],
            created_at=TIMESTAMP,
            expires_at=self.expires_at,
            tags=self.tags.get(secret),
        )


class KnownUpstreams:
    """Upstreams of every organization."""

    def __init__(self) -> None:
        self.rows: list[NamedUpstream] = []
        self.provider_keys: dict[str, str] = {}

    async def upstreams_of(self, organization_id: str) -> Sequence[NamedUpstream]:  # noqa: ARG002
        return self.rows

    async def provider_keys_of(self, organization_id: str) -> Mapping[str, str]:  # noqa: ARG002
        return self.provider_keys

    async def add_upstream(self, organization_id: str, upstream: NamedUpstream, *, provider_key: str = "") -> None:
        raise NotImplementedError

    async def replace_provider_key(self, organization_id: str, name: str, provider_key: str) -> bool:
        raise NotImplementedError

    async def remove_upstream(self, organization_id: str, name: str) -> bool:
        raise NotImplementedError


class SharedSecrets:
    """Secrets of known values that can be away, as the keys can."""

    def __init__(self) -> None:
        self.unreachable = False

    async def secret(self, name: str) -> bytes:
        if self.unreachable:
            raise StoreUnavailable("secrets")
        return hashlib.sha256(name.encode()).digest()


def an_attribution() -> Attribution:
    """That of a process with no name; its hashes are not loaded yet."""
    return Attribution(hashes=KeyedHashes(SharedSecrets()), proxy_id="", missing_tags=MissingTags.REFUSE)


class Rig:
    """What a test does with a running proxy."""

    def __init__(self, provider: ScriptedProvider, keys: Keys, log: MemoryLog, metrics: Metrics) -> None:
        self.provider = provider
        self.keys = keys
        self.metrics = metrics
        self.upstreams = KnownUpstreams()
        self._log = log
        self.server: ProxyServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def client(self, **options: Any) -> httpx.AsyncClient:
        headers = {"Helicone-Auth": f"Bearer {SECRET}", "Authorization": f"Bearer {PROVIDER_KEY}"}
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=10, trust_env=False, verify=TRUSTS_NOBODY, **options
        )

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

    @property
    def entries(self) -> list[bytes]:
        """The event log."""
        return list(self._log.entries)

    def everything_logged(self) -> bytes:
        return b"".join(self._log.entries)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    async def raw(self, *parts: bytes, timeout_s: float = 5, pause_s: float = 0.01) -> bytes:
        """What the proxy says until it closes the connection."""
        reader, writer = await self.connect()
        try:
            async with asyncio.timeout(timeout_s):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause_s)
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
    sink: LogSink | None = None,
    clock: Clock | None = None,
    warehouse: Warehouse | None = None,
    key_store: KeyStore | None = None,
    secrets: Secrets | None = None,
    cache: ResponseCache | None = None,
    limit_stores: LimitStores | None = None,
    provider: ScriptedProvider | None = None,
    grace_s: int = 2,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """A proxy whose routes lead to a scripted provider; `settings` are those of ProxySettings.

    A `provider` that is given listens already.
    """
    keys, log, metrics = Keys(), MemoryLog(), Metrics()
    async with contextlib.AsyncExitStack() as stack:
        if provider is None:
            provider = await stack.enter_async_context(ScriptedProvider().listening())
        urls = {routed.setting: provider.url for routed in ROUTED} | {"anthropic_url": f"{provider.url}/below/here"}
        allowed = {"target_hosts": f"127.0.0.1:{provider.port}"}
        chosen = ProxySettings(**({"proxy_port": 0} | urls | allowed | settings))
        taken = sink or MemorySink(log, metrics=metrics)
        one = Rig(provider, keys, log, metrics)
        time = clock or SystemClock()
        one.server = proxy_server(
            chosen,
            sink=taken,
            keys=key_store or keys,
            secrets=secrets or SharedSecrets(),
            metrics=metrics,
            clock=time,
            upstreams=one.upstreams,
            warehouse=warehouse,
            cache=cache,
            limit_stores=limit_stores,
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
