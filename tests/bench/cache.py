"""What the response cache costs and gives: `python -m tests.bench.cache`.

The same request, over and over: with nothing asked for, saved each time, and served from the cache; with a file, and
with a Redis server where one is installed. As in `tests/bench/proxy.py` the proxy has one core for itself; wrk, the
stand-in provider and Redis share the other. "core µs" is what one request takes of the proxy's core.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.proxy import Bench
from tests.servers.clickhouse import NoServer
from tests.servers.redis import redis_process

CASES: Final[Mapping[str, Mapping[str, str]]] = {
    "nothing asked for": {},
    "saved each time": {"Helicone-Cache-Save": "true"},
    "hits": {"Helicone-Cache-Enabled": "true"},
    "hits, coalesced": {"Helicone-Cache-Enabled": "true", "Helicone-Cache-Coalesce": "true"},
}


def measure(table: Table, name: str, headers: Mapping[str, str], cache_url: str, chosen: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            Path(folder),
            request_bytes=chosen.request_bytes,
            response_bytes=chosen.response_bytes,
            streamed=chosen.streamed,
            headers=headers,
        )
        bench.cache_url = cache_url
        with bench.running():
            url = bench.targets()["Farebox"]
            for connections in chosen.connections:
                bench.load(url, connections=connections, seconds=1)  # the first one is a miss
                before_s = bench.core_s("Farebox")
                row = bench.load(url, connections=connections, seconds=chosen.seconds)
                core_us = (bench.core_s("Farebox") - before_s) / row.responses * 1e6
                figures = (f"{row.per_s:,.0f}", str(row.p50_us), str(row.p99_us), str(row.errors), f"{core_us:.1f}")
                table.add_row(name, str(connections), *figures)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=4, help="of each run")
    options.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    options.add_argument("--request-bytes", type=int, default=256)
    options.add_argument("--response-bytes", type=int, default=900)
    options.add_argument("--streamed", action="store_true")
    chosen = options.parse_args()
    with contextlib.ExitStack() as stack:
        urls = {"file": ""}
        with contextlib.suppress(NoServer):
            urls["Redis"] = stack.enter_context(redis_process()).url
        for store, url in urls.items():
            table = Table(title=f"response cache: {store}")
            for heading in ("", "connections", "requests/s", "p50 µs", "p99 µs", "errors", "core µs"):
                table.add_column(heading, justify="right" if heading else "left")
            for name, headers in CASES.items():
                measure(table, name, headers, url, chosen)
            Console(width=100).print(table)


if __name__ == "__main__":
    main()
