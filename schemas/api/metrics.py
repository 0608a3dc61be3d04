"""Bodies and responses of the HTTP API about periods: single figures, figures over time, models and the cache."""

from typing import Literal

from pydantic import Field, StrictBool

from schemas.api.envelopes import WarnedEnvelope
from schemas.api.groups import Coverage, TimeRange, ZoneMinutes
from schemas.api.requests import Body, FilterJson, MaybeUsd, Timestamp, View

Increment = Literal["min", "hour", "day", "week", "month", "year"]


class MetricsRequest(Body):
    filter: FilterJson
    time_filter: TimeRange


class MetricsOverTimeRequest(MetricsRequest):
    db_increment: Increment = "hour"
    time_zone_difference: ZoneMinutes = 0


class QuantilesRequest(MetricsOverTimeRequest):
    metric: Literal["latency", "prompt_tokens", "completion_tokens", "total_tokens"]


class MetricsPageRequest(MetricsRequest):
    offset: int = Field(strict=True, ge=0, le=2**53)
    limit: int = Field(strict=True, ge=0, le=10_000)


class RequestCountRequest(Body):
    filter: FilterJson
    is_cached: StrictBool = Field(False, description="Only responses from the response cache")


class CostFigure(WarnedEnvelope[MaybeUsd]):
    """A sum, and beside Helicone's envelope how much of it is known."""

    coverage: Coverage


class TokensPerRequest(View):
    """Of the requests with reported usage; null when it is reported of none."""

    average_prompt_tokens_per_response: float | None
    average_completion_tokens_per_response: float | None
    average_total_tokens_per_response: float | None


class InTime(View):
    """One bucket of time: without requests its figures are 0, and null where they are unknown."""

    time: Timestamp = Field(description="The start of the bucket")


class RequestsInTime(InTime):
    count: int
    status: int | None = None


class CountInTime(InTime):
    count: int


class CostInTime(InTime):
    cost: MaybeUsd
    coverage: Coverage


class TokensInTime(InTime):
    prompt_tokens: int | None
    completion_tokens: int | None


class DetailedTokensInTime(TokensInTime):
    reasoning_tokens: int | None
    prompt_cache_read_tokens: int | None
    prompt_cache_write_tokens: int | None


class LatencyInTime(InTime):
    duration: float | None


class FirstTokenInTime(InTime):
    ttft: float | None


class QuantilesInTime(InTime):
    p75: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class ModelInTime(InTime):
    model: str
    request_count: int
    total_tokens: int | None


class _Used(View):
    total_requests: int
    total_completion_tokens: int | None
    total_prompt_token: int | None = Field(description="Its name in Helicone")
    total_tokens: int | None
    cost: MaybeUsd
    coverage: Coverage


class ModelMetrics(_Used):
    model: str


class ProviderMetrics(_Used):
    provider: str


class CountryMetrics(View):
    country: str
    total_requests: int


class CacheRequest(Body):
    time_filter: TimeRange
    filter: FilterJson = "all"
    db_increment: Increment = "day"
    time_zone_difference: ZoneMinutes = 0


class TopCachedRequest(Body):
    time_filter: TimeRange | None = None
    filter: FilterJson = "all"


class HitsCoverage(View):
    cache_hits: int
    unknown_hits: int = Field(description="Of these, those of which it is unknown, and which are not in it")


class SavedUsd(WarnedEnvelope[MaybeUsd]):
    coverage: HitsCoverage


class SavedTime(WarnedEnvelope[float | None]):
    """Seconds that the cached requests had taken, once for each hit."""

    coverage: HitsCoverage


class CachedRequest(View):
    request_id: str = Field(description="Of the request whose response was served again")
    count: int
    last_used: Timestamp
    first_used: Timestamp
    model: str
    prompt: str | None = Field(description="The body of the request, as text")
    response: str | None
    saved_usd: MaybeUsd
    coverage: HitsCoverage
