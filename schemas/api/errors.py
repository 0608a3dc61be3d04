"""Error responses of the HTTP API."""

from typing import Literal

from pydantic import Field

from schemas.api.requests import View


class ErrorResponse(View):
    data: None = None
    error: str = Field(description="Why, for people")


class UnauthenticatedError(ErrorResponse):
    trace: Literal["isAuthenticated.error"] = "isAuthenticated.error"


class ServerErrorResponse(View):
    message: str


class ValidationErrorResponse(View):
    """A request that is malformed, or names something unknown."""

    message: Literal["Validation Failed"] = "Validation Failed"
    details: dict[str, ServerErrorResponse] = Field(
        description="By the place of the fault, as clients wrote it, or by its kind"
    )
    data: None = None
    error: str = Field(description="All of it, for people")
