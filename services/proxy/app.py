"""The ASGI entry, for every path that is no provider's: logged calls, health, metrics, and a 404 that says what is."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from schemas.errors import FareboxError, NotFound, Unavailable
from services.domain.manual_log import LOG_PATHS
from services.proxy.answers import error_body, status_of
from services.proxy.manual_log import LogIntake, Receive
from services.telemetry import Metrics

Send = Callable[[dict[str, Any]], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_METRICS = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


class ProxyApp:
    """Plain ASGI; only `http` scopes reach it."""

    def __init__(self, *, metrics: Metrics, routes: Sequence[str], logs: LogIntake) -> None:
        self._metrics = metrics
        self._routes = routes
        self._logs = logs

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            headers, body = await self._answer(scope, receive)
            status = 200
        except FareboxError as error:
            self._metrics.add("proxy_refused_total")
            status, headers, body = status_of(error), [_JSON], error_body(error)
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> tuple[Pairs, bytes]:
        path = scope["path"].rstrip("/")
        if scope["method"] == "POST" and path in LOG_PATHS:
            request_id = await self._logs.take(_headers(scope), LOG_PATHS[path], receive)
            return [_TEXT, (b"helicone-id", request_id.encode("ascii"))], b"ok"
        match path:
            case "/healthz":
                if self._metrics.trouble:
                    raise Unavailable(self._metrics.trouble)
                return [_JSON], self._metrics.health().encode()
            case "/metrics":
                return [_METRICS], self._metrics.exposition().encode()
        there = ", ".join([*self._routes, *(f"POST {path}" for path in LOG_PATHS), "/healthz"])
        raise NotFound(f"no route has this path; there are {there} and /metrics")


def _headers(scope: dict[str, Any]) -> Pairs:
    """With their names as spelled, where the server tells: properties keep their spelling."""
    spelled: Pairs = scope.get("extensions", {}).get("farebox", {}).get("headers", scope["headers"])
    return spelled
