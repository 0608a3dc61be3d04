"""What accounting costs the calls of `farebox up`: `python -m tests.bench.embedded`, or `make bench-embedded`.

Calls go through the proxy alone; through `farebox up` that has nothing else to do; through one whose worker drains
100,000 events of about 3 KB while a report over all of them is requested again and again; and, once they are rows,
while eight clients request different reports over all of them without a break, more than run at once. nginx stands in
for the provider, wrk makes the calls; both share one core. Farebox may use all cores, as it may on a machine with one
command. p50 and p99 are medians over runs of a second. "x alone" divides a p99 by that of the proxy alone. Needs nginx,
wrk and taskset (Debian: nginx, wrk, util-linux).
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from schemas.key import Permission
from services.stores.factory import open_keys
from services.stores.journal.sink import JournalSink
from services.telemetry.metrics import Metrics
from tests.bench.proxy import OTHER_CORE, Bench, Measured
from tests.builders.exchanges import some_exchanges
from tests.servers.processes import Process, free_port

EVENTS = 100_000
RUNAWAYS = 8
REPORT = {
    "measures": ["cost_usd", "requests", "p95_latency_ms"],
    "filter": "all",
    "by": [{"column": "user_id"}, {"column": "model"}],
    "limit": 100,
}


class Rig(Bench):
    """The stand-in provider, and a Farebox of either shape whose log may hold events already."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, request_bytes=256, response_bytes=900)
        self.query_port = free_port()

    @contextmanager
    def farebox(self, *command: str) -> Iterator[Process]:
        """Serves while the block does."""
        nginx = [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(self.folder / "nginx.conf")]
        env = {
            "FAREBOX_EVENT_LOG": f"journal:{self.folder}/journal.sqlite",
            "FAREBOX_STATE": f"sqlite:///{self.folder}/state.sqlite",
            "FAREBOX_PROXY_PORT": str(self.proxy_port),
            "FAREBOX_QUERY_PORT": str(self.query_port),
            "FAREBOX_OPENAI_URL": f"http://127.0.0.1:{self.provider_port}",
            "FAREBOX_LOG_LEVEL": "warning",
        }
        provider = subprocess.Popen(["taskset", "-c", OTHER_CORE, *nginx])
        ready_url = f"http://127.0.0.1:{self.proxy_port}/healthcheck"
        process = Process(list(command), env=env, log=self.folder / "log", ready_url=ready_url)
        try:
            with process:
                yield process.ready()
        finally:
            provider.terminate()
            provider.wait(20)

    def metric(self, name: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy_port}/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        return next((int(float(line.split()[1])) for line in lines if line.startswith(f"farebox_{name} ")), 0)

    def loads(self, connections: Sequence[int], seconds: int) -> list[Measured]:
        url = self.targets()["Farebox"]
        return [
            _median([self.load(url, connections=count, seconds=1) for _ in range(seconds)]) for count in connections
        ]


def _median(runs: Sequence[Measured]) -> Measured:
    """Of each figure: what else the machine does for a while touches few of the runs."""
    return Measured(
        responses=sum(run.responses for run in runs),
        duration_us=sum(run.duration_us for run in runs),
        errors=sum(run.errors for run in runs),
        p50_us=int(median(run.p50_us for run in runs)),
        p99_us=int(median(run.p99_us for run in runs)),
    )


@contextmanager
def a_rig() -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="farebox-bench-") as folder:
        yield Rig(Path(folder))


@contextmanager
def reporting(rig: Rig, clients: int = 1) -> Iterator[list[int]]:
    """While the block runs, each client requests one report after the other, none twice; yields the statuses."""
    key, stop, statuses = asyncio.run(_read_key(rig)), threading.Event(), list[int]()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    numbers = itertools.count()

    def report() -> None:
        while not stop.is_set():
            times = {"start": f"2020-01-01T00:00:00.{next(numbers) % 1000:03}Z", "end": "2030-01-01T00:00:00Z"}
            body = json.dumps(REPORT | {"timeFilter": times}).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{rig.query_port}/v1/report", body, headers)
            with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=120) as response:
                statuses.append(response.status)

    threads = [threading.Thread(target=report) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()


async def _read_key(rig: Rig) -> str:
    keys = open_keys(f"sqlite:///{rig.folder}/state.sqlite")
    try:
        organization_id = next(some_exchanges(1)).request.organization_id
        return (await keys.create_key(organization_id=organization_id, name="reports", permission=Permission.READ))[1]
    finally:
        await keys.close()


async def _publish(journal: Path, count: int) -> None:
    sink = JournalSink(journal, metrics=Metrics(), queue_bytes=2**40)
    last = None
    for event in some_exchanges(count):
        last = sink.publish(event)
    if last is not None:
        await last
    await sink.close()


def measure(events: int, connections: Sequence[int], seconds: int, console: Console) -> None:
    up = ("-m", "services.cli", "up", "--data")
    with a_rig() as rig, rig.farebox("-m", "services.proxy"):
        alone = rig.loads(connections, seconds)
    with a_rig() as rig, rig.farebox(*up, str(rig.folder)):
        idle = rig.loads(connections, seconds)
    with ExitStack() as stack:
        rig = stack.enter_context(a_rig())
        asyncio.run(_publish(rig.folder / "journal.sqlite", events))
        stack.enter_context(rig.farebox(*up, str(rig.folder)))
        statuses = stack.enter_context(reporting(rig))
        before = rig.metric("worker_rows_total")
        busy = rig.loads(connections, seconds)
        rows = rig.metric("worker_rows_total")
        stack.enter_context(reporting(rig, RUNAWAYS))
        queried = rig.loads(connections, seconds)
    runs = {
        "proxy alone": alone,
        "farebox up, idle": idle,
        "farebox up, draining": busy,
        "farebox up, queried without a break": queried,
    }
    for place, count in enumerate(connections):
        table = Table(title=f"{count} connection{'s' if count > 1 else ''}")
        for heading in ("", "requests/s", "p50 ms", "p99 ms", "x alone", "errors"):
            table.add_column(heading, justify="right" if heading else "left")
        for name, measured in runs.items():
            one = measured[place]
            ratio = f"{one.p99_us / alone[place].p99_us:.2f}"
            times = (f"{one.p50_us / 1000:.2f}", f"{one.p99_us / 1000:.2f}")
            table.add_row(name, f"{one.per_s:,.0f}", *times, ratio, str(one.errors))
        console.print(table)
    console.print(f"while draining: rows {before:,} to {rows:,} of {events:,} and the calls' own")
    console.print(f"reports: {statuses.count(200):,} of {len(statuses):,} with a result")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=EVENTS)
    options.add_argument("--seconds", type=int, default=5, help="runs of a second each")
    options.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    chosen = options.parse_args()
    measure(chosen.events, chosen.connections, chosen.seconds, Console(width=100))


if __name__ == "__main__":
    main()
