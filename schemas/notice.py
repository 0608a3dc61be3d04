"""Notices: what an alert, a budget or a scheduled report says to people, whatever channel it goes through.

A notice is made once and sent at least once: its id is the same on every channel and in every attempt, so a receiver
can tell a repetition.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec

_SEPARATOR: Final = "\x1f"


class NoticeSource(StrEnum):
    """What a notice is about."""

    ALERT = "alert"
    BUDGET = "budget"
    REPORT = "report"
    TEST = "test"  # somebody tries a channel


class NoticeKind(StrEnum):
    """Why it is sent."""

    FIRING = "firing"
    ESCALATED = "escalated"  # a higher threshold of what fires already
    REMINDER = "reminder"  # it still fires
    RESOLVED = "resolved"
    NO_DATA = "no_data"
    SUMMARY = "summary"  # of many groups of one alert at once
    REPORT = "report"
    TEST = "test"


class NoticeLevel(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    NO_DATA = "NO_DATA"


class NoticeUnit(StrEnum):
    """What a value counts, and so how it is shown."""

    USD = "usd"
    SHARE = "share"  # of one: 0.25 is shown as 25 %
    MILLISECONDS = "ms"
    COUNT = "count"


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a dimension that makes up much of a notice's value."""

    dimension: str  # such as "user", "feature" or "model"
    value: str  # '' where requests have none
    amount: Decimal | None  # in the unit of the notice; None: unknown
    share: Decimal | None = None  # of the notice's value, 0 to 1


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One cause why the value is not what it was, as `POST /v1/reports/changes` finds it."""

    cause: str  # in words, such as "more requests"
    amount: Decimal | None  # in the unit of the notice; below zero: it made the value smaller


class GroupValue(msgspec.Struct, frozen=True, kw_only=True):
    """One of the groups that a summary is about."""

    group: dict[str, str]
    level: NoticeLevel
    value: Decimal | None


class ReportColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a report's table."""

    name: str
    unit: NoticeUnit | None = None  # None: text


class ReportTable(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a report. Cells are texts, of numbers all their digits; None is unknown."""

    title: str
    columns: tuple[ReportColumn, ...]
    rows: tuple[tuple[str | None, ...], ...]
    remaining_rows: int = 0  # that the report has beside these


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message, before it is rendered. Numbers are in `unit`; None is unknown, which is not zero."""

    # Derived, so that the notice is the same when it is made again: at most 64 letters, digits, dots and dashes.
    notice_id: str
    organization_id: str
    source: NoticeSource
    source_id: str  # of the alert, budget or scheduled report
    name: str  # of it, as its owner called it
    kind: NoticeKind
    level: NoticeLevel
    created_at: datetime
    group: dict[str, str] = {}  # dimension to value, for a grouped alert or a budget of one user
    metric: str = ""  # in words, such as "cost" or "error rate"
    unit: NoticeUnit = NoticeUnit.COUNT
    value: Decimal | None = None
    threshold: Decimal | None = None
    threshold_label: str = ""  # such as "80 % of $500"; '' where the number says all
    window_start: datetime | None = None
    window_end: datetime | None = None  # exclusive
    zone: str = "UTC"  # IANA name, in which times are shown
    complete_until: datetime | None = None  # the seal when the value was computed; None: not known
    drivers: tuple[Driver, ...] = ()  # the top three of each dimension, the largest first
    changes: tuple[Change, ...] = ()  # the largest first
    forecast_at: datetime | None = None  # when the threshold will be crossed, if all goes on like this
    detail: str = ""  # one sentence of its maker, such as why there is no data
    groups: tuple[GroupValue, ...] = ()  # of a summary: the worst
    group_count: int = 0  # of a summary: all
    tables: tuple[ReportTable, ...] = ()  # of a report
    link_path: str = ""  # of the dashboard's page, such as "/dashboard/alerts/ID"

    @property
    def incident_id(self) -> str:
        """32 characters, the same for all that is said of one alert and group, from firing to resolved."""
        parts = [self.source, self.source_id, *(part for pair in sorted(self.group.items()) for part in pair)]
        return sha256(_SEPARATOR.join(parts).encode()).hexdigest()[:32]
