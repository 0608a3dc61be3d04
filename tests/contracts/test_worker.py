"""What the worker owes the log and the warehouse, whatever goes wrong in between."""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BrokerUnavailable, StoreUnavailable, UnstorableRecord
from schemas.event import Delivery, ExchangeEvent, encode_event
from schemas.price import Price, PriceBook
from schemas.record import RequestBodies, RequestRecord
from schemas.statement import Statement
from services.domain.pricing.price_book import PriceBookHistory
from services.health_page import serve_health
from services.ports.log import EventSource
from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.stores.memory import MemoryLog, MemorySource
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.migrations.run import migrate_state
from services.telemetry.metrics import Metrics
from services.worker import loop, rows
from services.worker.loop import Flush, TooManyDeadLetters, run_worker
from tests.builders.price_rows import known
from tests.builders.records import an_event
from tests.servers.processes import Process, free_port
from tests.support.logs import events, request_id

pytestmark = pytest.mark.anyio

LARGE = Flush(max_rows=10_000, max_bytes=2**30, max_age_s=0.02)


class InMemoryWarehouse:
    """Keeps rows by identity, and can be away, refuse a row, or have a bug."""

    def __init__(self, *, unreachable: int = 0, refused: Sequence[str] = (), bug: Exception | None = None) -> None:
        self.rows: dict[str, RequestRecord] = {}
        self.prices: dict[str, Price] = {}
        self.batches: list[int] = []
        self._away = unreachable
        self._refused = set(refused)
        self._bug = bug

    async def insert(self, records: Sequence[RequestRecord], bodies: Sequence[RequestBodies]) -> None:
        if self._away:
            self._away -= 1
            raise StoreUnavailable("the warehouse is away")
        if self._bug is not None:
            raise self._bug
        if self._refused & {record.request_id for record in records}:
            raise UnstorableRecord("a value does not fit its column")
        self.batches.append(len(records))
        self.rows.update((record.request_id, record) for record in records)
        assert {body.request_id for body in bodies} <= {record.request_id for record in records}

    async def keep_prices(self, prices: Sequence[Price]) -> None:
        self.prices.update((price.id, price) for price in prices)

    async def keep_corrections(self, corrections: object) -> None:
        raise NotImplementedError(corrections)

    async def keep_amendments(self, amendments: object) -> None:
        raise NotImplementedError(amendments)

    async def execute(self, statement: Statement) -> None:
        raise NotImplementedError(statement)

    async def query(self, _: Statement) -> list[dict[str, Any]]:
        """No rows, and no amendments."""
        return []

    async def close(self) -> None: ...


class Bench:
    """A log with entries, a warehouse, and a worker between them."""

    def __init__(self, entries: Sequence[bytes], warehouse: InMemoryWarehouse | None = None) -> None:
        self.log = MemoryLog()
        self.log.entries.extend(entries)
        self.warehouse = warehouse or InMemoryWarehouse()
        self.metrics = Metrics()
        self.stop = asyncio.Event()

    async def run(
        self, *, flush: Flush = LARGE, until: Callable[[], bool] | None = None, max_dead_letter_ratio: float = 0.01
    ) -> None:
        """Works until everything is committed, or `until` is true, or the worker gives up."""
        source = MemorySource(self.log)
        work = asyncio.ensure_future(self.work(source, flush, max_dead_letter_ratio=max_dead_letter_ratio))
        await _until(lambda: work.done() or (until() if until else self.committed == len(self.log.entries)))
        self.stop.set()
        try:
            await asyncio.wait_for(work, 20)
        finally:
            await source.close()

    def work(
        self,
        source: EventSource,
        flush: Flush = LARGE,
        drain_now: asyncio.Event | None = None,
        max_dead_letter_ratio: float = 0.01,
    ) -> Awaitable[None]:
        warehouse, metrics, stop = self.warehouse, self.metrics, self.stop
        return run_worker(
            source,
            warehouse,
            known(),
            metrics,
            flush=flush,
            stop=stop,
            drain_now=drain_now,
            max_dead_letter_ratio=max_dead_letter_ratio,
        )

    @property
    def committed(self) -> int:
        return self.log.committed.get("farebox-workers", 0)

    @property
    def dead_lettered(self) -> list[tuple[str, str]]:
        return [(dead_letter.position, dead_letter.code) for dead_letter in self.log.dead_letters.values()]


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.002)


def payloads(count: int) -> list[bytes]:
    return [encode_event(event) for event in events(count)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "RETRY", loop.RETRY._replace(first_delay_s=0.001))


async def test_events_become_rows_and_then_are_committed() -> None:
    bench = Bench(payloads(50))
    await bench.run()
    assert len(bench.warehouse.rows) == bench.committed == 50
    assert bench.metrics.get("worker_events_total") == bench.metrics.get("worker_rows_total") == 50


async def test_a_batch_is_no_larger_than_configured() -> None:
    bench = Bench(payloads(95))
    await bench.run(flush=Flush(max_rows=10, max_bytes=2**30, max_age_s=1))
    assert max(bench.warehouse.batches) <= 10
    assert len(bench.warehouse.rows) == 95


async def test_a_batch_is_no_heavier_than_configured() -> None:
    one = payloads(1)[0]
    bench = Bench(payloads(20))
    await bench.run(flush=Flush(max_rows=10_000, max_bytes=4 * len(one), max_age_s=1))
    assert max(bench.warehouse.batches) == 4


async def test_a_batch_waits_no_longer_than_configured() -> None:
    bench = Bench(payloads(3))
    await asyncio.wait_for(bench.run(flush=Flush(max_rows=10_000, max_bytes=2**30, max_age_s=0.05)), 2)
    assert bench.committed == 3


async def test_a_worker_in_a_hurry_keeps_all_there_is_without_waiting_for_more() -> None:
    bench = Bench(payloads(95))
    drain_now = asyncio.Event()
    work = asyncio.ensure_future(
        bench.work(MemorySource(bench.log), Flush(max_rows=30, max_bytes=2**30, max_age_s=60), drain_now)
    )
    await _until(lambda: bench.committed == 90)
    await asyncio.sleep(0.05)
    assert bench.committed == 90, "the last five wait for company"
    drain_now.set()
    await _until(lambda: bench.committed == 95)
    assert not work.done(), "it works on until it is stopped"
    bench.stop.set()
    await asyncio.wait_for(work, 2)


async def test_events_that_come_while_a_batch_waits_join_it() -> None:
    bench = Bench(payloads(3))
    source = MemorySource(bench.log)
    work = asyncio.ensure_future(bench.work(source, Flush(max_rows=6, max_bytes=2**30, max_age_s=5)))
    await asyncio.sleep(0.05)
    bench.log.entries.extend(payloads(6)[3:])
    await _until(lambda: bool(bench.warehouse.batches))
    bench.stop.set()
    await work
    assert bench.warehouse.batches == [6]


async def test_while_the_warehouse_is_unreachable_the_batch_is_tried_again_and_nothing_is_committed() -> None:
    bench = Bench(payloads(5), InMemoryWarehouse(unreachable=3))
    await bench.run()
    assert len(bench.warehouse.rows) == bench.committed == 5
    assert bench.metrics.get("worker_retries_total") == 3


async def test_a_worker_stopped_while_the_warehouse_is_unreachable_leaves_the_batch_to_its_successor() -> None:
    bench = Bench(payloads(5), InMemoryWarehouse(unreachable=10**6))
    await bench.run(until=lambda: bench.metrics.get("worker_retries_total") > 2)
    assert bench.committed == 0

    successor = Bench([])
    successor.log = bench.log
    await successor.run()
    assert len(successor.warehouse.rows) == successor.committed == 5


async def test_while_the_log_is_unreachable_the_worker_waits() -> None:
    class AwayAtFirst(MemorySource):
        unreachable = 4

        async def take(self, *, max_events: int, max_bytes: int, wait_s: float) -> Sequence[Delivery]:
            self._be_away()
            return await super().take(max_events=max_events, max_bytes=max_bytes, wait_s=wait_s)

        async def commit(self) -> None:
            self._be_away()
            await super().commit()

        def _be_away(self) -> None:
            self.unreachable -= 1
            if self.unreachable % 2:
                raise BrokerUnavailable("the log is away")

    bench = Bench(payloads(5))
    source = AwayAtFirst(bench.log)
    work = asyncio.ensure_future(bench.work(source))
    await _until(lambda: bench.committed == 5)
    bench.stop.set()
    await work
    assert len(bench.warehouse.rows) == 5


async def test_what_is_no_event_is_dead_lettered_whole_and_its_neighbours_live() -> None:
    good = payloads(4)
    newer = encode_event(ExchangeEvent(request=an_event().request, response=an_event().response, schema_version=99))
    bench = Bench([good[0], b"\xc1 junk", good[1], newer, b"", good[2], good[3]])
    await bench.run()
    assert sorted(bench.warehouse.rows) == [request_id(number) for number in range(4)]
    assert bench.dead_lettered == [
        ("memory:1", "undecodable"),
        ("memory:3", "unsupported_version"),
        ("memory:4", "undecodable"),
    ]
    assert bench.log.dead_letters["memory:1"].payload == b"\xc1 junk"
    assert (bench.committed, bench.metrics.get("worker_dead_letters_total")) == (7, 3)


async def test_a_row_that_the_warehouse_cannot_hold_is_found_and_dead_lettered_alone() -> None:
    bench = Bench(payloads(100), InMemoryWarehouse(refused=[request_id(37), request_id(99)]))
    await bench.run()
    assert len(bench.warehouse.rows) == 98
    assert bench.dead_lettered == [("memory:37", "unstorable"), ("memory:99", "unstorable")]
    assert bench.committed == 100


@pytest.mark.parametrize("spoilt", ["bytes", "rows"])
async def test_the_worker_stops_rather_than_dead_letter_a_stream_of_events(spoilt: str) -> None:
    entries = [b"junk"] * 300 if spoilt == "bytes" else payloads(300)
    refused = [] if spoilt == "bytes" else [request_id(number) for number in range(300)]
    bench = Bench(entries, InMemoryWarehouse(refused=refused))
    with pytest.raises(TooManyDeadLetters, match="FAREBOX_MAX_DEAD_LETTER_RATIO") as stopped:
        await bench.run()
    assert ("not an event" if spoilt == "bytes" else "does not fit its column") in str(stopped.value)
    assert (bench.committed, bench.dead_lettered) == (0, [])


async def test_a_worker_that_may_dead_letter_goes_through_a_stream_of_events_and_goes_on() -> None:
    bench = Bench([b"junk"] * 300 + payloads(1))
    await bench.run(max_dead_letter_ratio=1)
    assert (bench.committed, len(bench.dead_lettered), len(bench.warehouse.rows)) == (301, 300, 1)


async def test_a_bug_stops_the_worker_before_it_commits() -> None:
    bench = Bench(payloads(5), InMemoryWarehouse(bug=RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        await bench.run()
    assert (bench.committed, bench.dead_lettered) == (0, [])


async def test_on_stop_the_worker_finishes_the_batch_in_hand() -> None:
    bench = Bench(payloads(30))
    source = MemorySource(bench.log)
    work = asyncio.ensure_future(bench.work(source, Flush(max_rows=10_000, max_bytes=2**30, max_age_s=0.2)))
    await asyncio.sleep(0.05)
    bench.stop.set()
    await asyncio.wait_for(work, 2)
    assert len(bench.warehouse.rows) == bench.committed == 30


def test_bodies_that_grow_when_they_are_read_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_CHARACTERS", 250_000)
    event = an_event(response_body=gzip.compress(b" " * 100_000), content_encoding="gzip")
    batch = [Delivery(payload=encode_event(event), position="")] * 7
    done, pieces = 0, []
    while done < len(batch):
        piece = rows.rows_of(batch, done, PriceBookHistory(ShippedPrices()))
        pieces.append(len(piece.rows))
        done = piece.end
    assert pieces == [3, 3, 1]


class BrokenBooks:
    """Books that have bugs for some organizations, whose text holds what nobody else may see."""

    def prices_of(self, organization_id: str, recorded_at: datetime) -> PriceBook:  # noqa: ARG002  of the port
        if organization_id == "org-broken":
            raise KeyError("what somebody said")
        if organization_id == "org-mistaken":
            raise ValueError("what somebody said")
        if organization_id == "org-huge":
            raise MemoryError
        return ShippedPrices()


def deliveries_of(*organizations: str) -> list[Delivery]:
    events = [an_event(organization_id=name) for name in organizations]
    return [Delivery(payload=encode_event(event), position=f"memory:{at}") for at, event in enumerate(events)]


def test_an_event_that_meets_a_bug_of_ours_is_dead_lettered_without_its_text_and_its_neighbours_live() -> None:
    batch = deliveries_of("org-1", "org-broken", "org-2")
    piece = rows.rows_of(batch, 0, BrokenBooks())
    assert [row.record.organization_id for row in piece.rows] == ["org-1", "org-2"]
    (dead_letter,) = piece.dead_letters
    assert (dead_letter.position, dead_letter.code, dead_letter.payload) == ("memory:1", "unreadable", batch[1].payload)
    assert dead_letter.reason.startswith("KeyError in test_worker.py, line ")


def test_of_the_bugs_that_a_batch_meets_one_line_reports(caplog: pytest.LogCaptureFixture) -> None:
    batch = [*deliveries_of("org-broken", "org-1", "org-mistaken", "org-broken"), Delivery(payload=b"", position="")]
    assert len(rows.rows_of(batch, 0, BrokenBooks()).dead_letters) == 4
    (line,) = caplog.records
    reasons = vars(line)["reasons"]
    assert {reason.partition(" ")[0]: count for reason, count in reasons.items()} == {"KeyError": 2, "ValueError": 1}
    assert "said" not in str(vars(line))
    rows.rows_of(deliveries_of("org-1"), 0, BrokenBooks())
    assert len(caplog.records) == 1


def test_where_memory_is_short_no_event_is_dead_lettered_for_it() -> None:
    with pytest.raises(MemoryError):
        rows.rows_of(deliveries_of("org-huge"), 0, BrokenBooks())


async def _get(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    reply = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return reply


@pytest.mark.parametrize(
    ("request_line", "status", "text"),
    [
        (b"GET /healthz HTTP/1.1", b"200", b'{"status":"ok"}'),
        (b"GET /metrics HTTP/1.1", b"200", b"farebox_worker_events_total 7"),
        (b"GET /metrics?x=1 HTTP/1.0", b"200", b"farebox_worker_events_total 7"),
        (b"GET / HTTP/1.1", b"404", b"/healthz"),
        (b"POST /healthz HTTP/1.1", b"405", b"only GET"),
        (b"\xff\xfe", b"405", b"only GET"),
    ],
)
async def test_the_worker_reports_how_it_is(request_line: bytes, status: bytes, text: bytes) -> None:
    metrics = Metrics()
    metrics.add("worker_events_total", 7)
    server = await serve_health(metrics, host="127.0.0.1", port=0)
    port = server.sockets[0].getsockname()[1]
    reply = await _get(port, request_line + b"\r\nHost: x\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 " + status)
    assert text in reply
    assert await _get(port, b"x" * 100_000) == b""
    server.close()


# A process can open one folder of the embedded engine, and this one may have: so others look.
COUNT_ROWS = """
import sys
from tests.servers.warehouses import migrated, total_of
with migrated(sys.argv[1]) as warehouse:
    print("rows:", total_of(warehouse, "org-1")[0])
"""


def test_the_process_works_reports_and_stops_when_asked(tmp_path: Path) -> None:
    journal, warehouse = tmp_path / "journal.sqlite", f"chdb:{tmp_path / 'warehouse'}"
    state = f"sqlite:///{tmp_path / 'state.sqlite'}"
    asyncio.run(_publish(journal, 500))
    asyncio.run(migrate_state(state))
    look = ["-c", COUNT_ROWS, warehouse]
    assert "rows: 0" in Process(look, env={}, log=tmp_path / "before.log").run()
    port = free_port()
    worker = Process(
        ["-m", "services.worker"],
        env={
            "FAREBOX_EVENT_LOG": f"journal:{journal}",
            "FAREBOX_WAREHOUSE": warehouse,
            "FAREBOX_STATE": state,
            "FAREBOX_WORKER_PORT": str(port),
            "FAREBOX_FLUSH_S": "0.1",
        },
        log=tmp_path / "worker.log",
        ready_url=f"http://127.0.0.1:{port}/healthz",
    )
    with worker:
        worker.ready()
        _wait_for_rows(port, 500)
        assert worker.stop() == 0
    assert '"message": "worker stopped"' in worker.output()
    assert "rows: 500" in Process(look, env={}, log=tmp_path / "after.log").run()
    assert asyncio.run(_backlog(journal)) == 0


async def _backlog(journal: Path) -> int:
    source = JournalSource(journal)
    try:
        return await source.backlog()
    finally:
        await source.close()


async def _publish(path: Path, count: int) -> None:
    sink = JournalSink(path, metrics=Metrics())
    for receipt in [sink.publish(event) for event in events(count)]:
        await receipt
    await sink.close()


def _wait_for_rows(port: int, count: int) -> None:
    async def wait() -> None:
        expected, page = f"worker_rows_total {count}".encode(), b"GET /metrics HTTP/1.1\r\n\r\n"
        while expected not in await _get(port, page):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(wait(), 30))


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        worker = Process(
            ["-m", "services.worker"],
            env={"FAREBOX_WORKER_PORT": str(taken.getsockname()[1]), "FAREBOX_EVENT_LOG": "carrier-pigeon:7",
                 "FAREBOX_STATE": f"sqlite:///{tmp_path / 'state.sqlite'}",
                 "FAREBOX_WAREHOUSE": f"chdb:{tmp_path / 'warehouse'}"},
            log=tmp_path / "worker.log",
        )  # fmt: skip
        with pytest.raises(AssertionError, match="FAREBOX_EVENT_LOG is malformed: journal:FILE"):
            worker.run(30)
