"""What the ledger says was spent, of all whom an application asks about by one query."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.budget import Budget, Period, Segment
from schemas.errors import StoreUnavailable
from schemas.seal import Seal, SealState
from schemas.statement import Statement
from services.query.budgets import ledger_spend
from services.query.budgets.ledger_spend import LedgerSpend
from services.stores.memory import ManualClock
from tests.builders.budgets import a_budget
from tests.builders.records import TIMESTAMP

pytestmark = pytest.mark.anyio

ANN, BOB, NOBODY = (a_budget(segment=Segment.USER, value=name) for name in ("ann", "bob", "nobody"))


class Ledger:
    """Of users, and how often it was read."""

    def __init__(self, **usd: str) -> None:
        self.usd: Mapping[str, str] = usd
        self.counters = len(usd)
        self.reads = 0
        self.is_away = False

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable("the warehouse")
        values = statement.parameters.values()
        of_one = [name for name in self.usd if name in values]
        return [
            {"value": name, "usd": Decimal(usd), "unpriced": 1, "counters": self.counters}
            for name, usd in self.usd.items()
            if not of_one or name in of_one
        ]

    async def seal(self) -> Seal:
        return Seal(state=SealState.COMPLETE, complete_until=TIMESTAMP)


def spend_of(ledger: Ledger, clock: ManualClock | None = None) -> LedgerSpend:
    return LedgerSpend(ledger, ledger.seal, clock or ManualClock(TIMESTAMP))


async def usd(spend: LedgerSpend, *wanted: Budget) -> list[Decimal]:
    return [one.spent.usd for one in await asyncio.gather(*map(spend.of, wanted))]


async def test_all_users_are_read_at_once_and_who_has_no_row_spent_nothing() -> None:
    ledger = Ledger(ann="1.5", bob="2")
    spend = spend_of(ledger)
    assert await usd(spend, ANN, BOB, ANN, NOBODY) == [Decimal("1.5"), 2, Decimal("1.5"), 0]
    assert await usd(spend, BOB) == [2]
    assert ledger.reads == 1
    ann = await spend.of(ANN)
    assert (ann.spent.unpriced_requests, ann.ledger_until) == (1, TIMESTAMP)
    await spend.close()


async def test_what_was_spent_is_read_again_while_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_spend, "EVERY_S", 0.0)
    ledger = Ledger(ann="1")
    spend = spend_of(ledger)
    assert await usd(spend, ANN) == [1]
    ledger.usd = {"ann": "3"}
    async with asyncio.timeout(10):
        while await usd(spend, ANN) != [3]:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        monkeypatch.setattr(ledger_spend, "IDLE_S", 0.0)
        await asyncio.sleep(0.05)
    reads = ledger.reads
    await asyncio.sleep(0.05)
    assert ledger.reads == reads, "it is read though nobody asks"
    await spend.close()


async def test_users_that_are_left_out_are_read_by_themselves() -> None:
    ledger = Ledger(ann="1", bob="2")
    ledger.counters = 3
    spend = spend_of(ledger)
    assert await usd(spend, ANN, BOB, BOB) == [1, 2, 2]
    assert await usd(spend, NOBODY) == [3]  # the rows of all, since the ledger of this test knows no other
    assert ledger.reads == 2
    await spend.close()


async def test_a_period_that_is_over_is_not_shown_as_the_next_one() -> None:
    ledger, clock = Ledger(ann="1"), ManualClock(TIMESTAMP)
    spend = spend_of(ledger, clock)
    before = await spend.of(ANN)
    clock.advance(seconds=40 * 86_400)
    after = await spend.of(ANN)
    assert after.starts_at > before.starts_at + timedelta(days=27)
    await spend.close()


async def test_so_many_questions_are_read_ahead_and_no_more() -> None:
    ledger = Ledger(ann="1")
    spend = spend_of(ledger)
    windows = [a_budget(segment=Segment.USER, value="ann", period=Period.ROLLING, window_s=60 + n) for n in range(6)]
    for _ in range(2):
        assert await usd(spend, *windows) == [1] * 6
    assert ledger.reads == 4 + 2 * 2
    await spend.close()


async def test_while_the_warehouse_is_unavailable_each_who_asks_is_told() -> None:
    ledger = Ledger(ann="1")
    ledger.is_away = True
    spend = spend_of(ledger)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await spend.of(ANN)
    ledger.is_away = False
    assert await usd(spend, ANN) == [1]
    await spend.close()


async def test_what_was_read_before_stays_while_the_warehouse_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_spend, "EVERY_S", 0.0)
    ledger = Ledger(ann="1")
    spend = spend_of(ledger)
    assert await usd(spend, ANN) == [1]
    ledger.is_away = True
    reads = ledger.reads
    async with asyncio.timeout(10):
        while ledger.reads < reads + 3:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert await usd(spend, ANN) == [1]
    await spend.close()


async def test_nobody_waits_long_for_what_all_users_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_spend, "_FIRST_WAIT_S", 0.01)
    ledger = Ledger(ann="1", bob="2")
    of_all = asyncio.Event()

    async def query(statement: Statement) -> list[dict[str, Any]]:
        if "ann" not in statement.parameters.values():
            await of_all.wait()
        return await Ledger.query(ledger, statement)

    monkeypatch.setattr(ledger, "query", query)
    spend = spend_of(ledger)
    assert await usd(spend, ANN) == [1]
    await spend.close()
