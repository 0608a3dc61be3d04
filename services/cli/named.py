"""What people call by its id or by its name."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.errors import InvalidRequest, NotFound


def id_of(found: Sequence[Mapping[str, Any]], name: str, kind: str) -> str:
    """Raises: NotFound, InvalidRequest."""
    return str(one_of(found, name, kind)["id"])


def one_of(found: Sequence[Mapping[str, Any]], name: str, kind: str) -> Mapping[str, Any]:
    """By its id, else by a name that only it has. Raises: NotFound, InvalidRequest."""
    named = [one for one in found if one["id"] == name] or [one for one in found if one["name"] == name]
    if not named:
        raise NotFound(f"there is no {kind} {name[:100]!r}")
    if len(named) > 1:
        raise InvalidRequest(f"{name[:100]!r} is the name of {len(named)} of them: pass an id")
    return named[0]
