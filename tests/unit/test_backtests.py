"""How far apart a back-test looks, and one whose client leaves."""

import asyncio
import threading
import time
from datetime import datetime, timedelta

import pytest

from services.alerting.backtest import folded, step_between
from services.domain.alerts.machine import Observation
from tests.builders.alerts import START, a_rule

pytestmark = pytest.mark.anyio

POINTS = [START + at * timedelta(minutes=1) for at in range(2_000)]


async def test_a_cancelled_back_test_has_ended_its_thread_when_it_ends() -> None:
    has_begun, looks = threading.Event(), 0

    def seen_at(_: datetime) -> dict[str, Observation]:
        nonlocal looks
        looks += 1
        has_begun.set()
        time.sleep(0.001)
        return {}

    trying = asyncio.create_task(folded(a_rule(), POINTS, seen_at))
    await asyncio.to_thread(has_begun.wait, 10)
    trying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying
    until_then = looks
    await asyncio.sleep(0.02)
    assert looks == until_then < len(POINTS)


@pytest.mark.parametrize(("minutes", "step_s"), [([15, 30, 45, 59], 900), ([15, 22], 420), ([], 3600)])
def test_a_step_is_the_one_between_most_looks_and_not_that_to_the_present(minutes: list[int], step_s: int) -> None:
    points = [START + at * timedelta(minutes=1) for at in minutes]
    assert step_between(points, timedelta(hours=1)) == step_s
