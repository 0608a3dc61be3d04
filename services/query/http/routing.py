"""What the routes of an app take, for those that asked for something else."""

from collections.abc import Iterable, Iterator

from starlette.routing import Match, Route, Router
from starlette.types import Scope


def methods_of(routers: Iterable[Router], scope: Scope) -> list[str]:
    """All methods that some route takes for the path in `scope`, sorted."""
    found = (route for route in _routes(routers) if route.matches(scope)[0] is not Match.NONE)
    return sorted({method for route in found for method in route.methods or ()})


def paths_of(routers: Iterable[Router]) -> str:
    """Each route of the API as `POST /v1/report`, for people."""
    shown = (route for route in _routes(routers) if route.include_in_schema or route.path.startswith("/v1/"))
    return ", ".join(f"{method} {route.path}" for route in shown for method in sorted(route.methods or ()))


def _routes(routers: Iterable[Router]) -> Iterator[Route]:
    return (route for router in routers for route in router.routes if isinstance(route, Route))
