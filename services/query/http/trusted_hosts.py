"""Pages that need no key are shown only under names that no web page elsewhere can have."""

from collections.abc import Collection
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.errors import Rejected
from services.domain.exchange.host import check_trusted
from services.query.http.responses import rejected

# What asks for a key by itself, and what tells nothing; balancers ask for that under any name.
_OPEN: Final = ("/v1/", "/healthz", "/readyz", "/healthcheck")


class TrustedNames:
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
                app = rejected(error)
        await app(scope, receive, send)
