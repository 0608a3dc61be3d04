"""What a realtime session has spent, and the periods of its budgets."""

from decimal import Decimal
from pathlib import Path
from time import monotonic

import pytest

from schemas.budget import Period
from schemas.limit import Spent
from services.proxy.budgets.use import BudgetStores, budget_use
from services.proxy.current_prices import LazyPrices
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.realtime.budgets import SessionLimits
from services.stores.budgets.sqlite_counters import SqliteCounters
from services.stores.clock import SystemClock
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import Metrics
from tests.builders.budgets import KnownBudgets, a_budget, a_claim
from tests.unit.test_capture import a_capture

pytestmark = pytest.mark.anyio


async def test_a_response_counts_in_the_period_in_which_it_began_and_that_one_ends_the_session(tmp_path: Path) -> None:
    budget, ended = a_budget("5", period=Period.HOUR), list[str]()
    counters = SqliteCounters(tmp_path / "budgets.sqlite")
    use = budget_use(
        BudgetStores(rows=KnownBudgets(budget), counters=counters),
        LazyPrices(ShippedPrices, None),
        timeout_s=5,
        closed=False,
        metrics=Metrics(),
        clock=SystemClock(),
        paced=PacedWork(),
        draw_id=lambda: "1",
    )
    assert use is not None
    session = a_capture()
    session.began_s = monotonic() - 3_600
    response = session.part("response-1", monotonic(), session.tags, session.head)
    limits = SessionLimits(session, ended.append, budgets=use, rate_limits=None)
    [settle] = limits.settle_of(response)
    settle(Spent(cost_usd=Decimal(5), tokens=1))
    await use.close()
    began, now = (a_claim(budget, at=at).counter for at in (session.created_at, response.created_at))
    [state] = await counters.read([began])
    await counters.close()
    assert began.slot < now.slot
    assert state.slots == {now.slot: 5 * 10**9}
    assert "is used up" in "".join(ended)
