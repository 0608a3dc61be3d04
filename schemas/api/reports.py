"""Bodies and responses of the HTTP API about groups of requests: reports, and the summary of a period."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from schemas.api.requests import Body, Figure, FilterJson, MaybeUsd, Timestamp, View
from schemas.price import CostState


class TimeFilter(Body):
    start: str = Field(description="ISO 8601; from this timestamp on", examples=["2026-01-01T00:00:00Z"])
    end: str | None = Field(None, description="ISO 8601; before this timestamp. By default now")


class ByColumnRequest(Body):
    column: str = Field(examples=["model"])


class ByPropertyRequest(Body):
    property: str = Field(examples=["Feature"])


class ByTimeRequest(Body):
    time: Literal["minute", "hour", "day", "week", "month"]


def _grouping(part: object) -> str | None:
    """By what `part` groups; None when it does not say."""
    names = part if isinstance(part, dict) else type(part).model_fields if isinstance(part, Body) else ()
    return next((name for name in ("column", "property", "time") if name in names), None)


ByRequest = Annotated[
    Annotated[ByColumnRequest, Tag("column")]
    | Annotated[ByPropertyRequest, Tag("property")]
    | Annotated[ByTimeRequest, Tag("time")],
    Discriminator(
        _grouping,
        custom_error_type="grouping",
        custom_error_message='`by` takes {"column": ...}, {"property": ...} or {"time": ...}',
    ),
]


class OrderRequest(Body):
    measure: str
    direction: Literal["asc", "desc"] = "desc"


class ReportRequest(Body):
    measures: list[str] = Field(min_length=1, max_length=64, examples=[["cost_usd", "requests"]])
    by: list[ByRequest] = Field(
        default_factory=list, max_length=4, examples=[[{"property": "Feature"}, {"time": "day"}]]
    )
    filter: FilterJson = "all"
    time_filter: TimeFilter
    time_zone: str = Field("UTC", description="IANA name; where days, weeks and months begin", max_length=64)
    order_by: OrderRequest | None = Field(None, description="By default by time, else by the first measure")
    limit: int = Field(1000, strict=True, ge=1, le=10_000)


class ReportRow(View):
    by: list[Figure] = Field(description="One value for each part of `by`; null where a request has none")
    measures: dict[str, Figure]


class ReportView(View):
    """Groups, and the total over all of them. Amounts of money come with the share of requests and tokens in them."""

    start: Timestamp
    end: Timestamp
    rows: list[ReportRow]
    rest: dict[str, Figure] | None = Field(
        description="Of the groups beyond the limit: rows and rest add up to the total. Null for shares and the like"
    )
    total: dict[str, Figure]
    truncated: bool = Field(description="There are more groups than the limit; the total is over all of them")


# How much of some requests is in the sum of their costs, which every such sum comes with.
UnpricedRequests = Annotated[int, Field(description="Requests whose cost is unknown, and so not in it")]
PricedRequestShare = Annotated[float | None, Field(description="Requests with a known cost; null when there are none")]
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
