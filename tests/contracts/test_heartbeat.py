"""The heartbeat: a receiver outside hears of each minute in which alerts were evaluated, and never fails anybody."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from services.query.alert_watch import OVERDUE, AlertWatch
from services.scheduler.build import SchedulerStores, schedule
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.heartbeat import HttpHeartbeat
from services.stores.journal.file import open_journal
from services.stores.journal.positions import JournalPositions
from services.stores.memory import ManualClock
from services.stores.state.alerts import SqlAlerts
from services.stores.state.leases import SqlLeases
from services.stores.state.migrations.run import migrate_state
from services.stores.state.progress import SqlProgress
from services.telemetry.metrics import QUERY_METRICS, SCHEDULER_METRICS, Metrics
from tests.builders.alerts import START, an_alert
from tests.servers.processes import free_port


@contextmanager
def a_receiver(status: int = 200) -> Iterator[tuple[str, Queue[str]]]:
    """The URL of a real HTTP server, and what was requested of it."""
    heard: Queue[str] = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.put(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/ping/secret", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "is_taken"), [(200, True), (302, True), (404, False), (500, False)])
def test_a_heartbeat_is_taken_or_refused(status: int, is_taken: bool) -> None:
    async def beat(url: str) -> bool:
        heartbeat = HttpHeartbeat(url)
        try:
            return await heartbeat.beat()
        finally:
            await heartbeat.close()

    with a_receiver(status) as (url, heard):
        assert asyncio.run(beat(url)) is is_taken
        assert heard.get(timeout=10) == "/ping/secret"
    assert asyncio.run(beat(f"http://127.0.0.1:{free_port()}/")) is False


def test_a_scheduler_beats_once_a_minute_and_its_death_is_seen(
    tmp_path: Path, embedded_warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    state, clock = f"sqlite:///{tmp_path}/state.sqlite", ManualClock(START)
    alerts, query_metrics = SqlAlerts(state), Metrics(QUERY_METRICS)
    metrics = Metrics(SCHEDULER_METRICS)

    async def run(heartbeat: HttpHeartbeat, heard: Queue[str]) -> None:
        await migrate_state(state)
        open_journal(tmp_path / "journal.sqlite").close()  # as its worker does
        leases = SqlLeases(state)
        watch = AlertWatch(alerts, clock, query_metrics)
        await alerts.add_alert(an_alert(organization_id=organization_id))
        stores = SchedulerStores(
            alerts=alerts,
            warehouse=embedded_warehouse,
            leases=leases,
            positions=JournalPositions(tmp_path / "journal.sqlite"),
            progress=SqlProgress(state),
            heartbeat=heartbeat,
        )
        stop = asyncio.Event()
        running = asyncio.create_task(schedule(stores, clock=clock, metrics=metrics, stop=stop))
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(heard.get) == "/ping/secret"
        stop.set()
        await running
        await watch.look()
        assert query_metrics.health.current_warnings() == []
        clock.advance(seconds=(OVERDUE + timedelta(minutes=1)).total_seconds())
        again = AlertWatch(alerts, clock, query_metrics)
        await again.look()
        for store in (heartbeat, alerts, leases, stores.positions, stores.progress):
            await store.close()

    with a_receiver() as (url, heard):
        asyncio.run(run(HttpHeartbeat(url), heard))
        assert heard.empty()
    (warning,) = query_metrics.health.current_warnings()
    assert warning.startswith("not all alerts are evaluated (last at 2026-11-01 00:00 UTC)")
    assert metrics.evaluated_at == START
    assert "farebox_scheduler_evaluated_seconds 1.7934912e+09" in metrics.exposition()
