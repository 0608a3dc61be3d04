"""Scheduled reports: each occurrence once, and of those that were missed the last."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from schemas.errors import Rejected, Unavailable
from schemas.scheduled_report import ScheduledReport, UnreadableReport
from services.domain.channels.report_notice import report_notice
from services.domain.channels.schedule import last_occurrence, next_occurrence, period_before
from services.ports.reports import ReportRunner, ScheduledReports
from services.telemetry.metrics import Metrics

logger = logging.getLogger("farebox.scheduler")

# For so long a report waits for events of its period that are not counted yet.
PATIENCE: Final = timedelta(hours=1)
# After so long an unreadable one is looked at again: this process may have been replaced by a newer one.
_UNREADABLE: Final = timedelta(hours=1)
_AT_ONCE: Final = 100
_INTERVAL_S: Final = 15.0


class Reports:
    """Makes the reports that are due. Any number of processes may do so: the first one's is sent."""

    def __init__(self, reports: ScheduledReports, runner: ReportRunner, metrics: Metrics) -> None:
        self._reports = reports
        self._runner = runner
        self._metrics = metrics

    async def run(self, now: Callable[[], datetime]) -> None:
        """Until it is cancelled. `now` is the clock."""
        while True:
            try:
                await self.run_once(now())
            except Unavailable as error:
                logger.warning("not all reports can be made now", extra={"reason": str(error)})
            except Exception:  # a bug of ours, which must not end this
                logger.exception("not all reports can be made")
            await asyncio.sleep(_INTERVAL_S)

    async def run_once(self, now: datetime) -> int:
        """How many reports were due, and are done with. What fails alone keeps no other report from being made.

        Raises: StoreUnavailable, after the last one.
        """
        ended, failures = 0, []
        for report in await self._reports.due_reports(now, limit=_AT_ONCE):
            try:
                if isinstance(report, UnreadableReport):
                    ended += await self._postpone(report, now)
                else:
                    ended += await self._end_occurrence(report, now)
            except Unavailable as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return ended

    async def _postpone(self, report: UnreadableReport, now: datetime) -> bool:
        """Whether this process did so."""
        error = "this version of Farebox cannot read it"
        is_first = await self._reports.postpone(report, next_at=now + _UNREADABLE, error=error)
        if is_first:
            self._metrics.add("scheduler_reports_unreadable_total")
            logger.error("a scheduled report cannot be read, and is not sent", extra={"report": report.id})
        return is_first

    async def _end_occurrence(self, report: ScheduledReport, now: datetime) -> bool:
        """Whether it is done with, by this process."""
        schedule = report.order.schedule
        # Of a report that could not be read for a while, `next_at` is no occurrence.
        occurrence = last_occurrence(schedule, max(now, report.next_at))
        period = period_before(schedule, occurrence)
        if now < occurrence + PATIENCE and not await self._is_complete(period[1]):
            return False
        notice, error = None, ""
        try:
            figures = await self._runner.figures(report.organization_id, report.order, *period)
            notice = report_notice(report, figures, occurrence, period)
        except Rejected as refusal:
            # It was accepted when it was set; a name that it needs may be gone.
            error = str(refusal)
            logger.warning("a scheduled report cannot be made", extra={"report": report.id, "reason": error})
        except Unavailable:
            raise
        except Exception as fault:
            # Of ours, that this report reveals: it must not keep others from being sent.
            error = f"a fault of Farebox: {type(fault).__name__}"
            logger.exception("a scheduled report cannot be made")
        return await self._reports.end_occurrence(
            report,
            occurrence=occurrence,
            next_at=next_occurrence(schedule, max(now, occurrence)),
            notice=notice,
            error=error,
        )

    async def _is_complete(self, end: datetime) -> bool:
        until = await self._runner.complete_until()
        return until is not None and until >= end
