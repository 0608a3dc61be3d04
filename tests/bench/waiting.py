"""How long one organization's plain question waits while another does its worst: `python -m tests.bench.waiting`.

The query service runs as a process of its own on an embedded warehouse. A plain question is a page of ten requests,
asked again and again on one connection while the other organization, or somebody without a key, sends what stands in
the first column. Waits are in milliseconds, from the request's first byte to the response's last.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from schemas.key import Permission
from services.stores.factory import open_keys
from tests.bench.query_rows import fill
from tests.servers.processes import Process, free_port

LIST, REPORT = "/v1/request/query-clickhouse", "/v1/report"
PLAIN = json.dumps({"filter": "all", "limit": 10}).encode()
ALL_TIME = {"start": "2025-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
ANY_OF = [{"request_response_rmt": {"target_url": {"ilike": f"%{number}%x%y%z%"}}} for number in range(200)]


def _any_of(terms: list[object]) -> object:
    together = terms[0]
    for term in terms[1:]:
        together = {"left": term, "operator": "or", "right": together}
    return together


DEAR = json.dumps(
    {
        "measures": ["p95_latency_ms", "cost_usd"],
        "timeFilter": ALL_TIME,
        "filter": _any_of([*ANY_OF, {"request_response_rmt": {"status": {"gte": 0}}}]),
        "by": [{"column": "session_id"}, {"column": "user_id"}],
        "limit": 1000,
    }
).encode()
FIELDS = b'{"filter": "all"' + b"".join(b',"%x":0' % number for number in range(600_000)) + b"}"
NESTED = b'{"filter": [' + b",".join([b"[" * 200 + b"]" * 200] * 2500) + b"]}"
LARGE = b'{"filter": "' + b"x" * (10 * 2**20 - 100) + b'"}'


class Service:
    """Where it listens, and the keys of two organizations."""

    def __init__(self, port: int, keys: Mapping[str, str]) -> None:
        self.port = port
        self.keys = keys

    def post(self, path: str, body: bytes, key: str) -> int:
        """The status; 0 when the connection broke."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            response.read()
            return response.status
        return 0

    def waits_ms(self, *, until: Callable[[], bool], at_least: int = 10) -> list[float]:
        waits_ms: list[float] = []
        while len(waits_ms) < at_least or not until():
            began_s = time.perf_counter()
            status = self.post(LIST, PLAIN, self.keys["org-1"])
            waits_ms.append(1000 * (time.perf_counter() - began_s))
            if status != 201:
                waits_ms.append(float("inf"))
            if len(waits_ms) > 2000:
                break
        return waits_ms


Load = Callable[[Service], None]


def _often(count: int, path: str, body: bytes, key: str | None = None) -> Load:
    def send(service: Service) -> None:
        senders = [
            threading.Thread(target=service.post, args=(path, body, key or service.keys["org-0"])) for _ in range(count)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    return send


def _wrong_keys(service: Service) -> None:
    for number in range(1000):
        service.post(LIST, PLAIN, f"sk-helicone-wrong-{number}")


def _idle_connections(service: Service) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(900):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=1))
        time.sleep(3)


LOADS: Mapping[str, Load] = {
    "nothing": lambda _: None,
    "600,000 unknown fields": _often(1, LIST, FIELDS),
    "8 times 1 MB of nested lists": _often(8, LIST, NESTED),
    "8 bodies of 10 MiB with a wrong key": _often(8, LIST, LARGE, "sk-wrong"),
    "8 dear reports": _often(8, REPORT, DEAR),
    "1,000 wrong keys": _wrong_keys,
    "900 idle connections": _idle_connections,
}


@contextlib.contextmanager
def running(rows: int) -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder:
        env = {
            "FAREBOX_WAREHOUSE": f"chdb:{folder}/warehouse",
            "FAREBOX_STATE": f"sqlite:///{folder}/state.sqlite",
            "FAREBOX_EVENT_LOG": f"journal:{folder}/journal.sqlite",
            "FAREBOX_QUERY_PORT": str(free_port()),
        }
        prepare = f"import asyncio; from tests.bench.waiting import prepare; asyncio.run(prepare({folder!r}, {rows}))"
        Process(["-m", "services.migrate"], env=env, log=Path(folder) / "migrate.log").run(120)
        Process(["-c", prepare], env=env, log=Path(folder) / "fill.log").run(600)
        keys = asyncio.run(_keys(env["FAREBOX_STATE"]))
        port = int(env["FAREBOX_QUERY_PORT"])
        ready_url = f"http://127.0.0.1:{port}/readyz"
        log = Path(folder) / "query.log"
        with Process(["-m", "services.query"], env=env, log=log, ready_url=ready_url) as process:
            process.ready()
            yield Service(port, keys)


async def prepare(folder: str, rows: int) -> None:
    from services.stores.clickhouse.warehouse import ClickHouseWarehouse

    warehouse = await ClickHouseWarehouse.open(f"chdb:{folder}/warehouse")
    await fill(warehouse, rows)
    await warehouse.close()


async def _keys(state: str) -> dict[str, str]:
    store = open_keys(state)
    keys = {}
    for organization_id in ("org-0", "org-1"):
        _, keys[organization_id] = await store.create_key(
            organization_id=organization_id, name="a bench", permission=Permission.READ
        )
    await store.close()
    return keys


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    rows = options.parse_args().rows
    table = Table("while the other one sends", "questions", "p50 ms", "worst ms")
    with running(rows) as service:
        for name, load in LOADS.items():
            print(name, file=sys.stderr)
            service.post(LIST, PLAIN, service.keys["org-1"])
            other = threading.Thread(target=load, args=(service,))
            other.start()
            waits_ms = sorted(service.waits_ms(until=lambda other=other: not other.is_alive()))  # type: ignore[misc]
            other.join()
            table.add_row(name, str(len(waits_ms)), f"{waits_ms[len(waits_ms) // 2]:,.0f}", f"{waits_ms[-1]:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
