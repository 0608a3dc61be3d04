"""Bodies and responses of the HTTP API about groups of requests: reports, and the summary of a period."""

from enum import StrEnum
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StrictBool, Tag

from schemas.api.requests import TIME_ZONE_HELP, UTC_NAME, Body, Figure, FilterJson, MaybeUsd, Timestamp, View
from schemas.api.unions import one_of
from schemas.price import CostState


class TimeFilter(Body):
    start: str | None = Field(
        None, description="ISO 8601; from this timestamp on. A date is its midnight", examples=["2026-01-01T00:00:00Z"]
    )
    end: str | None = Field(None, description="ISO 8601; before this timestamp. By default now")
    since: str | None = Field(None, description="90m, 24h, 7d, 4w: so long until now, instead of start and end")


class ByColumnRequest(Body):
    column: str = Field(examples=["model"])


class ByPropertyRequest(Body):
    property: str = Field(examples=["Feature"])


class ByTimeRequest(Body):
    time: Literal["minute", "5_minutes", "15_minutes", "hour", "day", "week", "month", "quarter", "year"]


def _grouping(part: object) -> str | None:
    """By what `part` groups; None when it does not say."""
    names = part if isinstance(part, dict) else type(part).model_fields if isinstance(part, Body) else ()
    return next((f"<{name}>" for name in ("column", "property", "time") if name in names), None)


_ByColumn = Annotated[ByColumnRequest, Tag("<column>")]
_ByProperty = Annotated[ByPropertyRequest, Tag("<property>")]
ByRequest = Annotated[
    _ByColumn | _ByProperty | Annotated[ByTimeRequest, Tag("<time>")],
    one_of(_grouping, 'Input should be {"column": ...}, {"property": ...} or {"time": ...}'),
]
ByNameRequest = Annotated[
    _ByColumn | _ByProperty, one_of(_grouping, 'Input should be {"column": ...} or {"property": ...}')
]


class OrderRequest(Body):
    measure: str | None = Field(None, description="Where missing: by the names or times of the groups")
    direction: Literal["asc", "desc"] = "desc"
    figure: Literal["value", "previous", "change", "relative"] = Field(
        "value",
        description="With `compare`: also by what it was in the other period, by the difference, or by that difference "
        "in relation to what it was",
    )


class PeriodRequest(Body):
    start: str = Field(description="ISO 8601; from this timestamp on", examples=["2026-01-01T00:00:00Z"])
    end: str = Field(description="ISO 8601; before this timestamp")


_EARLIER = Literal["previous", "week_before", "month_before", "year_before"]


def _compared(value: object) -> str | None:
    if isinstance(value, dict | PeriodRequest):
        return "<period>"
    return "<name>" if isinstance(value, str) else None


CompareRequest = Annotated[
    Annotated[_EARLIER, Tag("<name>")] | Annotated[PeriodRequest, Tag("<period>")],
    one_of(_compared, f"Input should be one of {', '.join(get_args(_EARLIER))}, or an object with start and end"),
]

HavingJson = Annotated[
    dict[str, dict[str, Any]],
    Field(
        description="Only groups whose figures fulfil all conditions: `{measure: {operator: value}}`. The others stay "
        "in the total and are in the rest. Null means unknown",
        max_length=16,
        examples=[{"cost_usd": {"gte": 10}, "error_rate": {"gt": 0.05}}],
    ),
]


class GroupingRequest(Body):
    """Groups of the requests of a report: which ones are shown, and in which order."""

    by: list[ByRequest] = Field(
        default_factory=list, max_length=4, examples=[[{"property": "Feature"}, {"time": "day"}]]
    )
    having: HavingJson = Field(default_factory=dict)
    fill: StrictBool = Field(False, description="With buckets in which nothing was requested, where `by` is time alone")
    order_by: OrderRequest | None = Field(None, description="By default by time, else by the first measure")
    limit: int = Field(100, strict=True, ge=1, le=10_000)


class ReportRequest(GroupingRequest):
    measures: list[str] = Field(min_length=1, max_length=128, examples=[["cost_usd", "requests"]])
    filter: FilterJson = "all"
    time_filter: TimeFilter
    time_zone: str = Field(UTC_NAME, description=f"{TIME_ZONE_HELP}; days, weeks and months begin there", max_length=64)
    compare: CompareRequest | None = Field(
        None,
        description="Another period to stand beside this one. `previous` is as long and ends where this one starts: "
        "whole months and whole days are counted as such in `timeZone`, others as time passes. The rest are the same "
        "dates and times of day a week, a month or a year earlier",
    )
    breakdowns: list[GroupingRequest] = Field(
        default_factory=list, max_length=8, description="The same requests by other groups, beside `by`"
    )
    limit: int = Field(
        1000, strict=True, ge=1, le=10_000, description="Of all groups that are asked for together 10000"
    )


class Change(View):
    """From the other period to this one."""

    absolute: Figure
    relative: float | None = Field(description="Of what it was; null where that is zero")


class Compared(View):
    """The figures of the other period, and what has changed since, or until then."""

    measures: dict[str, Figure]
    change: dict[str, Change | None] = Field(description="Null where a figure is unknown in a period, or no number")


class Presence(StrEnum):
    """In which of two periods a group has requests."""

    BOTH = "both"
    NEW = "new"  # only in this one
    GONE = "gone"  # only in the other one
    NEITHER = "neither"  # an empty bucket


class ComparedGroup(Compared):
    presence: Presence = Field(
        description="In which period the group has requests: `new` only in this one, `gone` only in the other one"
    )


class ReportRow(View):
    by: list[Figure] = Field(description="One value for each part of `by`; null where a request has none")
    measures: dict[str, Figure]


class ComparedRow(ReportRow):
    compared: ComparedGroup


class ComparedPeriod(View):
    start: Timestamp
    end: Timestamp
    total: Compared
    rest: Compared | None


class GroupingView(View):
    """Groups, and the total over all of them. Amounts of money come with the share of requests and tokens in them."""

    rows: list[ComparedRow | ReportRow]
    rest: dict[str, Figure] | None = Field(
        description="Of the groups beyond the limit and those left out by `having`: rows and rest add up to the "
        "total. Null for shares and the like"
    )
    total: dict[str, Figure]
    truncated: bool = Field(description="There are more groups than the limit; the total is over all of them")
    compared: ComparedPeriod | None = Field(None, description="With `compare`: the other period")


class ReportView(GroupingView):
    start: Timestamp
    end: Timestamp
    breakdowns: list[GroupingView] = Field(default_factory=list, description="In the order of the request")


# How much of some requests is in the sum of their costs, which every such sum comes with.
Attempts = Annotated[
    int, Field(description="Requests, and attempts before the last one of a request that may have been billed")
]
UnpricedRequests = Annotated[int, Field(description="Attempts whose cost is unknown, and so not in it")]
PricedRequestShare = Annotated[float | None, Field(description="Attempts with a known cost; null when there are none")]
PricedTokenShare = Annotated[
    float | None,
    Field(description="Of the tokens that are known, of all classes, those of such requests; null without tokens"),
]
UnpricedRequestsWithoutTokens = Annotated[
    int,
    Field(description="Of unpriced_requests, those of which no tokens are known either, and so not in that share"),
]


class Spend(View):
    """A cost and what is known of it."""

    cost_usd: MaybeUsd = Field(description="Of the requests with a known cost; null when no request has one")
    requests: int
    attempts: Attempts
    unpriced_requests: UnpricedRequests
    priced_request_share: PricedRequestShare
    priced_token_share: PricedTokenShare
    unpriced_requests_without_tokens: UnpricedRequestsWithoutTokens


class FeatureSpend(Spend):
    name: str = Field(description='"(none)": requests without the property')
    share: float | None = Field(
        description="Of the cost of the environment; null when that is zero, or either is unknown"
    )


class EnvironmentSpend(Spend):
    name: str
    share: float | None = Field(description="Of the total cost; null when that is zero, or either is unknown")
    features: list[FeatureSpend]


class UserSpend(Spend):
    user_id: str
    tier: str | None = Field(description="Property UserTier of the user's last request that has one")


class CacheUse(View):
    hits: int
    requests: int = Field(description="Requests that allowed a response from the response cache")
    hit_rate: float | None
    savings_usd: MaybeUsd = Field(description="What the hits would have cost; null when that is known of none")
    unpriced_hits: int = Field(description="Hits of which that is unknown, and so not in it")


class Unpriced(View):
    provider: str
    model: str
    cost_state: CostState
    requests: int


class Summary(View):
    """What traffic cost in a period. The features of an environment add up to it, and environments to the total."""

    start: Timestamp
    end: Timestamp
    total: Spend
    environments: list[EnvironmentSpend]
    top_users: list[UserSpend]
    cache: CacheUse
    unpriced: list[Unpriced]
    disputed_requests: int = Field(
        description="Whose reported cost contradicts the calculated one; `GET /v1/prices/disputed` lists the models"
    )
