"""Which refusals a path can answer, for its documentation."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.api.errors import ErrorResponse, UnauthenticatedError, ValidationErrorResponse

Responses = dict[int | str, dict[str, Any]]

_REFUSALS: Final[Mapping[int, dict[str, Any]]] = {
    401: {"model": UnauthenticatedError, "description": "No API key, or one that is unknown or revoked"},
    403: {"model": ErrorResponse, "description": "The API key may not do this"},
    404: {"model": ErrorResponse, "description": "The organization has nothing of that id"},
    409: {"model": ErrorResponse, "description": "Not now: something else is under way, or has happened since"},
    413: {"model": ErrorResponse, "description": "The body has more than 1 MiB"},
    422: {
        "model": ValidationErrorResponse,
        "description": "The question names something unknown, or cannot be asked so",
    },
    503: {"model": ErrorResponse, "description": "The store cannot answer now: try again, or ask for less"},
}


def refusals(*statuses: int) -> Responses:
    return {status: _REFUSALS[status] for status in statuses}
