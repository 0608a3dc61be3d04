"""The ASGI entry, for every path that is no provider's: logged calls, health, metrics, and a 404 that says what is."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from schemas.errors import FareboxError, Forbidden, NotFound, Unavailable
from services.domain.exchange.cors import is_preflight, preflight_headers
from services.domain.exchange.host import check_trusted
from services.proxy.errors import MethodNotAllowed, MisdirectedRequest, error_body, status_of
from services.proxy.log_endpoint import POSTED, LogEndpoint, Send
from services.proxy.log_intake import Receive
from services.telemetry.metrics import CONTENT_TYPE, Metrics

Pairs = list[tuple[bytes, bytes]]

# Paths of the query service, which Helicone's clients request at the address that they log to.
QUERIES: Final = (
    *("/v1/request", "/v1/report", "/v1/prices", "/v1/reprice", "/v1/alert"),
    *("/v1/savings", "/v1/value", "/v1/export", "/v1/api-keys", "/v1/system", "/v1/cache", "/v1/upstreams"),
    *("/v1/channels", "/v1/scheduled-reports"),
    *("/v1/budgets", "/v1/me"),
    *("/v1/user", "/v1/session", "/v1/property", "/v1/metrics", "/v1/dashboard", "/api/cache"),
)

_JSON = (b"content-type", b"application/json")
_METRICS = (b"content-type", CONTENT_TYPE.encode())

PAGES: Final = ("/healthz", "/readyz", "/healthcheck", "/metrics")  # Helicone's clients request the second one
MODELS: Final = "/v1/models"  # under a provider's host name it is the provider's
_METHODS: Final[Mapping[str, str]] = dict.fromkeys((*PAGES, MODELS), "GET, HEAD") | dict.fromkeys(POSTED, "POST")


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
        models: Callable[[], bytes],
        origins: frozenset[str] = frozenset(),
    ) -> None:
        """`query_url`: where clients reach the query service; '' when that is not known here.

        `hosts` are names under which pages that need no key are shown too (see services/domain/exchange/host.py),
        `origins` are of web pages that may call providers and log calls. `models` makes the list of models, as JSON,
        and may take its time.
        """
        self._origins = origins
        self._models = models
        self._query_url = query_url.rstrip("/")
        self._metrics = metrics
        self._routes = routes
        self._logs = logs
        self._hosts = hosts

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] == "POST" and scope["path"].rstrip("/") in POSTED:
            await self._logs(scope, receive, send)
            return
        try:
            status, headers, body = self._preflight(scope) or (200, *await self._respond(scope))
        except FareboxError as error:
            self._metrics.add("proxy_refused_total")
            status, headers, body = status_of(error), [_JSON], error_body(error)
            if isinstance(error, MethodNotAllowed):
                headers.append((b"allow", error.allowed.encode("ascii")))
        if status != 204:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _preflight(self, scope: dict[str, Any]) -> tuple[int, Pairs, bytes] | None:
        """None for a request that is none, or where no web page may call."""
        asked = dict(scope["headers"])
        if not self._origins or not is_preflight(scope["method"].encode(), asked):
            return None
        headers = preflight_headers(asked, self._origins)
        if not headers:
            raise Forbidden("web pages of this origin may not call the proxy: list it in FAREBOX_ALLOWED_ORIGINS")
        return 204, headers, b""

    async def _respond(self, scope: dict[str, Any]) -> tuple[Pairs, bytes]:
        path = scope["path"].rstrip("/")
        methods = _METHODS.get(path)
        if methods is None:
            raise self._not_found(path)
        if scope["method"] not in methods.split(", "):
            raise MethodNotAllowed(path, methods)
        if path == MODELS:
            return [_JSON], await asyncio.to_thread(self._models)
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
        logs = ", ".join(f"POST {path}" for path in POSTED)
        return (
            f"{', '.join(self._routes)} (each also behind /v1/gateway), {logs}, and GET {', '.join((*PAGES, MODELS))}"
        )
