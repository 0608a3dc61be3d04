"""Access to a store within a time limit: many at once wait for each other, and none for a store that has failed."""

import asyncio
from threading import Timer
from time import monotonic, sleep

import pytest

from schemas.errors import StoreUnavailable
from services.proxy.upstream import bounded_access
from services.proxy.upstream.bounded_access import BoundedAccess

pytestmark = pytest.mark.anyio


async def test_a_burst_that_takes_longer_than_the_limit_is_no_outage() -> None:
    """A store that does one thing at a time, 5 ms each: 200 take a second."""
    failures: list[None] = []
    access, store = BoundedAccess(timeout_s=0.5, failed=lambda: failures.append(None)), asyncio.Lock()

    async def step() -> bool:
        async with store:
            await asyncio.sleep(0.005)
        return True

    assert await asyncio.gather(*(access.result_of(step) for _ in range(200))) == [True] * 200
    assert failures == []


async def test_who_waits_for_a_store_that_fails_waits_no_longer() -> None:
    access = BoundedAccess(timeout_s=0.1, failed=lambda: None)

    async def hang() -> None:
        await asyncio.sleep(60)

    async def refuse() -> int:
        raise StoreUnavailable("away")

    began_s = monotonic()
    assert await asyncio.gather(*(access.result_of(hang) for _ in range(200))) == [None] * 200
    assert monotonic() - began_s < 30, "one time limit, and not one after the other"
    assert await access.result_of(refuse) is None


async def test_who_waits_too_long_for_a_turn_at_a_slow_store_goes_on_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded_access, "_AT_ONCE", 1)
    failures: list[None] = []
    access = BoundedAccess(timeout_s=0.1, failed=lambda: failures.append(None))

    async def step() -> bool:
        await asyncio.sleep(0.05)
        return True

    results = await asyncio.gather(*(access.result_of(step) for _ in range(20)))
    assert set(results) == {True, None}
    assert len(failures) == results.count(None)


async def test_a_reply_that_a_busy_process_reads_late_is_a_reply() -> None:
    access = BoundedAccess(timeout_s=0.1, failed=lambda: pytest.fail("the store was quick"))

    async def step() -> bool:
        reply = asyncio.get_running_loop().create_future()
        Timer(0.05, reply.get_loop().call_soon_threadsafe, (reply.set_result, True)).start()
        await asyncio.sleep(0)
        return bool(await reply)

    waiting = asyncio.create_task(access.result_of(step))
    await asyncio.sleep(0.01)
    sleep(0.3)  # noqa: ASYNC251  # the event loop is busy
    assert await waiting is True
