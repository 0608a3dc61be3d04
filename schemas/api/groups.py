"""What bodies and responses about users, sessions, properties and metrics have in common."""

from typing import Annotated

from pydantic import Field

from schemas.api.reports import (
    Attempts,
    PricedRequestShare,
    PricedTokenShare,
    UnpricedRequests,
    UnpricedRequestsWithoutTokens,
)
from schemas.api.requests import Body, Figure, View
from schemas.api.unions import Number

MAX_PAGE = 1000

ZoneMinutes = Annotated[
    int,
    Field(
        strict=True,
        ge=-900,
        le=900,
        description="As JavaScript's getTimezoneOffset: minutes from local time to UTC, 300 for New York in winter",
    ),
]
UnixTime = Annotated[Number, Field(ge=0, le=10**13, description="From 1970 on, in UTC")]
LocalTime = Annotated[str, Field(description="Local time by the time zone of the request, with its offset; Z for UTC")]


class SecondsRange(Body):
    start_time_unix_seconds: UnixTime
    end_time_unix_seconds: UnixTime


class MillisecondsRange(Body):
    start_time_unix_ms: UnixTime
    end_time_unix_ms: UnixTime


class TimeRange(Body):
    """Timestamps from `start` on, before `end`."""

    start: str = Field(description="ISO 8601", examples=["2026-01-01T00:00:00Z"])
    end: str = Field(description="ISO 8601", examples=["2026-02-01T00:00:00Z"])


class Coverage(View):
    """How much of a cost is known."""

    requests: int
    attempts: Attempts
    unpriced_requests: UnpricedRequests
    priced_request_share: PricedRequestShare
    priced_token_share: PricedTokenShare
    unpriced_requests_without_tokens: UnpricedRequestsWithoutTokens


class HistogramRow(View):
    """One bar: how many have a figure from `range_start` on, before `range_end`; the last bar has its end too."""

    range_start: str = Field(description="A number as text, as Helicone has it", examples=["1"])
    range_end: str = Field(examples=["4"])
    value: int


class AverageRow(View):
    average: Figure = Field(description="Over those of which it is known; null when it is known of none")
