"""What was spent of many budgets is looked up side by side, and of few at once."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.budget import Segment
from schemas.statement import Statement
from services.query.budgets.counters import spends_of
from services.query.dependencies import Service
from tests.builders.budgets import NOW, a_budget

pytestmark = pytest.mark.anyio


class Busy:
    """A warehouse and counters without rows, and how many have asked at once."""

    def __init__(self) -> None:
        self.running = self.most = 0

    async def query(self, _: Statement) -> list[dict[str, Any]]:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        return []

    async def read(self, _: object) -> list[object]:
        return []


async def test_budgets_of_a_list_do_not_wait_for_one_another() -> None:
    busy = Busy()
    service = cast(Service, SimpleNamespace(warehouse=busy, budget_counters=busy))
    budgets = [a_budget(segment=Segment.USER) for _ in range(10)]
    found = await spends_of(service, budgets, NOW)
    assert [one is not None and one.counters for one in found] == [0] * 10
    assert 2 <= busy.most <= 4
