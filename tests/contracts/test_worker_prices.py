"""The worker charges by what was known when an event was recorded, and waits while it cannot know that."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.event import ExchangeEvent, encode_event
from schemas.price import CostState, OperatorPrice, PriceTerms, Rate
from schemas.statement import Statement
from services.ports.prices import PriceRows
from services.stores.memory import MemoryLog, MemorySource
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state import prices as price_rows
from services.stores.state.migrations.run import migrate_state
from services.stores.state.prices import SqlPriceRows
from services.telemetry.metrics import Metrics
from services.worker import loop
from services.worker.loop import Flush, run_worker
from services.worker.prices import PriceCache
from tests.builders.price_rows import OtherReleases, Rows, known
from tests.builders.records import ORGANIZATION, TIMESTAMP, an_event, an_operator_price, chat_response
from tests.contracts.test_worker import InMemoryWarehouse
from tests.support.logs import request_id

pytestmark = pytest.mark.anyio

MODEL = "acme-internal-7b"
USD = Decimal("0.000001")
TERMS = PriceTerms(
    model=MODEL,
    rates=dict.fromkeys(("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"), Rate(usd=USD)),
    valid_from=datetime(2020, 1, 1, tzinfo=UTC),
)
FLUSH = Flush(max_rows=10_000, max_bytes=2**30, max_age_s=0.01)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_rows, "LEAD", timedelta(milliseconds=50))
    monkeypatch.setattr(loop, "RETRY", loop.RETRY._replace(first_delay_s=0.001))


def unpriced_event(number: int, recorded_at: datetime | None = None) -> ExchangeEvent:
    return an_event(request_id=request_id(number), response_body=chat_response(model=MODEL), recorded_at=recorded_at)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.005)


class Bench:
    """A worker between a log and a warehouse, which charges by the shipped prices under `rows`."""

    def __init__(self, rows: PriceRows) -> None:
        self.log = MemoryLog()
        self.warehouse = InMemoryWarehouse()
        self.metrics = Metrics()
        self._stop = asyncio.Event()
        self._source = MemorySource(self.log)
        prices = PriceCache(ShippedPrices(), rows, OtherReleases())
        self.work = asyncio.create_task(
            run_worker(self._source, self.warehouse, prices, self.metrics, flush=FLUSH, stop=self._stop)
        )

    def add(self, event: ExchangeEvent) -> None:
        self.log.entries.append(encode_event(event))

    async def keep(self, event: ExchangeEvent) -> None:
        self.add(event)
        await until(lambda: len(self.warehouse.rows) == len(self.log.entries))

    def state_of(self, number: int) -> CostState:
        return self.warehouse.rows[request_id(number)].cost_state

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.wait_for(self.work, 20)
        await self._source.close()


async def test_a_price_that_is_added_counts_for_new_requests_and_changes_no_old_row(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/state.sqlite"
    await migrate_state(state)
    rows = SqlPriceRows(state)
    bench = Bench(rows)
    await bench.keep(unpriced_event(1, datetime.now(UTC)))
    added = await rows.add_price(ORGANIZATION, TERMS)
    await rows.add_price("another organization", TERMS)
    await bench.keep(unpriced_event(2, added.effective_for_events_since - timedelta(microseconds=1)))
    await bench.keep(unpriced_event(3, added.effective_for_events_since))
    assert await rows.end_price(ORGANIZATION, added.id, TIMESTAMP)
    await bench.keep(unpriced_event(4, added.effective_for_events_since))
    await bench.keep(unpriced_event(5, datetime.now(UTC) + timedelta(seconds=1)))
    await bench.stop()
    await rows.close()

    priced = [row for row in bench.warehouse.rows.values() if row.cost_usd is not None]
    assert [row.request_id for row in priced] == [request_id(3), request_id(4)]
    assert {(row.cost_usd, row.price_id) for row in priced} == {(1200 * USD, f"operator/{added.id}")}
    assert bench.warehouse.prices[f"operator/{added.id}"].rates == TERMS.rates


async def test_what_was_recorded_before_a_price_was_known_is_not_charged_by_it_however_late_it_comes() -> None:
    rows = Rows(an_operator_price(model=MODEL, effective_for_events_since=TIMESTAMP + timedelta(hours=1)))
    bench = Bench(rows)
    await bench.keep(unpriced_event(1, TIMESTAMP + timedelta(minutes=59)))
    await bench.keep(unpriced_event(2, TIMESTAMP + timedelta(minutes=61)))
    await bench.stop()
    assert (bench.state_of(1), bench.state_of(2)) == (CostState.UNKNOWN_MODEL, CostState.PARTIAL)


async def test_no_batch_is_charged_by_rows_that_were_read_before_it_came() -> None:
    rows = Rows()
    bench = Bench(rows)
    await bench.keep(unpriced_event(1))
    rows.rows.append(an_operator_price(model=MODEL))
    await bench.keep(unpriced_event(2))
    rows.rows.clear()
    await bench.keep(unpriced_event(3))
    await bench.stop()
    states = [bench.state_of(number) for number in (1, 2, 3)]
    assert states == [CostState.UNKNOWN_MODEL, CostState.PARTIAL, CostState.UNKNOWN_MODEL]


async def test_while_the_store_of_prices_is_unreachable_nothing_is_charged_and_nothing_committed() -> None:
    rows = Rows(an_operator_price(model=MODEL))
    bench = Bench(rows)
    await bench.keep(unpriced_event(1))
    rows.unreachable = True
    bench.add(unpriced_event(2))
    await until(lambda: bench.metrics.get("worker_retries_total") > 3)
    assert (len(bench.warehouse.rows), bench.log.committed) == (1, {"farebox-workers": 1})
    rows.unreachable = False
    await until(lambda: len(bench.warehouse.rows) == 2)
    await bench.stop()
    assert bench.state_of(2) is CostState.PARTIAL


async def test_a_worker_that_waits_for_its_prices_stops_when_asked() -> None:
    bench = Bench(Rows(unreachable=True))
    bench.add(unpriced_event(1))
    await until(lambda: bench.metrics.get("worker_retries_total") > 0)
    await bench.stop()
    assert (bench.warehouse.rows, bench.log.committed) == ({}, {})


async def test_a_bug_in_reading_prices_stops_the_worker() -> None:
    class Broken(Rows):
        async def all_prices(self) -> Sequence[OperatorPrice]:
            raise RuntimeError("a bug")

    bench = Bench(Broken())
    bench.add(unpriced_event(1))
    with pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(bench.work, 20)


class WarehouseWithoutVersions(InMemoryWarehouse):
    """It cannot be asked which rows it has."""

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        if "kept_version" in statement.sql:
            raise NotImplementedError(statement)
        return []


async def test_what_only_this_release_can_have_charged_is_not_looked_for() -> None:
    log, warehouse, stop = MemoryLog(), WarehouseWithoutVersions(), asyncio.Event()
    source = MemorySource(log)
    prices = known(others_until=TIMESTAMP - timedelta(microseconds=1))
    worker = asyncio.create_task(run_worker(source, warehouse, prices, Metrics(), flush=FLUSH, stop=stop))
    log.entries.extend(encode_event(an_event(request_id=request_id(n), recorded_at=TIMESTAMP)) for n in range(3))
    await until(lambda: len(warehouse.rows) == 3)
    log.entries.append(encode_event(an_event(request_id=request_id(4), recorded_at=TIMESTAMP - timedelta(seconds=1))))
    with pytest.raises(NotImplementedError):
        await asyncio.wait_for(worker, 20)
    await source.close()


class WarehouseInOrder(InMemoryWarehouse):
    """Notes what comes when."""

    def __init__(self) -> None:
        super().__init__(unreachable=2)
        self.calls: list[str] = []

    async def insert(self, *given: object) -> None:
        self.calls.append("rows")
        await super().insert(*given)  # type: ignore[arg-type]

    async def keep_prices(self, *given: object) -> None:
        self.calls.append("prices")
        await super().keep_prices(*given)  # type: ignore[arg-type]


async def test_each_price_is_kept_once_and_before_the_rows_that_name_it() -> None:
    log, warehouse, stop = MemoryLog(), WarehouseInOrder(), asyncio.Event()
    source = MemorySource(log)
    prices = known(an_operator_price(model=MODEL))
    worker = asyncio.create_task(run_worker(source, warehouse, prices, Metrics(), flush=FLUSH, stop=stop))
    for number in range(4):
        log.entries.append(encode_event(an_event(request_id=request_id(number))))
        await until(lambda: len(warehouse.rows) == len(log.entries))
    log.entries.append(encode_event(unpriced_event(9)))
    await until(lambda: len(warehouse.rows) == len(log.entries))
    stop.set()
    await worker
    await source.close()
    assert warehouse.calls[0] == "prices"
    assert warehouse.calls.count("prices") == len(warehouse.prices) == 2
    assert {row.price_id for row in warehouse.rows.values()} == set(warehouse.prices)
