"""Calendar windows through the evaluator and the engine: a day of 25 hours, month ends, zones at both ends."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from schemas.alert import Alert, AlertWindow, CalendarUnit
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.state.migrations.run import migrate_state
from tests.builders.alerts import an_alert
from tests.support.alert_deployment import Deployment, dollars

BEGIN = datetime(2026, 10, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)
# When alerts are evaluated: around each hour that matters.
LOOKS = (9, 10, 11, 19, 20, 23, 24, 25, 33, 34, 35, 36, 37, 47, 48, 49, 52, 53, 54, 57, 58, 59, 60, 61, 71, 72)

# A dollar an hour, at half past. Each line: an alert's zone, unit and threshold, and when it fires and is resolved.
EXPECTED: Sequence[tuple[str, CalendarUnit, int, list[str]]] = (
    # Clocks are set back on November 1st, which so is the only day that costs 25 dollars.
    ("America/New_York", CalendarUnit.DAY, 25, ["firing 02 05:00", "resolved 02 06:00"]),
    # 14 hours ahead: a day ends at 10:00. The month's last ten hours cost ten dollars, and so do the next one's first.
    (
        "Pacific/Kiritimati",
        CalendarUnit.DAY,
        24,
        ["firing 01 10:00", "resolved 01 11:00", "firing 02 10:00", "resolved 02 11:00"],
    ),
    ("Pacific/Kiritimati", CalendarUnit.MONTH, 10, ["firing 31 10:00", "resolved 31 11:00", "firing 31 20:00"]),
    # 12 hours behind: it ends at 12:00.
    (
        "Etc/GMT+12",
        CalendarUnit.DAY,
        24,
        ["firing 01 12:00", "resolved 01 13:00", "firing 02 12:00", "resolved 02 13:00"],
    ),
    ("UTC", CalendarUnit.MONTH, 24, ["firing 01 00:00", "resolved 01 01:00", "firing 02 00:00"]),
    ("UTC", CalendarUnit.WEEK, 24, ["firing 01 00:00", "resolved 02 01:00", "firing 03 00:00"]),
)


def alert_of(zone: str, unit: CalendarUnit, dollars: int) -> Alert:
    return an_alert(
        dollars,
        id=str(uuid.uuid4()),
        name=f"{zone} {unit}",
        window=AlertWindow(calendar=unit, time_zone=zone),
        created_at=BEGIN,
        updated_at=BEGIN,
        active_since=BEGIN,
    )


def test_windows_begin_and_end_with_the_calendar_of_their_zone(
    tmp_path: Path, embedded_warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    url = f"sqlite:///{tmp_path}/state.sqlite"

    async def run() -> dict[str, list[str]]:
        await migrate_state(url)
        deployment = Deployment(url, embedded_warehouse, organization_id, start=BEGIN)
        await deployment.start(*(alert_of(*one[:3]) for one in EXPECTED))
        await deployment.keep(*dollars(BEGIN + HOUR / 2, 72, apart=HOUR))
        evaluator = deployment.evaluator()
        for hours in LOOKS:
            await deployment.run_until(BEGIN + hours * HOUR, [evaluator], BEGIN + hours * HOUR - deployment.clock.now())
        found: dict[str, list[str]] = {}
        for one in await deployment.notices():
            found.setdefault(one.name, []).append(f"{one.kind.value} {one.created_at:%d %H:%M}")
        await deployment.close()
        return found

    assert asyncio.run(run()) == {f"{zone} {unit}": events for zone, unit, _, events in EXPECTED}
