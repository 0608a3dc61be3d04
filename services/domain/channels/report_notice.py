"""A report as the notice that is sent of it."""

from datetime import datetime
from hashlib import sha256
from typing import Final

from schemas.notice import Notice, NoticeKind, NoticeLevel, NoticeSource, NoticeUnit
from schemas.scheduled_report import ReportFigures, ScheduledReport

_LINK: Final = "/dashboard/"


def report_notice(
    report: ScheduledReport, figures: ReportFigures, occurrence: datetime, period: tuple[datetime, datetime]
) -> Notice:
    """The same for whoever makes it of one occurrence."""
    return Notice(
        notice_id=f"report-{sha256(f'{report.id} {occurrence.isoformat()}'.encode()).hexdigest()[:40]}",
        organization_id=report.organization_id,
        source=NoticeSource.REPORT,
        source_id=report.id,
        name=report.order.name,
        kind=NoticeKind.REPORT,
        level=NoticeLevel.OK,
        created_at=occurrence,
        metric="total cost",
        unit=NoticeUnit.USD,
        value=figures.cost_usd,
        window_start=period[0],
        window_end=period[1],
        zone=report.order.schedule.zone,
        complete_until=figures.complete_until,
        detail=figures.detail,
        tables=figures.tables,
        link_path=_LINK,
    )
