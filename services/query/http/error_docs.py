"""Which errors a path may respond with, for its documentation."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.api.errors import ErrorResponse, UnauthenticatedError, ValidationErrorResponse

Responses = dict[int | str, dict[str, Any]]

_ERRORS: Final[Mapping[int, dict[str, Any]]] = {
    401: {"model": UnauthenticatedError, "description": "No API key, or one that is unknown or revoked"},
    403: {"model": ErrorResponse, "description": "The API key may not do this"},
    404: {"model": ErrorResponse, "description": "The organization has nothing of that id"},
    409: {"model": ErrorResponse, "description": "Not now: something else is under way, or has happened since"},
    413: {"model": ErrorResponse, "description": "The body has more than 1 MiB"},
    422: {"model": ValidationErrorResponse, "description": "The request names something unknown, or is malformed"},
    503: {"model": ErrorResponse, "description": "The store is unavailable: try again, or query less"},
}


def error_responses(*statuses: int) -> Responses:
    return {status: _ERRORS[status] for status in statuses}


WITH_QUERY: Final = error_responses(422)  # of routes with parameters in the query
WITH_BODY: Final = error_responses(413, 422)
WITH_ID: Final = error_responses(404, 422)
