"""The ASGI entry, for every path that is no provider's: logged calls, health, metrics, and a 404 that says what is."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

from schemas.errors import FareboxError, NotFound, Unavailable
from services.domain.host import check_trusted
from services.domain.manual_log import LOG_PATHS
from services.proxy.answers import MethodNotAllowed, error_body, status_of
from services.proxy.manual_log import LogIntake, Receive
from services.telemetry import Metrics

Send = Callable[[dict[str, Any]], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_METRICS = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")

PAGES: Final = ("/healthz", "/healthcheck", "/metrics")  # Helicone's clients ask for the second one
_METHODS: Final[Mapping[str, str]] = dict.fromkeys(PAGES, "GET, HEAD") | dict.fromkeys(LOG_PATHS, "POST")


class ProxyApp:
    """Plain ASGI; only `http` scopes reach it."""

    def __init__(self, *, metrics: Metrics, routes: Sequence[str], logs: LogIntake, hosts: Collection[str]) -> None:
        """`hosts` are names under which pages that need no key are shown too (see services/domain/host.py)."""
        self._metrics = metrics
        self._routes = routes
        self._logs = logs
        self._hosts = hosts

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            headers, body = await self._answer(scope, receive)
            status = 200
        except FareboxError as error:
            self._metrics.add("proxy_refused_total")
            status, headers, body = status_of(error), [_JSON], error_body(error)
            if isinstance(error, MethodNotAllowed):
                headers.append((b"allow", error.allowed.encode("ascii")))
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> tuple[Pairs, bytes]:
        path = scope["path"].rstrip("/")
        methods = _METHODS.get(path)
        if methods is None:
            raise NotFound(f"no route has this path; there are {self._there()}")
        if scope["method"] not in methods.split(", "):
            raise MethodNotAllowed(path, methods)
        if path in LOG_PATHS:
            request_id = await self._logs.take(_headers(scope), LOG_PATHS[path], receive)
            return [_TEXT, (b"helicone-id", request_id.encode("ascii"))], b"ok"
        return self._page(path, scope)

    def _page(self, path: str, scope: dict[str, Any]) -> tuple[Pairs, bytes]:
        if path == "/metrics":
            check_trusted(dict(scope["headers"]).get(b"host"), self._hosts)
            return [_METRICS], self._metrics.exposition().encode()
        if path == "/healthcheck":
            return [_JSON], b'{"status":"healthy :)"}'
        if self._metrics.trouble:
            raise Unavailable(self._metrics.trouble)
        return [_JSON], self._metrics.health().encode()

    def _there(self) -> str:
        logs = ", ".join(f"POST {path}" for path in LOG_PATHS)
        return f"{', '.join(self._routes)}, {logs}, and GET {', '.join(PAGES)}"


def _headers(scope: dict[str, Any]) -> Pairs:
    """With their names as spelled, where the server tells: properties keep their spelling."""
    spelled: Pairs = scope.get("extensions", {}).get("farebox", {}).get("headers", scope["headers"])
    return spelled
