"""Pages that need no key are shown only under names that no web page elsewhere can have."""

from collections.abc import Collection
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.errors import Rejected
from services.domain.exchange.host import check_trusted
from services.query.http.errors import rejection_response

# Routes that check keys by themselves, and those that show nothing; load balancers request these under any name.
_OPEN: Final = ("/v1/", "/healthz", "/readyz", "/healthcheck")


class TrustedHostsMiddleware:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and not scope["path"].startswith(_OPEN):
            try:
                check_trusted(dict(scope["headers"]).get(b"host"), self._names)
            except Rejected as error:
                app = rejection_response(error)
        await app(scope, receive, send)
