"""Scheduled reports, one beside the other: what keeps one from being made keeps no other."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.errors import QueryLimitExceeded, StoreUnavailable
from schemas.scheduled_report import Every, ReportFigures, ReportOrder, Schedule, UnreadableReport
from schemas.seal import Seal, SealState
from schemas.statement import Statement
from services.ports.reports import ScheduledReports
from services.scheduler.report_build import open_reports
from services.scheduler.reports import Reports
from services.scheduler.seals import SchedulerSeals
from services.stores.state.database import Database
from services.stores.state.migrations.run import migrate_state
from services.stores.state.scheduled_reports import SqlScheduledReports
from services.stores.state.tables import SCHEDULED_REPORT
from services.telemetry.metrics import Metrics
from tests.builders.records import TIMESTAMP

DAILY = Schedule(every=Every.DAY, hour=8, minute=0, zone="UTC")
NOW = TIMESTAMP + timedelta(days=2)


class Runner:
    """No figures of the report "first", and those of no traffic of all others."""

    async def complete_until(self) -> datetime:
        return NOW

    async def figures(self, _organization_id: str, order: ReportOrder, *_: datetime) -> ReportFigures:
        if order.name == "first":
            raise StoreUnavailable("too slow")
        return ReportFigures(cost_usd=None, tables=(), complete_until=NOW)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.sqlite"


@pytest.fixture
def store(url: str) -> Iterator[SqlScheduledReports]:
    opened = SqlScheduledReports(url)

    async def begin() -> None:
        await migrate_state(url)
        for at, name in enumerate(("first", "second")):
            order = ReportOrder(name=name, schedule=DAILY, channel_ids=())
            due_at = TIMESTAMP + timedelta(minutes=at)
            await opened.add_report("acme", order, next_at=due_at, created_by="cli")

    asyncio.run(begin())
    yield opened
    asyncio.run(opened.close())


def handled(store: SqlScheduledReports) -> list[tuple[str, bool, str]]:
    return [(one.order.name, one.next_at > NOW, one.error) for one in asyncio.run(store.reports_of("acme"))]


def test_a_report_whose_figures_are_unavailable_keeps_no_later_one_from_being_sent(store: SqlScheduledReports) -> None:
    with pytest.raises(StoreUnavailable):
        asyncio.run(Reports(store, Runner(), Metrics()).run_once(NOW))
    assert handled(store) == [("first", False, ""), ("second", True, "")]


def test_a_change_loses_no_occurrence_that_is_due_and_no_fault_of_the_last_one(store: SqlScheduledReports) -> None:
    async def change() -> None:
        first, second = await store.reports_of("acme")
        following = NOW + timedelta(days=1)
        await store.end_occurrence(second, occurrence=NOW, next_at=following, notice=None, error="no such measure")
        for report in (first, second):
            await store.change_report("acme", report.id, report.order, next_at=NOW + timedelta(days=7), now=NOW)

    asyncio.run(change())
    first, second = asyncio.run(store.reports_of("acme"))
    assert (first.next_at, first.error) == (TIMESTAMP, "")
    assert (second.next_at, second.error) == (NOW + timedelta(days=7), "no such measure")


class Slow:
    """A warehouse in which no query ends within its limits."""

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        if statement.is_limited:
            raise QueryLimitExceeded("the query takes longer than 30 s")
        return []


class Sealed:
    async def current(self) -> Seal:
        return Seal(state=SealState.COMPLETE, complete_until=NOW)


def test_the_queries_of_reports_have_limits_beyond_which_they_are_not_tried_again(
    store: SqlScheduledReports, url: str
) -> None:
    async def run() -> int:
        async with AsyncExitStack() as stack:
            reports = open_reports(
                stack, url, warehouse=Slow(), seals=cast(SchedulerSeals, Sealed()), metrics=Metrics()
            )
            return await reports.run_once(NOW)

    assert asyncio.run(run()) == 2
    error = "the query takes longer than 30 s"
    assert handled(store) == [("first", True, error), ("second", True, error)]


class Undecodable:
    """A table with a row that cannot be decoded."""

    def __init__(self) -> None:
        self.was_read = asyncio.Event()

    async def due_reports(self, *_: object, **__: object) -> list[Any]:
        self.was_read.set()
        raise ValueError("a row that cannot be decoded")


def test_a_fault_of_ours_does_not_end_the_reports() -> None:
    async def run() -> bool:
        rows = Undecodable()
        running = asyncio.create_task(Reports(cast(ScheduledReports, rows), Runner(), Metrics()).run(lambda: NOW))
        await rows.was_read.wait()
        is_over, _ = await asyncio.wait({running}, timeout=0.1)
        running.cancel()
        await asyncio.wait({running})
        return bool(is_over)

    assert not asyncio.run(run())


def test_a_row_that_cannot_be_read_keeps_no_other_from_being_sent(store: SqlScheduledReports, url: str) -> None:
    async def run() -> tuple[int, int]:
        database = Database(url, what="a test")
        spoil = (
            SCHEDULED_REPORT.update().where(SCHEDULED_REPORT.c.name == "first").values(body='{"every": "fortnight"}')
        )
        await database.write(lambda connection: connection.execute(spoil))
        await database.close()
        reports = Reports(store, Runner(), metrics)
        return await reports.run_once(NOW), await reports.run_once(NOW)

    metrics = Metrics()
    assert asyncio.run(run()) == (2, 0), "both are done with, and the first is due again in an hour only"
    assert handled(store) == [("second", True, "")]
    assert metrics.get("scheduler_reports_unreadable_total") == 1


class Periods(Runner):
    """Of which days the figures of each report are asked for."""

    def __init__(self) -> None:
        self.of: dict[str, tuple[datetime, ...]] = {}

    async def figures(self, _organization_id: str, order: ReportOrder, *period: datetime) -> ReportFigures:
        self.of[order.name] = period
        return ReportFigures(cost_usd=None, tables=(), complete_until=NOW)


def test_a_report_that_cannot_be_read_for_a_day_is_about_its_week_all_the_same(store: SqlScheduledReports) -> None:
    monday, hour = datetime(2026, 11, 2, 8, tzinfo=UTC), timedelta(hours=1)
    order = ReportOrder(
        name="weekly", schedule=Schedule(every=Every.WEEK, hour=8, minute=0, zone="UTC"), channel_ids=()
    )

    async def run() -> None:
        added = await store.add_report("acme", order, next_at=monday, created_by="cli")
        unreadable = UnreadableReport(id=added.id, organization_id="acme", next_at=monday)
        assert await store.postpone(unreadable, next_at=monday + 26 * hour, error="")
        await Reports(store, periods, Metrics()).run_once(monday + 27 * hour)

    periods = Periods()
    asyncio.run(run())
    assert [f"{at:%m-%d}" for at in periods.of["weekly"]] == ["10-26", "11-02"]
