"""The head of a request -> who responds to it."""

import asyncio
from datetime import datetime
from typing import Final

from schemas.errors import Rejected
from services.domain.exchange.headers import Head, parse_head
from services.domain.exchange.host import parse_host
from services.domain.exchange.routes import Routes
from services.proxy.errors import Downstream, MalformedRequest, UnknownMethod, refuse_web_socket
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.exchange import Exchange
from services.proxy.exchange.recorder import Request
from services.proxy.http.asgi import App, AppRequest, scope_of
from services.proxy.http.parser import RequestHead
from services.proxy.http.responders import Refusal, Responder

UNSERVED_METHODS: Final = frozenset([b"CONNECT", b"TRACE"])  # a tunnel; an echo of the request, keys and all


class Dispatcher:
    """One for the process."""

    def __init__(self, *, context: ProxyContext, routes: Routes, app: App) -> None:
        """`app` responds to what is on none of `routes`."""
        self._context = context
        self._routes = routes
        self._app = app
        self.app_tasks: set[asyncio.Task[None]] = set()  # requests to the app that are under way

    def responder(self, request: RequestHead, client: Downstream, began_at: datetime, began_s: float) -> Responder:
        """Who responds to `client`. The request began at `began_at`, and on the monotonic clock at `began_s`.

        Raises: Rejected.
        """
        head = parse_head(request.headers)
        _check(request, head)
        target = self._routes.resolve(request.url)
        if target is None:
            expects_continue = head.expects_continue and request.http_version == "1.1"
            scope = scope_of(request)
            return AppRequest(self._app, scope, client, expects_continue=expects_continue, tasks=self.app_tasks)
        return Exchange(
            self._context,
            client,
            Request(method=request.method, target=target, head=head, created_at=began_at, began_s=began_s),
        )

    def refusal(self, error: Rejected, client: Downstream) -> Responder:
        return Refusal(error, client, self._context.metrics)


def _check(request: RequestHead, head: Head) -> None:
    if request.method in UNSERVED_METHODS:
        raise UnknownMethod(f"{request.method.decode('ascii')} is not served here")
    version = request.http_version
    host = head.framing_headers.get(b"host")
    if host is not None:
        parse_host(host)  # two of them are joined, and so are no host
    elif version != "1.0":
        raise MalformedRequest("a request has one Host header")
    if version != "1.1" and (version != "1.0" or head.chunked):
        raise MalformedRequest(f"unsupported HTTP version {version}, or chunks in it")
    refuse_web_socket(head.framing_headers)
