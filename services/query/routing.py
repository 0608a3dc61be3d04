"""What the routes of an app take, for those that asked for something else."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope


def methods_of(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """All methods that some route takes for the path in `scope`, sorted."""
    found = (route for route in routes if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE)
    return sorted({method for route in found for method in route.methods or ()})


def paths_of(routes: Sequence[BaseRoute]) -> str:
    """Each documented route as `POST /v1/report`, for people."""
    shown = (route for route in routes if isinstance(route, Route) and route.include_in_schema)
    return ", ".join(f"{method} {route.path}" for route in shown for method in sorted(route.methods or ()))
