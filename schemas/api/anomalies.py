"""Body and response of anomalies: what is unusual, by how much, since when, and who explains it."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.api.reports import ByRequest, TimeFilter
from schemas.api.requests import TIME_ZONE_HELP, UTC_NAME, Body, Figure, FilterJson, Timestamp, View


class MinimumRequest(Body):
    """What is smaller is noise, and is not reported."""

    usd: Decimal = Field(Decimal(5), ge=0, lt=10**12, description="Of an excess in US dollars, over the whole anomaly")
    requests: int = Field(
        50, strict=True, ge=1, lt=10**12, description="Of an excess in requests; of averages and shares the requests"
    )
    tokens: int = Field(100_000, strict=True, ge=0, lt=10**15, description="Of an excess in any other unit")
    ratio: float = Field(
        1.5, ge=1, le=1000, description="Of the actual figure to the expected one; of a fall the other way round"
    )
    score: float = Field(5, ge=3, le=100, description="Usual deviations above what is expected, or below it")
    history_days: int = Field(14, strict=True, ge=7, le=28, description="Since the first request of a group")


class AnomaliesRequest(Body):
    by: list[ByRequest] | None = Field(
        None,
        max_length=4,
        description="Columns and properties; `[]` is all together. By default each of the usual ones on its own: all "
        "together, user, model, provider, key, session name, and the properties Feature and Environment",
        examples=[[{"column": "user_id"}]],
    )
    measures: list[str] = Field(default_factory=lambda: ["cost_usd", "requests", "errors"], min_length=1, max_length=8)
    filter: FilterJson = "all"
    time_filter: TimeFilter
    time_zone: str = Field(
        UTC_NAME, description=f"{TIME_ZONE_HELP}; hours of the week are counted there", max_length=64
    )
    bucket: Literal["auto", "hour", "day"] = Field(
        "auto", description="What is judged. `auto`: hours of groups with 60 requests an hour, days of all others"
    )
    direction: Literal["rise", "fall", "both"] = Field(
        "rise", description="What is unusually high, unusually low, or both. An hour or day that is not over is no fall"
    )
    minimum: MinimumRequest = MinimumRequest.model_validate({})
    order_by: Literal["newest", "dearest"] = Field(
        "newest", description="The latest day first, and within a day by excess, dollars first; or by excess alone"
    )
    groups: int = Field(50, strict=True, ge=1, le=500, description="That are judged of each grouping, the largest")
    limit: int = Field(50, strict=True, ge=1, le=200)


class AnomalyState(StrEnum):
    """What has become of it when the period ends."""

    ONGOING = "ongoing"
    ENDED = "ended"
    NEW_NORMAL = "new_normal"  # it lasted for a week, and is what is expected since


class DriverPart(View):
    value: str | None = Field(description="Null for requests without one")
    actual: Figure
    expected: Figure
    excess: Figure


class Driver(View):
    """Parts and rest add up to the excess, to the last digit."""

    by: str
    parts: list[DriverPart]
    rest: Figure


class AnomalyView(View):
    group: dict[str, Figure] = Field(description="By the names of its dimensions; empty for all together")
    measure: str
    unit: str
    direction: Literal["rise", "fall"]
    state: AnomalyState
    since: Timestamp
    until: Timestamp | None = Field(description="Null while it goes on")
    actual: Figure
    expected: Figure
    expected_low: Figure = Field(description="199 of 200 hours or days lie within the range")
    expected_high: Figure
    excess: Figure = Field(description="Actual less expected: negative of a fall")
    score: float = Field(description="Usual deviations from what is expected, of its most unusual hour or day")
    bucket: Literal["hour", "day"] = Field(description="By which it was judged")
    season: Literal["hour_of_week", "hour_of_day", "overall"] = Field(
        description="With what it was compared; of days with the same weekday, with any day, with all"
    )
    requests: int
    unpriced_requests: int = Field(description="Requests whose cost is unknown, and so not in it")
    complete: bool = Field(description="Whether every event of its time is in it; if not, it may be larger")
    drivers: list[Driver] = Field(description="Empty for measures that do not add up")


class NotJudgedReason(StrEnum):
    TOO_YOUNG = "too_young"  # the first request is less than `historyDays` old
    TOO_SMALL = "too_small"  # whatever happened, it is below the minimum
    TOO_SPARSE = "too_sparse"  # too few hours or days have requests


class NotJudged(View):
    group: dict[str, Figure]
    reason: NotJudgedReason
    first_request_at: Timestamp | None = Field(
        description="Of those that are looked at; null where it was not looked up"
    )
    size: Figure = Field(
        description="In the period, of the first measure; requests where that does not add up. Where falls are looked "
        "for, of a group that is too small since `history_start`"
    )


class Coverage(View):
    """How many groups of one grouping were judged, and why others were not."""

    by: list[str]
    groups: int
    judged: int
    too_young: int
    too_small: int
    too_sparse: int
    beyond_limit: int


class AnomaliesView(View):
    start: Timestamp
    end: Timestamp
    history_start: Timestamp = Field(description="From here on figures are compared")
    anomalies: list[AnomalyView]
    truncated: bool = Field(description="There are more than the limit")
    coverage: list[Coverage]
    not_judged: list[NotJudged] = Field(description="The largest of them, at most 20 of each grouping")
