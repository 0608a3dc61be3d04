"""The worker charges by prices that are added while it runs, changes nothing old, and survives their store."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.errors import StoreUnavailable
from schemas.event import ExchangeEvent, encode_event
from schemas.price import CostState, OperatorPrice, PriceTerms, Rate
from services.stores.memory import MemoryLog, MemorySource
from services.stores.price_rows import SqlPriceRows
from services.stores.prices import ShippedPrices
from services.telemetry import Metrics
from services.worker import prices as worker_prices
from services.worker.loop import Flush, run_worker
from services.worker.prices import KnownPrices, known_prices
from tests.builders import MOMENT, ORGANIZATION, an_event, an_operator_price, chat_answer
from tests.contracts.test_worker import InMemoryWarehouse
from tests.logs import request_id

pytestmark = pytest.mark.anyio

MODEL = "acme-internal-7b"
USD = Decimal("0.000001")
TERMS = PriceTerms(
    model=MODEL,
    rates=dict.fromkeys(("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"), Rate(usd=USD)),
    valid_from=datetime(2020, 1, 1, tzinfo=UTC),
)
FLUSH = Flush(rows=10_000, bytes=2**30, s=0.01)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_prices, "EVERY_S", 0.02)


def unpriced_event(number: int) -> ExchangeEvent:
    return an_event(request_id=request_id(number), response_body=chat_answer(model=MODEL))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.005)


class Rows:
    """PriceRows in memory that can be away."""

    def __init__(self, *rows: OperatorPrice, away: bool = False) -> None:
        self.rows = list(rows)
        self.away = away
        self.asked = 0

    async def all_prices(self) -> Sequence[OperatorPrice]:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("prices: away")
        return list(self.rows)

    async def list_prices(self, organization_id: str) -> Sequence[OperatorPrice]:
        raise NotImplementedError(organization_id)

    async def add_price(self, organization_id: str, terms: PriceTerms) -> OperatorPrice:
        raise NotImplementedError(organization_id, terms)

    async def end_price(self, organization_id: str, price_id: str, at: datetime) -> bool:
        raise NotImplementedError(organization_id, price_id, at)


async def test_a_price_that_is_added_counts_for_new_requests_and_changes_no_old_row(tmp_path: Path) -> None:
    rows = SqlPriceRows(f"sqlite:///{tmp_path}/state.sqlite")
    await rows.migrate()
    log, warehouse, stop = MemoryLog(), InMemoryWarehouse(), asyncio.Event()
    source = MemorySource(log)

    async def work() -> None:
        async with known_prices(ShippedPrices(), rows, stop) as books:
            await run_worker(source, warehouse, books, Metrics(), flush=FLUSH, stop=stop)

    worker = asyncio.create_task(work())
    log.entries.append(encode_event(unpriced_event(1)))
    await until(lambda: len(warehouse.rows) == 1)
    added = await rows.add_price(ORGANIZATION, TERMS)
    await rows.add_price("another organization", TERMS)

    numbers = iter(range(2, 10_000))
    while all(row.cost_usd is None for row in warehouse.rows.values()):
        log.entries.append(encode_event(unpriced_event(next(numbers))))
        await asyncio.sleep(0.02)
    await rows.end_price(ORGANIZATION, added.id, MOMENT)
    await until(lambda: len(warehouse.rows) == len(log.entries))
    stop.set()
    await asyncio.wait_for(worker, 20)
    await source.close()
    await rows.close()

    assert warehouse.rows[request_id(1)].cost_state is CostState.UNKNOWN_MODEL
    priced = [row for row in warehouse.rows.values() if row.cost_usd is not None]
    assert {(row.cost_usd, row.price_id) for row in priced} == {(1200 * USD, f"operator/{added.id}")}
    assert warehouse.prices[f"operator/{added.id}"].rates == TERMS.rates


async def test_an_ended_price_counts_no_more() -> None:
    rows = Rows(an_operator_price(model=MODEL))
    known, stop = KnownPrices(ShippedPrices(), rows), asyncio.Event()
    await known.load(stop)
    following = asyncio.create_task(known.follow(stop))
    assert known.prices_of(ORGANIZATION).price_at("OPENAI", MODEL, MOMENT) is not None
    rows.rows = [an_operator_price(model=MODEL, valid_until=MOMENT)]
    await until(lambda: known.prices_of(ORGANIZATION).price_at("OPENAI", MODEL, MOMENT) is None)
    stop.set()
    await following


async def test_while_the_store_is_away_the_last_rows_stay_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = Rows(an_operator_price(model=MODEL))
    stop = asyncio.Event()
    async with known_prices(ShippedPrices(), rows, stop) as known:
        rows.away = True
        asked = rows.asked
        await until(lambda: rows.asked > asked + 5)
        assert known.prices_of(ORGANIZATION).price_at("OPENAI", MODEL, MOMENT) is not None
    said = [record.message for record in caplog.records if "not read" in record.message]
    assert said == ["operator prices not read: those known last stay in force"]


async def test_nothing_is_charged_before_the_prices_are_known() -> None:
    rows, stop = Rows(an_operator_price(model=MODEL), away=True), asyncio.Event()
    known = KnownPrices(ShippedPrices(), rows)
    loading = asyncio.create_task(known.load(stop))
    await until(lambda: rows.asked > 3)
    assert not loading.done()
    rows.away = False
    await asyncio.wait_for(loading, 20)
    assert known.prices_of(ORGANIZATION).price_at("OPENAI", MODEL, MOMENT) is not None


async def test_a_worker_that_waits_for_its_prices_stops_when_told() -> None:
    rows, stop = Rows(away=True), asyncio.Event()
    loading = asyncio.create_task(KnownPrices(ShippedPrices(), rows).load(stop))
    await until(lambda: rows.asked > 1)
    stop.set()
    await asyncio.wait_for(loading, 20)


async def test_a_bug_in_reading_prices_stops_the_worker() -> None:
    class Broken(Rows):
        async def all_prices(self) -> Sequence[OperatorPrice]:
            if self.asked:
                raise RuntimeError("a bug")
            return await super().all_prices()

    stop = asyncio.Event()
    with pytest.raises(RuntimeError, match="a bug"):
        async with known_prices(ShippedPrices(), Broken(), stop):
            await asyncio.wait_for(stop.wait(), 20)


class WarehouseInOrder(InMemoryWarehouse):
    """Notes what comes when."""

    def __init__(self) -> None:
        super().__init__(away=2)
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
    async with known_prices(ShippedPrices(), Rows(an_operator_price(model=MODEL)), stop) as books:
        worker = asyncio.create_task(run_worker(source, warehouse, books, Metrics(), flush=FLUSH, stop=stop))
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
