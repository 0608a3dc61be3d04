"""Memory for what clients send: never more than there is, and no organization keeps out the others."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from schemas.errors import StoreUnavailable
from services.proxy.exchange.memory_budget import BudgetLimits, MemoryBudget

LIMITS = BudgetLimits(total_bytes=100, organization_bytes=70, max_waiting=3, organization_waiting=2, wait_s=0.05)


def run(story: Callable[[MemoryBudget], Coroutine[Any, Any, None]]) -> None:
    async def with_budget() -> None:
        await story(MemoryBudget(LIMITS))

    asyncio.run(with_budget())


async def reserve(budget: MemoryBudget, organization_id: str, size_bytes: int, until: asyncio.Event) -> None:
    async with budget.reserved(organization_id, size_bytes):
        await until.wait()


async def waiting_for(
    budget: MemoryBudget, organization_id: str, size_bytes: int, until: asyncio.Event
) -> asyncio.Task[None]:
    task = asyncio.create_task(reserve(budget, organization_id, size_bytes, until))
    await asyncio.sleep(0)
    return task


def test_one_organization_leaves_memory_to_another() -> None:
    async def story(budget: MemoryBudget) -> None:
        async with budget.reserved("one", 70):
            with pytest.raises(StoreUnavailable):
                await reserve(budget, "one", 10, asyncio.Event())
            async with budget.reserved("two", 30):
                pass

    run(story)


@pytest.mark.parametrize("size_bytes", [20, 60], ids=["that is free", "more than is free"])
def test_an_organization_above_its_share_holds_up_no_other(size_bytes: int) -> None:
    async def story(budget: MemoryBudget) -> None:
        end = asyncio.Event()
        async with budget.reserved("one", 60):
            waiting = await waiting_for(budget, "one", size_bytes, end)
            async with budget.reserved("two", 30):
                assert not waiting.done()
        end.set()
        await waiting

    run(story)


def test_a_large_one_is_not_passed_by_small_ones_for_ever() -> None:
    async def story(budget: MemoryBudget) -> None:
        end = asyncio.Event()
        async with budget.reserved("one", 60):
            large = await waiting_for(budget, "two", 50, end)
            small = asyncio.create_task(reserve(budget, "three", 10, end))
            await asyncio.sleep(0.01)
            assert [large.done(), small.done()] == [False, False]
        end.set()
        await asyncio.gather(large, small)

    run(story)


def test_those_behind_a_large_one_are_granted_when_it_gives_up() -> None:
    async def story(budget: MemoryBudget) -> None:
        end = asyncio.Event()
        end.set()
        async with budget.reserved("one", 60):
            large = await waiting_for(budget, "two", 50, end)
            small = await waiting_for(budget, "three", 10, end)
            large.cancel()
            await small

    run(story)


def test_memory_is_free_again_after_a_reservation_is_cancelled_at_any_time() -> None:
    async def story(budget: MemoryBudget) -> None:
        for rounds in range(5):
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(budget.reserved("one", 60))
                waiting = asyncio.create_task(reserve(budget, "two", 50, asyncio.Event()))
                for _ in range(rounds):
                    await asyncio.sleep(0)
                if rounds % 2:
                    waiting.cancel()
            if not rounds % 2:
                waiting.cancel()  # just granted
            await asyncio.gather(waiting, return_exceptions=True)
            async with budget.reserved("one", 70), budget.reserved("two", 30):
                pass

    run(story)


def test_more_than_may_wait_are_refused_at_once() -> None:
    async def story(budget: MemoryBudget) -> None:
        end = asyncio.Event()
        async with budget.reserved("one", 70):
            waiting = [await waiting_for(budget, organization, 40, end) for organization in ("one", "two", "three")]
            async with asyncio.timeout(0.02):
                with pytest.raises(StoreUnavailable):
                    await reserve(budget, "four", 40, end)
        end.set()
        await asyncio.gather(*waiting)

    run(story)


def test_one_organization_does_not_take_all_places_of_those_that_wait() -> None:
    async def story(budget: MemoryBudget) -> None:
        end = asyncio.Event()
        async with budget.reserved("one", 70):
            waiting = [await waiting_for(budget, "one", 10, end) for _ in range(LIMITS.organization_waiting)]
            async with asyncio.timeout(0.02):
                with pytest.raises(StoreUnavailable):
                    await reserve(budget, "one", 10, end)
            other = await waiting_for(budget, "two", 40, end)
            assert not other.done()
        end.set()
        await asyncio.gather(*waiting, other)

    run(story)


def test_what_fits_is_granted_however_many_wait_for_their_own_organization() -> None:
    async def story(budget: MemoryBudget) -> None:
        end = asyncio.Event()
        async with budget.reserved("one", 70), budget.reserved("two", 10):
            waiting = [await waiting_for(budget, "one", 10, end), await waiting_for(budget, "one", 10, end)]
            waiting.append(await waiting_for(budget, "two", 65, end))
            async with budget.reserved("three", 10):
                assert not any(task.done() for task in waiting)
        end.set()
        await asyncio.gather(*waiting)

    run(story)
