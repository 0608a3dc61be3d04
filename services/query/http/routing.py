"""Routers whose routes need a key and keep every digit, and what all the routes of an app take."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route, Router
from starlette.types import Scope

from schemas.errors import InvalidRequest
from services.query.dependencies import service_of
from services.query.http.auth import check_key
from services.query.http.error_docs import error_responses
from services.query.http.json_body import check_size, parse_apart

_MAX_PATH: Final = 100  # characters that are compared


def authenticated_router(prefix: str) -> APIRouter:
    """A router without routes yet; each of them needs a key."""
    return APIRouter(prefix=prefix, route_class=_AuthenticatedRoute, responses=error_responses(401, 403, 503))


class _ExactRequest(Request):
    async def read(self, hold: Callable[[int], None]) -> None:
        """Reads the whole body, whose size so far goes to `hold`. Raises: TooLarge, Busy."""
        announced = self.headers.get("content-length", "")
        check_size(int(announced) if announced.isdecimal() else 0)
        body = bytearray()
        async for chunk in self.stream():
            body += chunk
            check_size(len(body))
            hold(len(body))
        self._body = bytes(body)

    async def json(self) -> Any:
        """The body, with fractions as Decimal. What is not JSON that can be parsed is refused."""
        try:
            return await parse_apart(await self.body())
        except InvalidRequest as error:
            raise HTTPException(422, str(error)) from error  # others would not pass through FastAPI


class _AuthenticatedRoute(APIRoute):
    """Checks the key before the body is read, and reads numbers without loss.

    The connection cancels what only reads when its client disconnects.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            organization_id = await check_key(request)
            exact = _ExactRequest(request.scope, request.receive)
            with service_of(request).body_space.share(organization_id) as hold:
                await exact.read(hold)
                try:
                    return await handle(exact)
                except asyncio.CancelledError:
                    if not getattr(request.state, "is_disconnected", False):
                        raise
                    raise ClientDisconnect from None

        return handle_exactly


def methods_of(routers: Iterable[Router], scope: Scope) -> list[str]:
    """All methods that some route takes for the path in `scope`, sorted."""
    found = (route for route in _routes(routers) if route.matches(scope)[0] is not Match.NONE)
    return sorted({method for route in found for method in route.methods or ()})


def paths_near(path: str, routers: Iterable[Router]) -> list[str]:
    """The routes of the API whose paths are like `path`, as `POST /v1/report`, the nearest first."""
    shown = [route for route in _routes(routers) if route.include_in_schema or route.path.startswith("/v1/")]
    near = get_close_matches(path[:_MAX_PATH], {route.path for route in shown}, n=3, cutoff=0.5)
    return [
        f"{method} {route.path}"
        for name in near
        for route in shown
        if route.path == name
        for method in sorted(route.methods or ())
    ]


def _routes(routers: Iterable[Router]) -> Iterator[Route]:
    return (route for router in routers for route in router.routes if isinstance(route, Route))
