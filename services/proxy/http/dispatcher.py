"""The head of a request -> who responds to it."""

import asyncio
from datetime import datetime
from typing import Final

from schemas.errors import Rejected
from services.domain.exchange.cors import cors_headers, is_preflight
from services.domain.exchange.headers import Head, parse_head
from services.domain.exchange.host import parse_host
from services.domain.exchange.own_key import may_hold_own_key, with_own_key
from services.domain.exchange.routes import Routes
from services.domain.exchange.target import Target
from services.proxy.errors import Downstream, MalformedRequest, NoWebSocket, UnknownMethod
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.exchange import Exchange
from services.proxy.exchange.recorder import Request
from services.proxy.http.asgi import App, AppRequest, scope_of
from services.proxy.http.cors import CorsDownstream
from services.proxy.http.parser import RequestHead
from services.proxy.http.responders import Refusal, Responder
from services.proxy.realtime.handshake import offers_web_socket
from services.proxy.realtime.session import RealtimeSession

UNSERVED_METHODS: Final = frozenset([b"CONNECT", b"TRACE"])  # a tunnel; an echo of the request, keys and all


class Dispatcher:
    """One for the process."""

    def __init__(
        self, *, context: ProxyContext, routes: Routes, app: App, origins: frozenset[str] = frozenset()
    ) -> None:
        """`app` responds to what is on none of `routes`; `origins` are of web pages that may call."""
        self._origins = origins
        self._context = context
        self._routes = routes
        self._app = app
        self.app_tasks: set[asyncio.Task[None]] = set()  # requests to the app that are under way

    def responder(self, request: RequestHead, client: Downstream, began_at: datetime, began_s: float) -> Responder:
        """Who responds to `client`. The request began at `began_at`, and on the monotonic clock at `began_s`.

        Raises: Rejected.
        """
        head = parse_head(request.headers)
        host = _check(request, head)
        if may_hold_own_key(head):
            head = with_own_key(head)
        target = self._routes.resolve(request.url, host)
        if self._origins:
            client, target = self._for_page(request, client, target)
        opens_session = offers_web_socket(head.framing_headers)
        if target is None and not opens_session:
            expects_continue = head.expects_continue and request.http_version == "1.1"
            scope = scope_of(request)
            return AppRequest(self._app, scope, client, expects_continue=expects_continue, tasks=self.app_tasks)
        if target is None:
            raise NoWebSocket("WebSockets are passed on to realtime APIs of providers, and no route has this path")
        passed = Request(method=request.method, target=target, head=head, created_at=began_at, began_s=began_s)
        return (
            RealtimeSession(self._context, client, passed) if opens_session else Exchange(self._context, client, passed)
        )

    def _for_page(
        self, request: RequestHead, client: Downstream, target: Target | None
    ) -> tuple[Downstream, Target | None]:
        """To whom and by whom is responded where the client is a browser. Preflights are the app's."""
        headers = {name.lower(): value for name, value in request.headers}
        if is_preflight(request.method, headers):
            return client, None
        # Of the app only logs: its pages need no key, and no web page is to read them.
        is_called = target is not None or request.method == b"POST"
        shown = cors_headers(headers[b"origin"], self._origins) if is_called and b"origin" in headers else []
        return (CorsDownstream(client, shown) if shown else client), target

    def refusal(self, error: Rejected, client: Downstream) -> Responder:
        return Refusal(error, client, self._context.metrics)


def _check(request: RequestHead, head: Head) -> bytes:
    """The Host header; b'' for an old client without one. Raises: Rejected."""
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
    return host or b""
