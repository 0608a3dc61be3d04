"""Which budgets a proxy knows: some seconds old at most, and whatever was known while their store is away."""

import asyncio

import pytest

from schemas.errors import StoreUnavailable
from services.proxy.budgets.definitions import STALE_S, WAIT_S, BudgetDefinitions
from services.telemetry.metrics import Metrics
from tests.builders.budgets import KnownBudgets, a_budget
from tests.builders.records import ORGANIZATION

pytestmark = pytest.mark.anyio


class HungBudgets(KnownBudgets):
    """They respond once, and then never again."""

    hangs = False

    async def revision(self) -> str:
        if self.hangs:
            await asyncio.sleep(60)
        return await super().revision()


class Clock:
    at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


async def test_what_is_known_is_read_again_beside_requests_and_before_it_is_too_old() -> None:
    rows, clock = KnownBudgets(), Clock()
    definitions = BudgetDefinitions(rows, Metrics(), now_s=clock)
    assert definitions.concern(ORGANIZATION), "nobody knows yet"
    assert list(await definitions.budgets_of(ORGANIZATION)) == []
    assert not definitions.concern(ORGANIZATION)
    rows.set(a_budget())
    clock.at_s = 3
    assert not definitions.concern(ORGANIZATION), "this request does not wait"
    await asyncio.sleep(0.01)
    assert definitions.concern(ORGANIZATION), "the next one knows"
    rows.set()
    clock.at_s += STALE_S
    assert list(await definitions.budgets_of(ORGANIZATION)) == []
    await definitions.close()


@pytest.mark.parametrize("fault", ["fails", "hangs"])
async def test_while_the_store_is_away_what_was_known_holds_and_nobody_waits_again(fault: str) -> None:
    rows, clock = HungBudgets(a_budget()), Clock()
    definitions = BudgetDefinitions(rows, Metrics(), now_s=clock)
    await definitions.budgets_of(ORGANIZATION)
    rows.unreachable, rows.hangs = fault == "fails", fault == "hangs"
    clock.at_s = 60
    assert len(await definitions.budgets_of(ORGANIZATION)) == 1
    clock.at_s = 3600
    assert definitions.concern(ORGANIZATION)
    assert not definitions.concern("another")
    async with asyncio.timeout(0.1):
        assert len(await definitions.budgets_of(ORGANIZATION)) == 1
    await definitions.close()


async def test_what_was_never_known_is_unavailable_and_concerns_everybody() -> None:
    rows = KnownBudgets()
    rows.unreachable = True
    definitions = BudgetDefinitions(rows, Metrics())
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await definitions.budgets_of(ORGANIZATION)
        assert definitions.concern(ORGANIZATION)
    await definitions.close()


class SlowBudgets(KnownBudgets):
    """Longer than a request waits."""

    async def revision(self) -> str:
        await asyncio.sleep(WAIT_S + 0.1)
        return await super().revision()


async def test_a_proxy_that_starts_waits_longer_for_them_than_a_request_may() -> None:
    definitions = BudgetDefinitions(SlowBudgets(a_budget()), Metrics())
    await definitions.read_first()
    assert len(await definitions.budgets_of(ORGANIZATION)) == 1
    await definitions.close()
