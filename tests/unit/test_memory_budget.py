"""Room for what clients send: nobody gets more than there is, and no organization keeps out the others."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from schemas.errors import StoreUnavailable
from services.proxy.exchange.memory_budget import MemoryBudget


def run(story: Callable[[MemoryBudget], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        await story(MemoryBudget(total_bytes=100, organization_bytes=70, max_waiting=3, wait_s=0.05))

    asyncio.run(told())


async def hold(room: MemoryBudget, organization_id: str, size_bytes: int, until: asyncio.Event) -> None:
    async with room.held(organization_id, size_bytes):
        await until.wait()


def test_one_organization_leaves_room_for_another() -> None:
    async def story(room: MemoryBudget) -> None:
        async with room.held("one", 70):
            with pytest.raises(StoreUnavailable):
                await hold(room, "one", 10, asyncio.Event())
            async with room.held("two", 30):
                pass

    run(story)


def test_who_waits_for_its_own_organization_holds_up_no_other() -> None:
    async def story(room: MemoryBudget) -> None:
        end = asyncio.Event()
        async with room.held("one", 60):
            waiting = asyncio.create_task(hold(room, "one", 20, end))
            await asyncio.sleep(0)
            async with room.held("two", 30):
                assert not waiting.done()
        end.set()
        await waiting

    run(story)


def test_a_large_one_is_not_passed_by_small_ones_for_ever() -> None:
    async def story(room: MemoryBudget) -> None:
        end = asyncio.Event()
        async with room.held("one", 60):
            large = asyncio.create_task(hold(room, "two", 50, end))
            await asyncio.sleep(0)
            small = asyncio.create_task(hold(room, "three", 10, end))
            await asyncio.sleep(0.01)
            assert [large.done(), small.done()] == [False, False]
        end.set()
        await asyncio.gather(large, small)

    run(story)


def test_room_comes_back_from_those_that_were_cancelled_at_any_moment() -> None:
    async def story(room: MemoryBudget) -> None:
        for rounds in range(5):
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(room.held("one", 60))
                waiting = asyncio.create_task(hold(room, "two", 50, asyncio.Event()))
                for _ in range(rounds):
                    await asyncio.sleep(0)
                if rounds % 2:
                    waiting.cancel()
            if not rounds % 2:
                waiting.cancel()  # just admitted
            await asyncio.gather(waiting, return_exceptions=True)
            async with room.held("one", 70), room.held("two", 30):
                pass

    run(story)


def test_more_than_may_wait_are_refused_at_once() -> None:
    async def story(room: MemoryBudget) -> None:
        end = asyncio.Event()
        async with room.held("one", 70):
            waiting = [asyncio.create_task(hold(room, "one", 10, end)) for _ in range(3)]
            await asyncio.sleep(0)
            async with asyncio.timeout(0.02):
                with pytest.raises(StoreUnavailable):
                    await hold(room, "two", 10, end)
        end.set()
        await asyncio.gather(*waiting)

    run(story)
