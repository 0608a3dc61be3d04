"""What the HTTP API answers when it refuses, or cannot answer now."""

from typing import Literal

from pydantic import Field

from schemas.api import View


class Refusal(View):
    data: None = None
    error: str = Field(description="Why, for people")


class UnknownCaller(Refusal):
    trace: Literal["isAuthenticated.error"] = "isAuthenticated.error"


class Fault(View):
    message: str


class Malformed(View):
    """A question that cannot be asked so."""

    message: Literal["Validation Failed"] = "Validation Failed"
    details: dict[str, Fault] = Field(description="By the place of the fault, as callers wrote it, or by its kind")
    data: None = None
    error: str = Field(description="All of it, for people")
