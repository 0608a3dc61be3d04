"""Which refusals a path can answer, for its documentation."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.api_errors import Malformed, Refusal, UnknownCaller

Responses = dict[int | str, dict[str, Any]]

_REFUSALS: Final[Mapping[int, dict[str, Any]]] = {
    401: {"model": UnknownCaller, "description": "No API key, or one that is unknown or revoked"},
    403: {"model": Refusal, "description": "The API key may not do this"},
    404: {"model": Refusal, "description": "The organization has nothing of that id"},
    409: {"model": Refusal, "description": "Not now: something else is under way, or has happened since"},
    413: {"model": Refusal, "description": "The body has more than 1 MiB"},
    422: {"model": Malformed, "description": "The question names something unknown, or cannot be asked so"},
    503: {"model": Refusal, "description": "The store cannot answer now: try again, or ask for less"},
}


def refusals(*statuses: int) -> Responses:
    return {status: _REFUSALS[status] for status in statuses}
