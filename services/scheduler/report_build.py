"""How scheduled reports are wired: their rows, and the report engine of the query service."""

from contextlib import AsyncExitStack

from services.alerting.warehouse import AlertWarehouse
from services.ports.warehouse import QueryableWarehouse
from services.process import closed_by
from services.query.reports.scheduled import ReportEngine
from services.scheduler.reports import Reports
from services.scheduler.seals import SchedulerSeals
from services.stores.factory import open_scheduled_reports
from services.telemetry.metrics import Metrics


def open_reports(
    stack: AsyncExitStack, state: str, *, warehouse: QueryableWarehouse, seals: SchedulerSeals, metrics: Metrics
) -> Reports:
    """What is open closes with `stack`; `state` is the URL of the state database. Raises: InvalidSetting."""
    engine = ReportEngine(AlertWarehouse(warehouse), seals.current)
    return Reports(closed_by(stack, open_scheduled_reports(state)), engine, metrics)
