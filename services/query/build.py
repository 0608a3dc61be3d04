"""How the query service is wired, as a process of its own and inside `farebox up`."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import uvicorn

from schemas.key import MissingTags
from schemas.omission import Omission
from schemas.price import ShippedBook
from schemas.recording import Recording
from services.ports.clock import Clock
from services.proxy.log_endpoint import LogService
from services.query.app import create_app
from services.query.dependencies import QueryStores, Service
from services.query.http.server import MAX_CONNECTIONS, http_server
from services.stores.ids import draw_id
from services.telemetry.metrics import Metrics


@asynccontextmanager
async def query_server(
    stores: QueryStores,
    *,
    shipped: ShippedBook,
    clock: Clock,
    metrics: Metrics,
    capture_bytes: int,
    omission: Omission,
    grace_s: int,
    host: str = "127.0.0.1",
    port: int = 0,
    max_connections: int = MAX_CONNECTIONS,
    public_url: str = "",
    proxy_url: str = "",
    hosts: Collection[str] = (),
    proxy_id: str = "",
    missing_tags: MissingTags = MissingTags.REFUSE,
) -> AsyncIterator[uvicorn.Server]:
    """The query service, to be served within the context. When it stops, requests in work get `grace_s` to end.

    `capture_bytes` is the limit of each body of a logged call, `omission` what is left out of it, `proxy_id` the name
    of this process in its row, and `missing_tags` what becomes of one that lacks a tag. `public_url` and
    `proxy_url` are those of `Service`, and `hosts` that of `create_app`.
    """
    service = Service(
        stores,
        shipped=shipped,
        clock=clock,
        metrics=metrics,
        draw_id=draw_id,
        recording=Recording(capture_bytes=capture_bytes, omission=omission, missing_tags=missing_tags),
        public_url=public_url,
        proxy_url=proxy_url,
    )
    logs = LogService(
        warehouse=stores.warehouse,
        keys=stores.keys,
        secrets=stores.secrets,
        sink=stores.sink,
        clock=clock,
        metrics=metrics,
        capture_bytes=capture_bytes,
        omission=omission,
        proxy_id=proxy_id,
        missing_tags=missing_tags,
    )
    app = create_app(service, logs=logs, hosts=hosts)
    try:
        yield http_server(app, grace_s=grace_s, host=host, port=port, max_connections=max_connections)
    finally:
        await logs.close()
