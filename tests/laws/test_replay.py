"""Delivering events again, in any order, changes no answer of any query."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from schemas.event import encode_event
from services.ports import Warehouse
from services.stores.memory import MemoryLog, MemorySource
from services.stores.warehouse import ClickHouseWarehouse
from services.telemetry import Metrics
from services.worker.loop import Flush, run_worker
from tests.exchanges import some_exchanges
from tests.price_rows import known
from tests.warehouses import ask, rows_of, spellings_of, total_of

QUESTIONS = (
    "SELECT model, count() AS requests, sum(cost_usd) AS usd, countIf(cost_usd IS NULL) AS unpriced"
    " FROM request_response_rmt FINAL WHERE organization_id = {o:String} GROUP BY model ORDER BY model",
    "SELECT properties['feature'] AS feature, sum(cost_usd) AS usd, uniqExact(user_id) AS users"
    " FROM request_response_rmt FINAL WHERE organization_id = {o:String} GROUP BY feature ORDER BY feature",
    "SELECT count() AS bodies, sum(length(response_body)) AS characters"
    " FROM request_response_body FINAL WHERE organization_id = {o:String}",
)


def work_through(warehouse: Warehouse, entries: Sequence[bytes], *, rows: int) -> None:
    """One worker from the first entry to the last, in batches of `rows`."""

    async def work() -> None:
        log, stop, metrics = MemoryLog(), asyncio.Event(), Metrics()
        log.entries.extend(entries)
        source = MemorySource(log)
        flush = Flush(rows=rows, bytes=2**30, s=0.01)
        worker = asyncio.create_task(
            run_worker(source, warehouse, known(), metrics, flush=flush, stop=stop)
        )
        while await source.backlog():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
        stop.set()
        await worker

    asyncio.run(asyncio.wait_for(work(), 60))


def _answers(warehouse: Warehouse, organization_id: str) -> list[object]:
    return [
        total_of(warehouse, organization_id),
        rows_of(warehouse, organization_id),
        spellings_of(warehouse, organization_id),
        *(ask(warehouse, question, o=organization_id) for question in QUESTIONS),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_events_delivered_three_times_in_any_order_count_once(
    warehouse: ClickHouseWarehouse, organization_id: str, seed: int
) -> None:
    entries = [encode_event(event) for event in some_exchanges(600, seed=seed, organization_id=organization_id)]
    work_through(warehouse, entries, rows=250)
    before = _answers(warehouse, organization_id)
    assert total_of(warehouse, organization_id)[0] == len(entries)

    again = entries * 3
    Random(seed).shuffle(again)
    work_through(warehouse, again, rows=170)
    assert _answers(warehouse, organization_id) == before


def test_an_event_twice_in_one_batch_counts_once(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    entries = [encode_event(event) for event in some_exchanges(20, organization_id=organization_id)]
    work_through(warehouse, [*entries, *entries, *reversed(entries)], rows=1000)
    assert total_of(warehouse, organization_id)[0] == len(entries)
