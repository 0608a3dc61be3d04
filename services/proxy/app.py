"""The ASGI entry, for every path that is no provider's: health, metrics, and a 404 that says what there is."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from schemas.errors import NotFound
from services.proxy.answers import error_body
from services.telemetry import Metrics

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class ProxyApp:
    """Plain ASGI; only `http` scopes reach it."""

    def __init__(self, *, metrics: Metrics, routes: Sequence[str]) -> None:
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG002
        match scope["path"]:
            case "/healthz":
                await _answer(send, 200, b"application/json", b'{"status":"ok"}')
            case "/metrics":
                text = self._metrics.exposition().encode()
                await _answer(send, 200, b"text/plain; version=0.0.4; charset=utf-8", text)
            case _:
                self._metrics.add("proxy_refused_total")
                error = NotFound(f"no route has this path; there are {', '.join(self._routes)}, /healthz and /metrics")
                await _answer(send, 404, b"application/json", error_body(error))


async def _answer(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
