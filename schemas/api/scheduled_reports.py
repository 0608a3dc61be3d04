"""Bodies and responses of the HTTP API about scheduled reports."""

from typing import Annotated

from pydantic import ConfigDict, Field

from schemas.api.reports import ByRequest, HavingJson, OrderRequest
from schemas.api.requests import UTC_NAME, Body, FilterJson, Timestamp, View
from schemas.scheduled_report import Every

_DAY = Field(1, strict=True, ge=1, le=31, description="Of a month; its last day where it is shorter")
_WEEKDAY = Field(1, strict=True, ge=1, le=7, description="Of a week: 1 is Monday, 7 Sunday")


class ReportQuery(Body):
    """As the body of `POST /v1/report`, whose period and time zone are those of the schedule."""

    measures: list[str] = Field(min_length=1, max_length=32, examples=[["cost_usd", "requests"]])
    by: list[ByRequest] = Field(default_factory=list, max_length=4, examples=[[{"property": "Feature"}]])
    filter: FilterJson = "all"
    having: HavingJson = Field(default_factory=dict)
    order_by: OrderRequest | None = Field(None, description="By default by time, else by the first measure")
    limit: int = Field(100, strict=True, ge=1, le=1000, description="Groups that are shown")


class ScheduleRequest(Body):
    model_config = ConfigDict(alias_generator=None)

    every: Every
    hour: int = Field(8, strict=True, ge=0, le=23)
    minute: int = Field(0, strict=True, ge=0, le=59)
    weekday: Annotated[int, _WEEKDAY] = 1
    day: Annotated[int, _DAY] = 1
    time_zone: str = Field(UTC_NAME, max_length=64, description="IANA name, whose clocks count")


class ScheduledReportRequest(Body):
    model_config = ConfigDict(alias_generator=None)

    name: str = Field(max_length=100, description="The subject of its mail", examples=["Weekly costs"])
    schedule: ScheduleRequest
    channel_ids: list[str] = Field(
        min_length=1, max_length=20, description="Ids of `GET /v1/channels`; PagerDuty takes no reports"
    )
    query: ReportQuery | None = Field(
        None, description="By default what `farebox report` prints: costs by environment and feature, users, the cache"
    )


class ScheduleView(View):
    every: Every
    hour: int
    minute: int
    weekday: int
    day: int
    time_zone: str


class ScheduledReportView(View):
    id: str
    name: str
    schedule: ScheduleView
    channel_ids: list[str]
    query: object = Field(description="As it was sent; null for what `farebox report` prints")
    created_at: Timestamp
    created_by: str = Field(description="The id of the key that asked for it, or `cli`")
    next_at: Timestamp
    last_at: Timestamp | None = Field(description="When it was due last; null when never")
    error: str = Field(description="Why it was not sent then; empty where it was")


class AttachmentView(View):
    name: str
    content: str = Field(description="CSV, with all digits")


class ReportPreview(View):
    """A report as the mail that its last occurrence would have been; other channels say the same."""

    subject: str
    text: str
    html: str
    attachments: list[AttachmentView]
    starts_at: Timestamp = Field(description="Of the days that it is about")
    ends_at: Timestamp = Field(description="Not among them any more")
    complete_until: Timestamp | None = Field(description="Until when every request is counted; null when not known")
