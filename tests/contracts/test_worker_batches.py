"""How large a batch of the worker grows where the log gives few events at a time."""

import asyncio
from collections.abc import Sequence

import pytest

from schemas.event import Delivery
from services.stores.memory import MemorySource
from services.worker.loop import Flush
from tests.contracts.test_worker import Bench, payloads

pytestmark = pytest.mark.anyio


class OneByOne(MemorySource):
    async def take(self, *, max_events: int, max_bytes: int, wait_s: float) -> Sequence[Delivery]:
        return await super().take(max_events=min(max_events, 1), max_bytes=max_bytes, wait_s=wait_s)


@pytest.mark.parametrize("bound", ["bytes", "rows"])
async def test_a_batch_that_is_gathered_piece_by_piece_is_no_larger_than_configured(bound: str) -> None:
    entries = payloads(9)
    max_rows, max_bytes = (3, 2**30) if bound == "rows" else (100, 3 * len(entries[0]))
    flush = Flush(max_rows=max_rows, max_bytes=max_bytes, max_age_s=1)
    bench = Bench(entries)
    work = asyncio.ensure_future(bench.work(OneByOne(bench.log), flush))
    async with asyncio.timeout(20):
        while bench.committed < len(entries):  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.002)
    bench.stop.set()
    await work
    assert bench.warehouse.batches == [3, 3, 3]
