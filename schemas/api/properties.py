"""Bodies and responses of the HTTP API about properties."""

from typing import Literal

from pydantic import Field

from schemas.api.groups import Coverage, TimeRange, ZoneMinutes
from schemas.api.requests import Body, FilterJson, MaybeUsd, Timestamp, View

# How long a name is that can be hidden: databases index no more of a text.
MAX_HIDDEN_NAME = 500


class PropertyView(View):
    property: str


class HideRequest(Body):
    key: str = Field(min_length=1, max_length=MAX_HIDDEN_NAME, pattern=r"^[^\x00]*$", description="In any case")


class Done(View):
    ok: Literal[True] = True


class SearchRequest(Body):
    search_term: str = Field(max_length=8192, description="A part of the value, in any case; empty for all")


class TopRequest(Body):
    time_filter: TimeRange


class ValueCost(View):
    value: str = Field(description='Empty for requests without the property; last, "Other" for all further values')
    cost: MaybeUsd
    coverage: Coverage


class ValueCount(View):
    value: str = Field(description="As in the list of costs")
    count: int


class OverTimeRequest(Body):
    time_filter: TimeRange
    user_filter: FilterJson
    db_increment: Literal["min", "hour", "day", "week", "month", "year"]
    time_zone_difference: ZoneMinutes
    property_key: str = Field(min_length=1, max_length=8192)


class PropertyOverTime(View):
    property: str
    total_cost: MaybeUsd
    request_count: int
    created_at_trunc: Timestamp
    coverage: Coverage
