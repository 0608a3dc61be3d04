"""Turns that organizations take at what may be done only so often at once."""

import asyncio

import pytest

from schemas.errors import Busy
from services.domain.limits.fair_queue import QueueLimits
from services.query.fair_turns import FairTurns

pytestmark = pytest.mark.anyio

ONE_EACH = QueueLimits(places=2, for_cheap=0, of_one=1, waiting_of_one=2, waiting=64)


def fair_turns(wait_s: float = 5) -> FairTurns:
    return FairTurns(ONE_EACH, wait_s=wait_s, full="too many wait", late="it did not come")


async def test_an_organization_has_one_turn_at_a_time_and_others_have_theirs_beside_it() -> None:
    turns, at_once, most = fair_turns(), {"acme": 0, "other": 0}, {"acme": 0, "other": 0}

    async def work(organization_id: str) -> None:
        async with turns.turn(organization_id):
            at_once[organization_id] += 1
            most[organization_id] = max(most[organization_id], at_once[organization_id])
            await asyncio.sleep(0.001)
            at_once[organization_id] -= 1

    await asyncio.gather(*map(work, ("acme", "acme", "acme", "other", "other")))
    assert most == {"acme": 1, "other": 1}
    assert turns.is_idle


async def test_who_cannot_wait_or_waits_too_long_is_told_so_and_leaves_nothing_behind() -> None:
    turns = fair_turns(wait_s=0.05)

    async def work() -> None:
        async with turns.turn("acme"):
            raise AssertionError("it is not its turn")

    async with turns.turn("acme"):
        results = await asyncio.gather(*(work() for _ in range(3)), return_exceptions=True)
    assert [(type(one), str(one)) for one in results] == [
        (Busy, "it did not come"),
        (Busy, "it did not come"),
        (Busy, "too many wait"),
    ]
    assert turns.is_idle
