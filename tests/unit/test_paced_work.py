"""Work that holds the loop: one piece at a time, a pause behind each, organizations in turn."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from itertools import pairwise
from time import monotonic, sleep
from typing import Any

import pytest

from services.proxy.exchange.paced_work import PacedWork

PIECE_S = 0.02


def run(story: Callable[[PacedWork], Coroutine[Any, Any, None]]) -> None:
    async def reported() -> None:
        async with asyncio.timeout(10):
            await story(PacedWork())

    asyncio.run(reported())


def steps(*, count: int, result: str) -> Generator[None, None, str]:
    for _ in range(count):
        sleep(PIECE_S)
        yield
    return result


def test_what_nobody_waits_before_is_done_at_once() -> None:
    async def story(paced: PacedWork) -> None:
        done: list[str] = []
        paced.run("one", lambda: done.append("first"))
        assert done == ["first"]

    run(story)


def test_the_loop_is_free_for_as_long_as_each_piece_took() -> None:
    async def story(paced: PacedWork) -> None:
        pieces: list[tuple[float, float]] = []

        def piece() -> None:
            began_s = monotonic()
            sleep(PIECE_S)
            pieces.append((began_s, monotonic()))

        for _ in range(4):
            paced.run("one", piece)
        while len(pieces) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        for (began_s, ended_s), (next_s, _) in pairwise(pieces):
            assert next_s - ended_s >= 0.9 * (ended_s - began_s)

    run(story)


def test_an_organization_with_one_piece_goes_before_the_second_of_another() -> None:
    async def story(paced: PacedWork) -> None:
        done: list[str] = []

        def heavy() -> None:
            sleep(PIECE_S)
            done.append("heavy")

        for _ in range(3):
            paced.run("heavy", heavy)
        paced.run("light", lambda: done.append("light"))
        while len(done) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert done == ["heavy", "heavy", "light", "heavy"]

    run(story)


def test_what_steps_return_and_raise_reaches_whoever_waits() -> None:
    def failing() -> Generator[None, None, str]:
        yield
        raise ValueError("no")

    async def story(paced: PacedWork) -> None:
        with pytest.raises(ValueError, match="no"):
            await paced.result_of("one", failing())
        results = await asyncio.gather(*(paced.result_of(name, steps(count=2, result=name)) for name in "abc"))
        assert results == ["a", "b", "c"]

    run(story)


def test_a_piece_that_fails_and_one_that_nobody_waits_for_hold_up_no_other() -> None:
    async def story(paced: PacedWork) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        paced.run("one", lambda: sleep(PIECE_S))
        paced.run("one", lambda: 1 / 0)  # type: ignore[arg-type]
        leaving = asyncio.create_task(paced.result_of("one", steps(count=50, result="late")))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await paced.result_of("two", steps(count=1, result="here")) == "here"

    run(story)
