"""Bodies of the HTTP API that set something on a request."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, Tag

from schemas.amendment import MAX_NAME, MAX_SCORE
from schemas.api.requests import Body, Envelope
from schemas.api.unions import one_of

MAX_VALUE = 8192  # characters of a property's value, as many as a filter's
MAX_SCORES = 100  # in one body

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


def _score_kind(value: object) -> str | None:
    return "<flag>" if isinstance(value, bool) else "<whole>" if isinstance(value, int) else None


_Score = Annotated[
    Annotated[StrictBool, Tag("<flag>")] | Annotated[StrictInt, Field(ge=-MAX_SCORE - 1, le=MAX_SCORE), Tag("<whole>")],
    one_of(_score_kind, "Input should be a whole number, true or false"),
]


class PropertyRequest(Body):
    key: Name = Field(description="In any case; the spelling is kept", examples=["UserTier"])
    value: str = Field(max_length=MAX_VALUE, examples=["premium"])


class FeedbackRequest(Body):
    rating: StrictBool = Field(description="Whether the response was good")


class TagRequest(Body):
    tag: str = Field(max_length=MAX_VALUE, description="Empty for none", examples=["resolved"])


class ScoresRequest(Body):
    scores: dict[Name, _Score] = Field(
        min_length=1,
        max_length=MAX_SCORES,
        description="Whole numbers, or true and false, which are 1 and 0",
        examples=[{"accuracy": 92, "is_polite": True}],
    )


Done = Envelope[None]
