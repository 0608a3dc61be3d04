"""Body and response of what changed: the difference of cost between two periods, by reason."""

from pydantic import Field

from schemas.api.reports import ByRequest, CompareRequest, Presence, TimeFilter
from schemas.api.requests import (
    TIME_ZONE_HELP,
    UTC_NAME,
    Body,
    Figure,
    FilterJson,
    MaybeUsd,
    Timestamp,
    Usd,
    View,
)


class ChangesRequest(Body):
    by: list[ByRequest] = Field(default_factory=list, max_length=4, examples=[[{"property": "Feature"}]])
    filter: FilterJson = "all"
    time_filter: TimeFilter
    time_zone: str = Field(UTC_NAME, description=f"{TIME_ZONE_HELP}; days, weeks and months begin there", max_length=64)
    compare: CompareRequest = Field("previous", description="The earlier period, as in `POST /v1/report`")
    limit: int = Field(100, strict=True, ge=1, le=1000)


class CostOfPeriod(View):
    cost_usd: MaybeUsd = Field(description="Of the requests with a known cost; null when no request has one")
    requests: int
    unpriced_requests: int = Field(description="Requests whose cost is unknown, and so not in it")


class CostReasons(View):
    """They add up to the difference, to the last digit."""

    volume_usd: Usd = Field(description="More or fewer requests")
    model_mix_usd: Usd = Field(description="Other models for the same requests")
    tokens_usd: Usd = Field(description="More or fewer tokens for a request that is paid")
    cache_usd: Usd = Field(description="Responses from the response cache, and input from the providers' prompt caches")
    price_usd: Usd = Field(description="Other prices for the same usage: lists, service and context tiers, fees")
    coverage_usd: Usd = Field(description="Costs that became known or unknown; nothing that was spent more or less")


class CostDifference(View):
    before: CostOfPeriod
    after: CostOfPeriod
    difference_usd: Usd = Field(description="Between what is known of both")
    relative: float | None = Field(description="Of what it was; null where that is zero or unknown, or what it is")
    reasons: CostReasons


class ChangedGroup(CostDifference):
    by: list[Figure] = Field(description="One value for each part of `by`; null where a request has none")
    presence: Presence


class ChangesView(View):
    """The groups whose cost differs most, upwards or downwards, first. Rows and rest add up to the total.

    So do their reasons, which are found group by group: a shift from one group to another is volume in both.
    """

    start: Timestamp
    end: Timestamp
    compared_start: Timestamp
    compared_end: Timestamp
    total: CostDifference
    rows: list[ChangedGroup]
    rest: CostDifference | None = Field(description="Of the groups beyond the limit")
    truncated: bool
