"""What one look at an alert leaves behind, also where the warehouse refuses or does not respond."""

import asyncio
from collections.abc import Callable, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.alert import Alert, AlertProgress, GroupBy, KeptTurn
from schemas.errors import FareboxError, QueryLimitExceeded, StoreUnavailable
from schemas.notice import NoticeKind
from schemas.statement import Statement
from services.domain.alerts.windows import Window
from services.scheduler.looks import Looks
from services.stores.memory import ManualClock
from tests.builders.alerts import START, an_alert

NOON = START + timedelta(hours=12)


class Kept:
    """What was to be written, in the order in which it came."""

    def __init__(self) -> None:
        self.turns: list[KeptTurn] = []

    async def keep_turn(self, turn: KeptTurn) -> int:
        self.turns.append(turn)
        return len(turn.notices)

    async def notices_among(self, ids: Sequence[str]) -> Set[str]:
        """All that was to be written."""
        return {one.notice.notice_id for turn in self.turns for one in turn.notices} & {*ids}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a look does not need {name}")


class Costing:
    """A warehouse in which each of `users` has ten requests of 200 dollars; `refusal` meets later queries."""

    def __init__(self, refusal: FareboxError | None = None, *, served: int = 1, users: int = 0) -> None:
        self._users = users
        self._refusal = refusal
        self._served = served
        self._asked: list[Statement] = []

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        self._asked.append(statement)
        if self._refusal is not None and len(self._asked) > self._served:
            raise self._refusal
        figures = {"m0": 10, "m1": Decimal(200)}
        return [{"total": 1} | figures, *({"total": 0, "d0": f"user-{at}"} | figures for at in range(self._users))]


def looked(alert: Alert, warehouse: Costing, look: Callable[[Looks], Any]) -> KeptTurn:
    """What `look` leaves behind."""
    kept = Kept()
    looks = Looks(alert, alerts=kept, warehouse=warehouse, clock=ManualClock(NOON), complete_until=NOON)
    asyncio.run(look(looks))
    (turn,) = kept.turns
    return turn


@pytest.mark.parametrize("refusal", [QueryLimitExceeded("too much"), StoreUnavailable("no response")])
def test_an_alert_fires_where_its_drivers_cannot_be_read(refusal: FareboxError) -> None:
    turn = looked(an_alert(100), Costing(refusal), lambda looks: looks.look(AlertProgress(), NOON, complete=True))
    assert [(one.notice.kind, one.notice.value, one.notice.drivers) for one in turn.notices] == [
        (NoticeKind.FIRING, Decimal(200), ())
    ]
    assert turn.progress.evaluated_until == NOON


@pytest.mark.parametrize(("complete", "evaluated_until", "raised_until"), [(True, NOON, None), (False, START, NOON)])
def test_a_refused_look_is_made_once_and_covers_what_the_seal_does(
    complete: bool, evaluated_until: datetime, raised_until: datetime | None
) -> None:
    refusing = Costing(QueryLimitExceeded("too much"), served=0)
    before = AlertProgress(turn=7, evaluated_until=START)
    turn = looked(an_alert(100), refusing, lambda looks: looks.look(before, NOON, complete=complete))
    after = turn.progress
    assert (after.turn, after.evaluated_until, after.raised_until) == (8, evaluated_until, raised_until)
    assert turn.evaluation is not None
    assert turn.evaluation.detail == "too much"


def test_late_crossings_of_all_groups_are_told() -> None:
    alert, kept, progress = an_alert(100, by=(GroupBy(name="user_id"),)), Kept(), AlertProgress()
    looks = Looks(alert, alerts=kept, warehouse=Costing(users=25), clock=ManualClock(NOON), complete_until=NOON)
    day = Window(start=START - timedelta(days=1), end=START, closes=START)
    for hour in range(3):
        asyncio.run(looks.look_back(progress, [day], NOON + timedelta(hours=hour)))
        progress = kept.turns[-1].progress
    assert [len(turn.notices) for turn in kept.turns] == [20, 5, 0]
    assert len({one.notice.notice_id for turn in kept.turns for one in turn.notices}) == 25
