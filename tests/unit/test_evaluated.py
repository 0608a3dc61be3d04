"""When alerts count as evaluated: not while the totals that they are judged by stand still."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.seal import LogPosition, LogProgress, LogSnapshot, Seal
from schemas.statement import Statement
from services.domain.seal import seal_of, unknown_seal
from services.scheduler.evaluator import Evaluator
from services.stores.memory import ManualClock
from services.stores.state.alerts import SqlAlerts
from services.stores.state.leases import SqlLeases
from services.stores.state.migrations.run import migrate_state
from services.telemetry.metrics import SCHEDULER_METRICS, Metrics
from tests.builders.alerts import START

SINCE = {"0": START - timedelta(minutes=10)}
LONG_SINCE = {"0": START - timedelta(minutes=11)}


class NoTraffic:
    async def query(self, _: Statement) -> list[dict[str, Any]]:
        return []


def a_seal(counted: int, until: dict[str, datetime]) -> Seal:
    """Of a log with five entries."""
    snapshot = LogSnapshot(positions={"0": LogPosition(counted=counted, end=5)})
    return seal_of(START, snapshot, LogProgress(complete_until=until, members=()))


@pytest.mark.parametrize(
    ("seal", "is_evaluated"),
    [
        pytest.param(a_seal(5, {}), True, id="an idle system"),
        pytest.param(a_seal(5, LONG_SINCE), True, id="all is counted"),
        pytest.param(a_seal(4, SINCE), True, id="workers are behind"),
        pytest.param(a_seal(4, LONG_SINCE), False, id="workers stand still"),
        pytest.param(a_seal(4, {}), False, id="nothing was ever counted"),
        pytest.param(unknown_seal("the log is unreachable"), False, id="unknown"),
    ],
)
def test_alerts_are_evaluated_where_totals_are_recent(seal: Seal, is_evaluated: bool, tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/state.sqlite"

    async def current() -> Seal:
        return seal

    async def run() -> tuple[bool, datetime | None]:
        await migrate_state(state)
        alerts, leases = SqlAlerts(state), SqlLeases(state)
        evaluator = Evaluator(
            "a-scheduler",
            alerts=alerts,
            warehouse=NoTraffic(),
            leases=leases,
            seal=current,
            clock=ManualClock(START),
            metrics=Metrics(SCHEDULER_METRICS),
        )
        found = await evaluator.evaluate_due(), await alerts.evaluated_at()
        await alerts.close()
        await leases.close()
        return found

    assert asyncio.run(run()) == (is_evaluated, START if is_evaluated else None)
