"""Reports that are sent by the calendar."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from schemas.notice import ReportTable


class Every(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When, by the clocks of a zone."""

    every: Every
    hour: int  # 0 to 23
    minute: int  # 0 to 59
    weekday: int = 1  # of a week: 1 is Monday, 7 Sunday
    day: int = 1  # of a month: 29 to 31 are its last day where it is shorter
    zone: str  # IANA name


class ReportOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to be sent."""

    name: str
    schedule: Schedule
    channel_ids: tuple[str, ...]
    query: str = ""  # JSON of a body of POST /v1/report, its period left out; '' for the summary of `farebox report`


class ScheduledReport(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    id: str  # UUID
    organization_id: str
    order: ReportOrder
    created_at: datetime
    created_by: str = ""
    next_at: datetime  # the occurrence that has not been sent yet; later where it could not be read
    last_at: datetime | None = None  # the one that was handled last
    error: str = ""  # why that one was not sent; '' where it was


class UnreadableReport(msgspec.Struct, frozen=True, kw_only=True):
    """A row that this version cannot read."""

    id: str
    organization_id: str
    next_at: datetime


class ReportFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a report found."""

    cost_usd: Decimal | None  # of all requests in its period; None: unknown
    tables: tuple[ReportTable, ...]
    detail: str = ""  # one sentence about what they leave out
    complete_until: datetime | None
