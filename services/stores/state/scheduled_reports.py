"""The ScheduledReports port on the state database."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, case, literal, select

from schemas.notice import Notice
from schemas.scheduled_report import ReportOrder, ScheduledReport, UnreadableReport
from schemas.undecodable import UNDECODABLE
from services.stores.state.database import Database
from services.stores.state.outbox import add_notices
from services.stores.state.tables import SCHEDULED_REPORT

_order = msgspec.json.Decoder(ReportOrder)
_MAX_ERROR: Final = 500


class SqlScheduledReports:
    """One row for each report."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="scheduled reports")

    async def reports_of(self, organization_id: str) -> Sequence[ScheduledReport]:
        its_rows = select(SCHEDULED_REPORT).where(SCHEDULED_REPORT.c.organization_id == organization_id)
        rows = await self._read(its_rows.order_by(SCHEDULED_REPORT.c.created_at, SCHEDULED_REPORT.c.id))
        return _readable(rows)

    async def add_report(
        self, organization_id: str, order: ReportOrder, *, next_at: datetime, created_by: str
    ) -> ScheduledReport:
        report = ScheduledReport(
            id=str(uuid4()),
            organization_id=organization_id,
            order=order,
            created_at=datetime.now(UTC),
            created_by=created_by,
            next_at=next_at,
        )
        values = {**msgspec.structs.asdict(report), "name": order.name, "body": _json(order)}
        del values["order"]
        await self._database.write(lambda connection: connection.execute(SCHEDULED_REPORT.insert().values(values)))
        return report

    async def change_report(
        self, organization_id: str, report_id: str, order: ReportOrder, *, next_at: datetime, now: datetime
    ) -> ScheduledReport | None:
        is_it, due_at = _is(organization_id, report_id), SCHEDULED_REPORT.c.next_at
        # In the statement itself: the scheduler may end the occurrence at any time.
        kept_if_due = case((due_at <= now, due_at), else_=literal(next_at, due_at.type))
        values = {"name": order.name, "body": _json(order), "next_at": kept_if_due}
        change = SCHEDULED_REPORT.update().where(is_it).values(values)
        await self._database.write(lambda connection: connection.execute(change))
        return next(iter(_readable(await self._read(select(SCHEDULED_REPORT).where(is_it)))), None)

    async def remove_report(self, organization_id: str, report_id: str) -> bool:
        delete = SCHEDULED_REPORT.delete().where(_is(organization_id, report_id))
        return await self._database.write(lambda connection: connection.execute(delete).rowcount > 0)

    async def due_reports(self, at: datetime, *, limit: int) -> Sequence[ScheduledReport | UnreadableReport]:
        due = select(SCHEDULED_REPORT).where(SCHEDULED_REPORT.c.next_at <= at)
        return await self._read(due.order_by(SCHEDULED_REPORT.c.next_at).limit(limit))

    async def postpone(self, report: UnreadableReport, *, next_at: datetime, error: str) -> bool:
        is_unchanged = _is(report.organization_id, report.id) & (SCHEDULED_REPORT.c.next_at == report.next_at)
        change = SCHEDULED_REPORT.update().where(is_unchanged).values(next_at=next_at, error=error)
        return await self._database.write(lambda connection: connection.execute(change).rowcount > 0)

    async def end_occurrence(
        self,
        report: ScheduledReport,
        *,
        occurrence: datetime,
        next_at: datetime,
        notice: Notice | None,
        error: str = "",
    ) -> bool:
        # Whoever changes the row first has the occurrence; the row says what others looked at too.
        is_unchanged = (
            _is(report.organization_id, report.id)
            & (SCHEDULED_REPORT.c.next_at == report.next_at)
            & (SCHEDULED_REPORT.c.body == _json(report.order))
        )
        values = {"next_at": next_at, "last_at": occurrence, "error": error[:_MAX_ERROR]}
        change = SCHEDULED_REPORT.update().where(is_unchanged).values(values)

        def end(connection: Connection) -> bool:
            if not connection.execute(change).rowcount:
                return False
            if notice is not None:
                add_notices(connection, [(notice, report.order.channel_ids)])
            return True

        return await self._database.write(end)

    async def close(self) -> None:
        await self._database.close()

    async def _read(self, rows: Select[tuple[object, ...]]) -> list[ScheduledReport | UnreadableReport]:
        return await self._database.read(
            lambda connection: [_report(row) for row in connection.execute(rows).mappings()]
        )


def _report(row: RowMapping) -> ScheduledReport | UnreadableReport:
    try:
        order = _order.decode(row["body"])
    except UNDECODABLE:
        # Another version may be able to: it stays, and keeps no other from being read.
        return UnreadableReport(id=row["id"], organization_id=row["organization_id"], next_at=row["next_at"])
    names = ("id", "organization_id", "created_at", "created_by", "next_at", "last_at", "error")
    return ScheduledReport(order=order, **{name: row[name] for name in names})


def _readable(found: Sequence[ScheduledReport | UnreadableReport]) -> list[ScheduledReport]:
    return [one for one in found if isinstance(one, ScheduledReport)]


def _is(organization_id: str, report_id: str) -> ColumnElement[bool]:
    return (SCHEDULED_REPORT.c.organization_id == organization_id) & (SCHEDULED_REPORT.c.id == report_id)


def _json(order: ReportOrder) -> str:
    return msgspec.json.encode(order).decode()
