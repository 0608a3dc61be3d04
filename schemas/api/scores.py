"""Bodies and responses of the HTTP API about scores in time."""

from pydantic import Field

from schemas.api.groups import TimeRange, ZoneMinutes
from schemas.api.metrics import Increment
from schemas.api.requests import Body, FilterJson, Timestamp, View


class ScoresOverTimeRequest(Body):
    time_filter: TimeRange
    user_filter: FilterJson
    db_increment: Increment
    time_zone_difference: ZoneMinutes


class ScoreInTime(View):
    score_key: str
    score_sum: float = Field(description="The average of the requests that have the score; its name in Helicone")
    created_at_trunc: Timestamp = Field(description="The start of the bucket")
    scored_requests: int = Field(description="How many requests have the score")
