"""A query service on a real socket, and a client that speaks plain HTTP to it."""

import asyncio
import contextlib
import json
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from schemas.errors import StoreUnavailable
from schemas.key import Permission
from schemas.omission import Omission
from schemas.record import RequestBodies, RequestRecord
from schemas.statement import Statement
from services.domain.exchange.host import host_names
from services.ports.log import LogPositions
from services.ports.warehouse import LedgerWarehouse
from services.query.build import query_server
from services.query.dependencies import QueryStores
from services.query.http.server import MAX_CONNECTIONS
from services.stores.budgets.sqlite_counters import SqliteCounters
from services.stores.cache.sqlite_cache import SqliteCache
from services.stores.journal.positions import JournalPositions
from services.stores.journal.sink import JournalSink
from services.stores.memory import ManualClock
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.alerts import SqlAlerts
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.budgets import SqlBudgets
from services.stores.state.channels import SqlChannels
from services.stores.state.hidden_properties import SqlHiddenProperties
from services.stores.state.migrations.run import migrate_state
from services.stores.state.prices import SqlPriceRows
from services.stores.state.progress import SqlProgress
from services.stores.state.reprices import SqlReprices
from services.stores.state.scheduled_reports import SqlScheduledReports
from services.stores.state.secrets import SqlSecrets
from services.stores.state.upstreams import SqlUpstreams
from services.telemetry.metrics import QUERY_METRICS, Metrics
from tests.builders.records import TIMESTAMP, a_record, some_bodies

LIST = "/v1/request/query-clickhouse"


class QueryService:
    """What a test knows of a running service."""

    def __init__(
        self,
        port: int,
        warehouse: LedgerWarehouse,
        keys: SqlKeyStore,
        reprices: SqlReprices,
        clock: ManualClock,
        journal: Path,
        state: str,
    ) -> None:
        self.journal = journal
        self.state = state
        self.port = port
        self.reprices = reprices
        self.warehouse = warehouse
        self.keys = keys
        self.clock = clock

    def key(self, organization_id: str, permission: Permission = Permission.READ) -> str:
        _, secret = asyncio.run(
            self.keys.create_key(organization_id=organization_id, name="a test", permission=permission)
        )
        return secret

    def ask(
        self, path: str, body: object = None, *, key: str, method: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON; POST when there is a body, unless `method` says something else.

        Bytes go as they are; fractions come back as Decimal.
        """
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        common = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", sent, common | headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.loads(response.read(), parse_float=Decimal)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read(), parse_float=Decimal)


@dataclass(frozen=True)
class Client:
    """One organization with a key, and the service that it asks."""

    service: QueryService
    organization_id: str
    key: str

    def keep(self, *records: dict[str, Any], bodies: tuple[str, str] | None = None) -> list[str]:
        """Rows of this organization, a second apart unless reported otherwise, and their ids."""
        rows = [
            a_record(
                **{
                    "organization_id": self.organization_id,
                    "request_id": str(uuid.uuid4()),
                    "request_created_at": TIMESTAMP + timedelta(seconds=position),
                }
                | record
            )
            for position, record in enumerate(records)
        ]
        texts = [some_bodies(row, request_body=bodies[0], response_body=bodies[1]) for row in rows] if bodies else []
        self.insert(rows, texts)
        return [row.request_id for row in rows]

    def insert(self, rows: list[RequestRecord], bodies: list[RequestBodies]) -> None:
        asyncio.run(self.service.warehouse.insert(rows, bodies))

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        return self.service.ask(path, body, key=self.key)

    def page(self, filter_json: object = "all", **body: object) -> list[dict[str, Any]]:
        status, response = self.ask(LIST, {"filter": filter_json, **body})
        assert (status, response.get("error")) == (201, None), response
        rows: list[dict[str, Any]] = response["data"]
        return rows

    def ids(self, filter_json: object = "all", **body: object) -> list[str]:
        return [row["request_id"] for row in self.page(filter_json, **body)]

    def report(self, **body: object) -> dict[str, Any]:
        status, response = self.ask("/v1/report", {"timeFilter": {"start": "2026-01-01T00:00:00Z"}, **body})
        assert status == 200, response
        data: dict[str, Any] = response["data"]
        return data

    def summary(self, query: str = "") -> dict[str, Any]:
        status, response = self.ask(f"/v1/report/summary{query}")
        assert status == 200, response
        data: dict[str, Any] = response["data"]
        return data


class AwayWarehouse:
    """A warehouse that cannot be reached."""

    async def query(self, _: Statement) -> list[dict[str, Any]]:
        raise StoreUnavailable("connect to clickhouse.internal:8123")

    async def insert(self, records: object, bodies: object) -> None: ...

    async def keep_prices(self, prices: object) -> None: ...

    async def keep_corrections(self, corrections: object) -> None: ...

    async def keep_amendments(self, amendments: object) -> None: ...
    async def keep_values(self, entries: object) -> None: ...

    async def execute(self, statement: Statement) -> None: ...

    async def close(self) -> None: ...


def leaf(**columns: object) -> dict[str, object]:
    return {"request_response_rmt": columns}


@contextlib.contextmanager
def query_service(
    warehouse: LedgerWarehouse,
    folder: Path,
    *,
    public_url: str = "",
    max_connections: int = MAX_CONNECTIONS,
    positions: LogPositions | None = None,
) -> Iterator[QueryService]:
    """A service on a free port, in a thread with a loop of its own. Its `positions` are those of its own journal."""
    clock = ManualClock(TIMESTAMP + timedelta(days=1))
    state = f"sqlite:///{folder}/state.sqlite"
    asyncio.run(migrate_state(state))
    keys, price_rows = SqlKeyStore(state), SqlPriceRows(state)
    reprices, secrets, hidden = SqlReprices(state), SqlSecrets(state), SqlHiddenProperties(state)
    upstreams, budgets = SqlUpstreams(state), SqlBudgets(state)
    budget_counters = SqliteCounters(folder / "budgets.sqlite")
    channels, scheduled_reports = SqlChannels(state), SqlScheduledReports(state)
    alerts = SqlAlerts(state)
    metrics, progress = Metrics(QUERY_METRICS), SqlProgress(state)
    sink = JournalSink(folder / "journal.sqlite", metrics=metrics)
    cache = SqliteCache(folder / "cache.sqlite", max_bytes=0)
    stores = QueryStores(
        positions=positions or JournalPositions(folder / "journal.sqlite"),
        progress=progress,
        warehouse=warehouse,
        keys=keys,
        price_rows=price_rows,
        reprices=reprices,
        secrets=secrets,
        hidden_properties=hidden,
        upstreams=upstreams,
        channels=channels,
        alerts=alerts,
        scheduled_reports=scheduled_reports,
        budgets=budgets,
        budget_counters=budget_counters,
        sink=sink,
        cache=cache,
    )
    built: Future[uvicorn.Server] = Future()

    async def serve() -> None:
        async with query_server(
            stores,
            shipped=ShippedPrices(),
            clock=clock,
            metrics=metrics,
            capture_bytes=2**20,
            omission=Omission.NONE,
            grace_s=5,
            max_connections=max_connections,
            public_url=public_url,
            proxy_id="query-1",
            hosts=host_names("farebox.example.com,*.internal.example"),
        ) as server:
            built.set_result(server)
            await server.serve()

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    server = built.result(timeout=60)
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield QueryService(port, warehouse, keys, reprices, clock, folder / "journal.sqlite", state)
    finally:
        server.should_exit = True
        thread.join()
        asyncio.run(keys.close())
        asyncio.run(progress.close())
        asyncio.run(price_rows.close())
        asyncio.run(reprices.close())
        asyncio.run(secrets.close())
        asyncio.run(hidden.close())
        asyncio.run(channels.close())
        asyncio.run(scheduled_reports.close())
        asyncio.run(budgets.close())
        asyncio.run(budget_counters.close())
        asyncio.run(sink.close())
        asyncio.run(cache.close())
