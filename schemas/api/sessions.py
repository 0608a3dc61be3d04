"""Bodies and responses of the HTTP API about sessions."""

from __future__ import annotations

from pydantic import Field, StrictBool

from schemas.api.groups import MAX_PAGE, AverageRow, Coverage, HistogramRow, LocalTime, MillisecondsRange, ZoneMinutes
from schemas.api.requests import Body, FilterJson, MaybeUsd, Timestamp, View
from schemas.api.users import PSizeName

_SESSIONS_FILTER = "May name `sessions_request_response_rmt` too, whose columns are the figures of sessions"


class SessionQueryRequest(Body):
    search: str = Field(description="A part of the id or of the name, in any case; empty for all", max_length=8192)
    time_filter: MillisecondsRange
    timezone_difference: ZoneMinutes
    filter: FilterJson = Field(description=_SESSIONS_FILTER)
    name_equals: str | None = Field(None, max_length=8192)
    offset: int = Field(0, strict=True, ge=0, le=2**53)
    limit: int = Field(50, strict=True, ge=0, le=MAX_PAGE)


class SessionView(View):
    """The requests of one id and name."""

    created_at: LocalTime
    latest_request_created_at: LocalTime
    session_id: str
    session_name: str
    avg_latency: float | None = Field(description="Of its requests, in ms; null where only earlier attempts count")
    total_cost: MaybeUsd
    total_requests: int
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    user_ids: list[str] = Field(description="The first thousand by name")
    coverage: Coverage


class SessionCount(View):
    count: int
    total_cost: MaybeUsd
    avg_cost: MaybeUsd = Field(description="Of the sessions with any known cost")
    avg_latency: float | None
    avg_requests: float | None
    coverage: Coverage


class SessionNamesRequest(Body):
    name_contains: str = Field(max_length=8192)
    timezone_difference: ZoneMinutes
    p_size: PSizeName = "p75"
    use_interquartile: StrictBool = False
    time_filter: MillisecondsRange | None = None
    filter: FilterJson = Field("all", description=_SESSIONS_FILTER)


class SessionName(View):
    name: str
    created_at: LocalTime
    avg_latency: float | None
    last_used: LocalTime
    first_used: LocalTime
    session_count: int
    total_cost: MaybeUsd
    coverage: Coverage


class SessionAverages(View):
    session_count: list[AverageRow] = Field(description="Requests of a session")
    session_duration: list[AverageRow] = Field(description="Seconds from its first request to its last")
    session_cost: list[AverageRow] = Field(description="Of the sessions with any known cost")


class SessionMetrics(View):
    session_count: list[HistogramRow]
    session_duration: list[HistogramRow]
    session_cost: list[HistogramRow]
    average: SessionAverages


class StepFigures(View):
    cost: MaybeUsd
    prompt_tokens: int | None
    completion_tokens: int | None
    first_request_at: Timestamp | None
    last_request_at: Timestamp | None
    average_latency_ms: float | None
    coverage: Coverage


class Step(View):
    """A path of a session: what was sent at it, and below it."""

    path: str
    name: str = Field(description="Its last part; empty for the root")
    own: StepFigures = Field(description="Of the requests at this very path; a parent need not have any")
    total: StepFigures = Field(description="Those, and all below")
    steps: list[Step] = Field(description="In the order of their first requests")


class SessionTree(View):
    session_id: str
    session_names: list[str]
    root: Step = Field(description="The path `/`, of requests that name none too")
    total: StepFigures
    truncated: bool = Field(description="There are more paths than are shown; the total is over all of them")
