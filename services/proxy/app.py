"""The ASGI entry, for every path that is no provider's: logged calls, health, metrics, and a 404 that says what is."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from schemas.errors import FareboxError, NotFound, Unavailable
from services.domain.exchange.host import check_trusted
from services.domain.logging_api.event import LOG_PATHS
from services.proxy.errors import MethodNotAllowed, MisdirectedRequest, error_body, status_of
from services.proxy.log_endpoint import LogEndpoint, Send
from services.proxy.log_intake import Receive
from services.telemetry import CONTENT_TYPE, Metrics

Pairs = list[tuple[bytes, bytes]]

# Paths of the query service, which Helicone's clients request at the address that they log to.
QUERIES: Final = ("/v1/request", "/v1/report", "/v1/prices", "/v1/reprice")

_JSON = (b"content-type", b"application/json")
_METRICS = (b"content-type", CONTENT_TYPE.encode())

PAGES: Final = ("/healthz", "/healthcheck", "/metrics")  # Helicone's clients request the second one
_METHODS: Final[Mapping[str, str]] = dict.fromkeys(PAGES, "GET, HEAD") | dict.fromkeys(LOG_PATHS, "POST")


class ProxyApp:
    """Plain ASGI; only `http` scopes reach it."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        routes: Sequence[str],
        logs: LogEndpoint,
        query_url: str,
        hosts: Collection[str],
    ) -> None:
        """`query_url`: where clients reach the query service; '' when that is not known here.

        `hosts` are names under which pages that need no key are shown too (see services/domain/exchange/host.py).
        """
        self._query_url = query_url.rstrip("/")
        self._metrics = metrics
        self._routes = routes
        self._logs = logs
        self._hosts = hosts

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] == "POST" and scope["path"].rstrip("/") in LOG_PATHS:
            await self._logs(scope, receive, send)
            return
        try:
            headers, body = self._respond(scope)
            status = 200
        except FareboxError as error:
            self._metrics.add("proxy_refused_total")
            status, headers, body = status_of(error), [_JSON], error_body(error)
            if isinstance(error, MethodNotAllowed):
                headers.append((b"allow", error.allowed.encode("ascii")))
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _respond(self, scope: dict[str, Any]) -> tuple[Pairs, bytes]:
        path = scope["path"].rstrip("/")
        methods = _METHODS.get(path)
        if methods is None:
            raise self._not_found(path)
        if scope["method"] not in methods.split(", "):
            raise MethodNotAllowed(path, methods)
        return self._page(path, scope)

    def _not_found(self, path: str) -> FareboxError:
        if any(path == query or path.startswith(f"{query}/") for query in QUERIES):
            where = f"at {self._query_url}" if self._query_url else "at an address of its own (FAREBOX_QUERY_URL)"
            return MisdirectedRequest(f"this is the proxy: {path[:200]} is served by the query service, {where}")
        return NotFound(f"no route has this path; there are {self._known_paths()}")

    def _page(self, path: str, scope: dict[str, Any]) -> tuple[Pairs, bytes]:
        if path == "/metrics":
            check_trusted(dict(scope["headers"]).get(b"host"), self._hosts)
            return [_METRICS], self._metrics.exposition().encode()
        if path == "/healthcheck":
            return [_JSON], b'{"status":"healthy :)"}'
        if self._metrics.health.unhealthy_reason:
            raise Unavailable(self._metrics.health.unhealthy_reason)
        return [_JSON], self._metrics.health.render().encode()

    def _known_paths(self) -> str:
        logs = ", ".join(f"POST {path}" for path in LOG_PATHS)
        return f"{', '.join(self._routes)}, {logs}, and GET {', '.join(PAGES)}"
