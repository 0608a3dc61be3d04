"""What one process at a time does is done by one."""

import asyncio
from datetime import timedelta
from pathlib import Path

from services.stores.state.leases import SqlLeases
from services.stores.state.migrations.run import migrate_state
from tests.builders.records import TIMESTAMP


def test_a_lease_is_held_by_whoever_renews_it_and_is_free_once_it_expires(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.sqlite"

    async def hold() -> list[bool]:
        await migrate_state(url)
        leases = SqlLeases(url)
        minute = timedelta(minutes=1)
        attempts = [("a", 0), ("b", 1), ("a", 2), ("b", 11), ("b", 13), ("a", 14)]
        held = [
            await leases.hold("rollup", holder, at=TIMESTAMP + at * minute, until=TIMESTAMP + (at + 10) * minute)
            for holder, at in attempts
        ]
        await leases.close()
        return held

    assert asyncio.run(hold()) == [True, False, True, False, True, False]
