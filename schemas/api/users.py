"""Bodies and responses of the HTTP API about users."""

from typing import Any, Literal

from pydantic import Field, StrictBool

from schemas.api.groups import Coverage, HistogramRow, LocalTime, SecondsRange, ZoneMinutes
from schemas.api.requests import Body, FilterJson, MaybeUsd, View

PSizeName = Literal["p50", "p75", "p95", "p99", "p99.9"]


class UserMetricsRequest(Body):
    filter: FilterJson = Field(description="May name `users_view` too, whose columns are the figures of users")
    offset: int = Field(strict=True, ge=0, le=2**53)
    limit: int = Field(strict=True, ge=0)
    time_filter: SecondsRange | None = None
    time_zone_difference_minutes: ZoneMinutes = 0
    sort: dict[str, Any] = Field(
        default_factory=dict,
        description="One field of the response and its direction. By default who was active last comes first",
        examples=[{"cost": "desc"}],
    )


class UserMetrics(View):
    """One user over the requests of the filter; the empty user sent those without one."""

    id: str
    user_id: str
    active_for: int = Field(description="Days in UTC with a request")
    first_active: LocalTime
    last_active: LocalTime
    total_requests: int
    average_requests_per_day_active: float
    average_tokens_per_request: float | None = Field(
        description="Prompt and completion, of the requests with reported usage; null when there are none"
    )
    total_completion_tokens: int | None
    total_prompt_tokens: int | None
    cost: MaybeUsd = Field(description="US dollars, of the requests with a known cost; null when no request has one")
    rate_limited_count: int
    coverage: Coverage


class UsersPage(View):
    users: list[UserMetrics]
    count: int = Field(description="Users that match, on all pages")
    has_users: bool = Field(serialization_alias="hasUsers", description="The organization has named any user, ever")


class UserOverviewRequest(Body):
    filter: FilterJson
    p_size: PSizeName = Field(description="The share of users that is shown, from the lowest figure on")
    use_interquartile: StrictBool = Field(description="From the opposite percentile on")


class UserOverview(View):
    request_count: list[HistogramRow]
    user_cost: list[HistogramRow] = Field(description="Of users of whom a cost is known")


class EraseUserRequest(Body):
    user_id: str = Field(min_length=1, max_length=8192, examples=["user-123"])


class ErasedUser(View):
    requests: int = Field(description="Whose bodies were deleted, and which have the pseudonym now")
    pseudonym: str = Field(description="What they are under in lists and totals: a keyed hash of the id")


class UserQueryRequest(Body):
    user_ids: list[str] | None = Field(None, max_length=1000)
    time_filter: SecondsRange | None = None


class UserTotals(View):
    count: int
    prompt_tokens: int | None
    completion_tokens: int | None
    user_id: str
    cost: MaybeUsd
    coverage: Coverage
