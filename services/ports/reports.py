"""Scheduled reports, as those need them who manage and who send them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from schemas.notice import Notice
from schemas.scheduled_report import ReportFigures, ReportOrder, ScheduledReport, UnreadableReport


class ScheduledReports(Protocol):
    """Reports with the times at which they are due. All raise StoreUnavailable."""

    async def reports_of(self, organization_id: str) -> Sequence[ScheduledReport]:
        """The oldest first, without those that this version cannot read."""
        ...

    async def add_report(
        self, organization_id: str, order: ReportOrder, *, next_at: datetime, created_by: str
    ) -> ScheduledReport: ...

    async def change_report(
        self, organization_id: str, report_id: str, order: ReportOrder, *, next_at: datetime, now: datetime
    ) -> ScheduledReport | None:
        """It is due next at `next_at`; one that is due `now` stays so. None when there is no such report."""
        ...

    async def remove_report(self, organization_id: str, report_id: str) -> bool:
        """False when there is no such report."""
        ...

    async def due_reports(self, at: datetime, *, limit: int) -> Sequence[ScheduledReport | UnreadableReport]: ...

    async def postpone(self, report: UnreadableReport, *, next_at: datetime, error: str) -> bool:
        """It is due again then. False where another process was first."""
        ...

    async def end_occurrence(
        self,
        report: ScheduledReport,
        *,
        occurrence: datetime,
        next_at: datetime,
        notice: Notice | None,
        error: str = "",
    ) -> bool:
        """The occurrence is done with, together with its notice. False where another process was first."""
        ...

    async def close(self) -> None: ...


class ReportRunner(Protocol):
    """The report engine, for one order."""

    async def complete_until(self) -> datetime | None:
        """Every request before is counted; None when that is not known."""
        ...

    async def figures(self, organization_id: str, order: ReportOrder, start: datetime, end: datetime) -> ReportFigures:
        """Of requests from `start` on, before `end`. Raises: InvalidRequest, StoreUnavailable."""
        ...
