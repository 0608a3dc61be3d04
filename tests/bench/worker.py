"""How many rows a second one worker makes, from journal to table: `python -m tests.bench.worker [EVENTS]`.

Events are about 3 KB, four in five with a whole response, a third streamed, some compressed; the warehouse is the
embedded engine in a temporary folder. "Per core" divides by all processor time of this process, the engine's threads
included, so it is what a second worker would add.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.table import Table

from schemas.amendment import StoredAmendment
from schemas.event import Delivery, decode_event, encode_event
from schemas.price import Price
from schemas.record import RequestBodies, RequestRecord
from schemas.reprice import Correction
from schemas.statement import Statement
from services.domain.enrich import to_record
from services.domain.pricing.price_book import PriceBookHistory
from services.hashing import KeyedHashes
from services.ports.warehouse import AmendableWarehouse
from services.stores.clickhouse.migrations import migrate_warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import Metrics
from services.worker.gc_tuning import look_for_cycles_rarely
from services.worker.loop import Flush, run_worker
from services.worker.rows import rows_of
from tests.builders.exchanges import some_exchanges
from tests.builders.price_rows import known
from tests.servers.proxy_rig import SharedSecrets

EVENTS = 60_000
FLOOR_ROWS_PER_S = 10_000

T = TypeVar("T")
HASH_KEY: Final = bytes(32)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with tempfile.TemporaryDirectory(prefix="farebox-bench-") as folder:
        asyncio.run(measure(Path(folder), count))


async def measure(folder: Path, count: int) -> None:
    payloads = [encode_event(event) for event in some_exchanges(count)]
    size = sum(map(len, payloads)) // count
    await _publish(folder / "journal.sqlite", count)
    warehouse = await ClickHouseWarehouse.open(f"chdb:{folder / 'warehouse'}", create_database=True)
    await migrate_warehouse(warehouse)
    table = Table(title=f"{count:,} events of {size:,} bytes")
    for heading in ("step", "rows/s", "rows/s per core", "us a row"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    _parts(table, payloads)
    look_for_cycles_rarely()
    await _end_to_end(table, folder / "journal.sqlite", warehouse, count)
    await warehouse.close()
    Console().print(table)


async def _publish(path: Path, count: int) -> None:
    sink = JournalSink(path, metrics=Metrics(), queue_bytes=2**40)
    last = None
    for event in some_exchanges(count):
        last = sink.publish(event)
    if last is not None:
        await last
    await sink.close()


def _parts(table: Table, payloads: list[bytes]) -> None:
    prices = ShippedPrices()
    sample = payloads[:20_000]
    deliveries = [Delivery(payload=payload, position="") for payload in sample]
    events = _timed(table, "decode the event", len(sample), lambda: [decode_event(payload) for payload in sample])
    _timed(table, "enrich it", len(sample), lambda: [to_record(event, prices, HASH_KEY) for event in events])
    _timed(
        table,
        "both, as the worker does",
        len(sample),
        lambda: rows_of(deliveries, 0, PriceBookHistory(prices), HASH_KEY),
    )


def _timed(table: Table, step: str, count: int, work: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    _row(table, step, count, time.perf_counter() - wall, time.process_time() - cpu)
    return made


async def _end_to_end(table: Table, journal: Path, warehouse: AmendableWarehouse, count: int) -> None:
    source, metrics, stop = JournalSource(journal), Metrics(), asyncio.Event()
    timed = _TimedWarehouse(warehouse, stop, count)
    flush = Flush(max_rows=20_000, max_bytes=16 * 2**20, max_age_s=0.2)
    wall, cpu = time.perf_counter(), time.process_time()
    await run_worker(source, timed, known(), metrics, flush=flush, stop=stop, hashes=KeyedHashes(SharedSecrets()))
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    await source.close()
    _row(table, f"insert, in {timed.batches} batches", count, timed.wall_s, timed.cpu_s)
    _row(table, "[bold]journal to table", count, wall_s, cpu_s)
    outcome = "reached" if count / cpu_s >= FLOOR_ROWS_PER_S else "MISSED"
    table.caption = f"floor of {FLOOR_ROWS_PER_S:,} rows/s per core: {outcome}"


class _TimedWarehouse:
    """A warehouse that knows how long its inserts took, and stops the worker after `count` rows."""

    def __init__(self, inner: AmendableWarehouse, stop: asyncio.Event, count: int) -> None:
        self._inner = inner
        self._stop = stop
        self._left = count
        self.wall_s = self.cpu_s = 0.0
        self.batches = 0

    async def insert(self, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        await self._inner.insert(records, bodies)
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu
        self.batches += 1
        self._left -= len(records)
        if self._left <= 0:
            self._stop.set()

    async def keep_prices(self, prices: Sequence[Price]) -> None:
        await self._inner.keep_prices(prices)

    async def keep_corrections(self, corrections: Sequence[Correction]) -> None:
        await self._inner.keep_corrections(corrections)

    async def keep_amendments(self, amendments: Sequence[StoredAmendment]) -> None:
        await self._inner.keep_amendments(amendments)

    async def execute(self, statement: Statement) -> None:
        await self._inner.execute(statement)

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        return await self._inner.query(statement)

    async def close(self) -> None:
        await self._inner.close()


def _row(table: Table, step: str, count: int, wall_s: float, cpu_s: float) -> None:
    table.add_row(step, f"{count / wall_s:,.0f}", f"{count / cpu_s:,.0f}", f"{cpu_s / count * 1e6:.1f}")


if __name__ == "__main__":
    main()
