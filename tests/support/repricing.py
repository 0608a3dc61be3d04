"""An operator who adds prices, charges again and undoes it, on real stores; and the requests that it is done to."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from schemas.event import ExchangeEvent, Outcome
from schemas.price import PriceBook, PriceTerms, Rate
from schemas.reprice import Criteria, Reprice, RepriceState
from services.domain.pricing.price_book import LayeredPrices
from services.ports.warehouse import AmendableWarehouse
from services.repricing.runner import Repricing
from services.stores.memory import ManualClock
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.migrations.run import migrate_state
from services.stores.state.prices import SqlPriceRows
from services.stores.state.reprices import SqlReprices
from tests.builders.exchanges import some_exchanges
from tests.builders.records import TIMESTAMP
from tests.servers.warehouses import ask, rows_of

SHIPPED = ShippedPrices()
LATER = TIMESTAMP + timedelta(days=30)
ALL = Criteria(model="*", provider="", since=TIMESTAMP - timedelta(days=1), until=LATER)
CHUNK_ROWS = 37
UNKNOWN = "acme-internal-7b"

T = TypeVar("T")


class Operator:
    """Of one organization. Each call is a query service of its own, as after a restart."""

    def __init__(self, warehouse: AmendableWarehouse, folder: Path, organization_id: str) -> None:
        self.warehouse = warehouse
        self.organization_id = organization_id
        self.clock = ManualClock(LATER)
        self.state = f"sqlite:///{folder}/state.sqlite"
        asyncio.run(migrate_state(self.state))

    def add_price(self, model: str, usd: str, **rates: str) -> None:
        """In force since 2020, in US dollars per token; `usd` is for plain input, cache reads and output."""
        usual = dict.fromkeys(("prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"), usd)
        terms = PriceTerms(
            model=model,
            rates={name: Rate(usd=Decimal(amount)) for name, amount in (usual | rates).items()},
            valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        )

        async def add(rows: SqlPriceRows) -> None:
            await rows.add_price(self.organization_id, terms)

        asyncio.run(_with(SqlPriceRows(self.state), add))

    def book(self) -> PriceBook:
        """The prices known now."""

        async def known(rows: SqlPriceRows) -> PriceBook:
            return LayeredPrices(SHIPPED, await rows.list_prices(self.organization_id))

        return asyncio.run(_with(SqlPriceRows(self.state), known))

    def charge_again(self, criteria: Criteria = ALL, *, dry_run: bool = False) -> Reprice:
        return self.use(lambda repricing: repricing.begin(self.organization_id, criteria, dry_run=dry_run))

    def undo(self, run: Reprice) -> Reprice:
        return self.use(lambda repricing: repricing.undo(run))

    def use(
        self, act: Callable[[Repricing], Awaitable[Reprice]], warehouse: AmendableWarehouse | None = None
    ) -> Reprice:
        """The run that `act` responses with, when it has ended. The clock moves on by a second."""
        self.clock.advance(seconds=1)
        return asyncio.run(self._use(act, warehouse or self.warehouse))

    async def _use(self, act: Callable[[Repricing], Awaitable[Reprice]], warehouse: AmendableWarehouse) -> Reprice:
        reprices, rows = SqlReprices(self.state), SqlPriceRows(self.state)
        repricing = Repricing(
            warehouse=warehouse,
            reprices=reprices,
            price_rows=rows,
            shipped=SHIPPED,
            clock=self.clock,
            chunk_rows=CHUNK_ROWS,
            respond_within_s=0.2,
        )
        try:
            run = await act(repricing)
            while run.state in (RepriceState.RUNNING, RepriceState.UNDOING):
                await asyncio.sleep(0.01)
                run = await reprices.get_reprice(self.organization_id, run.id) or run
            return run
        finally:
            await repricing.close()
            await reprices.close()
            await rows.close()

    def runs(self) -> Sequence[Reprice]:
        reprices = SqlReprices(self.state)
        return asyncio.run(reprices.list_reprices(self.organization_id, limit=100))

    def rows(self) -> list[dict[str, Any]]:
        """All rows of the organization, to the last column but the version."""
        return [
            {name: row[name] for name in row if name != "version"}
            for row in rows_of(self.warehouse, self.organization_id)
        ]

    def corrections(self) -> int:
        sql = "SELECT count() AS n FROM cost_correction FINAL WHERE organization_id = {o:String}"
        (row,) = ask(self.warehouse, sql, o=self.organization_id)
        return int(row["n"])


async def _with(rows: SqlPriceRows, act: Callable[[SqlPriceRows], Awaitable[T]]) -> T:
    try:
        return await act(rows)
    finally:
        await rows.close()


def all_sorts(count: int, organization_id: str, *, seed: int = 1) -> Iterator[ExchangeEvent]:
    """Exchanges over four days, some of models without a price, with every outcome, and some that generate nothing."""
    draw = random.Random(seed)
    for event in some_exchanges(count, seed=seed, organization_id=organization_id):
        request, response = event.request, event.response
        if draw.random() < 0.2:
            request = replace(request, tags=replace(request.tags, model_override=UNKNOWN))
        if draw.random() < 0.1:
            request = replace(request, method="GET")
        if draw.random() < 0.3:
            response = replace(response, outcome=draw.choice(list(Outcome)))
        created_at = request.created_at + timedelta(days=draw.randrange(4), milliseconds=draw.choice((0, 1)))
        recorded_at = created_at + timedelta(milliseconds=response.latency_ms)
        request = replace(request, created_at=created_at)
        yield replace(event, request=request, response=response, recorded_at=recorded_at)
