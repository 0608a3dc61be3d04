"""Body and response of how a cost is distributed: over sessions, users or requests."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from schemas.api.groups import Coverage
from schemas.api.reports import TimeFilter
from schemas.api.requests import UTC_NAME, Body, FilterJson, MaybeUsd, Timestamp, TimeZone, Usd, View

MAX_OUTLIERS = 100
MIN_KNOWN = 10  # below it no figure is called an outlier


class DistributionRequest(Body):
    of: Literal["session", "user", "request"] = Field(description="What one figure is the cost of; named ones only")
    filter: FilterJson = "all"
    time_filter: TimeFilter
    time_zone: TimeZone = UTC_NAME
    bars: int = Field(20, strict=True, ge=1, le=100, description="Of equal width, up to the outliers")
    outliers: int = Field(20, strict=True, ge=0, le=MAX_OUTLIERS, description="How many are shown")
    rank_of_usd: Decimal | None = Field(
        None, gt=-(10**12), lt=10**12, decimal_places=12, description="An amount to place among the figures"
    )


class Bar(View):
    """How many have a cost from `from_usd` on, before `to_usd`; the last bar has its end too."""

    from_usd: Usd
    to_usd: Usd
    count: int
    cost_usd: Usd = Field(description="Of these together: bars add up to the total")


class Outlier(View):
    id: str
    name: str = Field(description="Of a session; empty for others")
    cost_usd: Usd
    requests: int
    first_request_at: Timestamp


class Percentiles(View):
    """Exact: so many have no more. Null when no cost is known."""

    min_usd: MaybeUsd
    p25_usd: MaybeUsd
    p50_usd: MaybeUsd
    p75_usd: MaybeUsd
    p90_usd: MaybeUsd
    p95_usd: MaybeUsd
    p99_usd: MaybeUsd
    max_usd: MaybeUsd


class Rank(View):
    """Where an amount stands among the known figures; those that are neither are equal to it."""

    below: int = Field(description="How many cost less")
    above: int = Field(description="How many cost more")


class DistributionView(View):
    start: Timestamp
    end: Timestamp
    count: int = Field(description="Sessions, users or requests, be their cost known or not")
    known: int = Field(description="Those of whom any cost is known: all figures are of these")
    total_usd: MaybeUsd
    average_usd: MaybeUsd
    percentiles: Percentiles
    bars: list[Bar]
    outlier_above_usd: MaybeUsd = Field(
        description="Three times the distance from p25 to p75 above p75; null below ten figures"
    )
    outlier_count: int
    outlier_cost_usd: Usd
    outliers: list[Outlier] = Field(description="The dearest first")
    rank: Rank | None = Field(description="Of `rankOfUsd`, where that is given")
    coverage: Coverage = Field(description="Of the requests that are counted in")
