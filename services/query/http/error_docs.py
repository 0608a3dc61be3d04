"""Which errors a path may respond with, for its documentation."""

from typing import Any, Final

from fastapi.openapi.models import Schema
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.api.errors import ErrorResponse, UnauthenticatedError, ValidationErrorResponse

Responses = dict[int | str, dict[str, Any]]

_SCHEMAS: Final = "#/components/schemas/"
_ERRORS: Final[dict[int, tuple[type[BaseModel], str]]] = {
    400: (ErrorResponse, "The limit is too large"),
    401: (UnauthenticatedError, "No API key, or one that is unknown or revoked"),
    403: (ErrorResponse, "The API key may not do this"),
    404: (ErrorResponse, "The organization has nothing of that id"),
    409: (ErrorResponse, "Not now: something else is under way, or has happened since"),
    413: (ErrorResponse, "The body has more than 1 MiB"),
    422: (ValidationErrorResponse, "The request names something unknown, or is malformed"),
    503: (ErrorResponse, "The store is unavailable: try again, or query less"),
}


def error_responses(*statuses: int) -> Responses:
    """For `responses` of a route. They name their shapes: one compiled for each route is a third of a start."""
    return {status: _documented(*_ERRORS[status]) for status in statuses}


def error_schemas() -> dict[str, Any]:
    """The JSON Schemas that `error_responses` names, by name, as FastAPI writes those of other models."""
    models = dict.fromkeys(model for model, _ in _ERRORS.values())
    _, schemas = models_json_schema([(model, "serialization") for model in models], ref_template=_SCHEMAS + "{model}")
    return {
        name: Schema(**schema).model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, schema in schemas["$defs"].items()
    }


def _documented(model: type[BaseModel], description: str) -> dict[str, Any]:
    schema = {"$ref": _SCHEMAS + model.__name__}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


WITH_QUERY: Final = error_responses(422)  # of routes with parameters in the query
WITH_BODY: Final = error_responses(413, 422)
WITH_ID: Final = error_responses(404, 422)
