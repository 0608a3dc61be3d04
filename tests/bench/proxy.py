"""What the proxy costs: `python -m tests.bench.proxy`.

nginx stands in for the provider and, as `proxy_pass`, for the fastest thing that could stand in the proxy's place. The
proxy has one core for itself; nginx and wrk, the load generator, share another. Bodies are captured and every event
goes to a durable journal; afterwards the journal must hold as many events as wrk got responses. "core µs" is what one
request takes of the proxy's core; it suffers less than the rates do from other work on the machine. "a rate limit" is
one by requests in the proxy's memory, and "one budget" is of an organization whose budget is checked and settled for
each request, in a file.
`--streamed` requests streams without asking for their usage, so that the proxy injects the option and strips
the chunk, and adds the time to the first byte of a stream's body.
Needs nginx, wrk and taskset (Debian: nginx, wrk, util-linux).
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.table import Table

from schemas.key import Permission
from services.stores.factory import open_budgets, open_keys
from services.stores.state.migrations.run import migrate_state
from tests.builders.budgets import a_budget
from tests.builders.records import chat_response
from tests.servers.processes import free_port

PROXY_CORE, OTHER_CORE = "0", "1"
RETRIED = "Farebox, retries on"
LIMITED = "Farebox, a rate limit"
BUDGETED = "Farebox, one budget"
FAREBOX = ("Farebox", RETRIED, LIMITED, BUDGETED)
HEADERS = {
    RETRIED: "Helicone-Retry-Enabled: true",
    LIMITED: "Helicone-RateLimit-Policy: 1000000000;w=60",  # in memory, and never used up
}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_buffer_size 128k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream provider {{ server 127.0.0.1:{provider_port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{provider_port}; location / {{ default_type {type}; return 200 '{response}'; }} }}
  server {{ listen 127.0.0.1:{pass_port}; location / {{
    proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""

LOAD = """
wrk.method = "POST"
wrk.body = '{body}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer sk-provider-key-of-the-benchmark"
wrk.headers["Helicone-Auth"] = "Bearer " .. os.getenv("BENCH_KEY")
wrk.headers["Helicone-User-Id"] = "user-123"
wrk.headers["Helicone-Property-Feature"] = "chat"
{headers}
function done(summary, latency, requests)
  io.write(string.format('RESULT {{"responses": %d, "duration_us": %d, "errors": %d, "p50_us": %d, "p99_us": %d}}\\n',
    summary.requests, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write
      + summary.errors.status + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Measured(msgspec.Struct, frozen=True):
    """One run of wrk."""

    responses: int
    duration_us: int
    errors: int
    p50_us: int
    p99_us: int

    @property
    def per_s(self) -> float:
        return self.responses / (self.duration_us / 1e6)


class Bench:
    """The stand-in provider, nginx as a proxy, and Farebox, ready to be loaded."""

    def __init__(
        self,
        folder: Path,
        *,
        request_bytes: int,
        response_bytes: int,
        streamed: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` are sent beside those that every request has."""
        self.folder = folder
        self.provider_port, self.pass_port, self.proxy_port = free_port(), free_port(), free_port()
        self.streamed = streamed
        self.cache_url = ""  # of a file in the folder
        config = NGINX.format(
            folder=folder,
            provider_port=self.provider_port,
            pass_port=self.pass_port,
            type="text/event-stream" if streamed else "application/json",
            response=_stream(response_bytes) if streamed else _plain(response_bytes),
        )
        (folder / "nginx.conf").write_text(config)
        prompt = {"model": "gpt-4o-mini", "stream": streamed, "messages": [{"role": "user", "content": ""}]}
        prompt["messages"][0]["content"] = "x" * max(0, request_bytes - len(json.dumps(prompt)))  # type: ignore[index]
        self.body = json.dumps(prompt)
        self.secret, self.budgeted_secret = asyncio.run(self._make_keys())
        more = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in (headers or {}).items())
        (folder / "load.lua").write_text(LOAD.format(body=self.body, headers=more))

    async def _make_keys(self) -> tuple[str, str]:
        """Of an organization without budgets, and of one with a budget that is never used up."""
        state = f"sqlite:///{self.folder}/state.sqlite"
        await migrate_state(state)
        keys, budgets = open_keys(state), open_budgets(state)
        plain, budgeted = [
            (await keys.create_key(organization_id=name, name="bench", permission=Permission.READ_WRITE))[1]
            for name in ("bench", "budgeted")
        ]
        await budgets.add_budget(a_budget("1000000", organization_id="budgeted"))
        await keys.close()
        await budgets.close()
        return plain, budgeted

    @contextmanager
    def running(self) -> Iterator[None]:
        nginx = [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(self.folder / "nginx.conf")]
        environ = {
            **os.environ,
            "FAREBOX_EVENT_LOG": f"journal:{self.folder}/journal.sqlite",
            "FAREBOX_STATE": f"sqlite:///{self.folder}/state.sqlite",
            "FAREBOX_CACHE_URL": self.cache_url or f"sqlite:{self.folder}/cache.sqlite",
            "FAREBOX_BUDGETS_URL": f"sqlite:{self.folder}/budgets.sqlite",
            "FAREBOX_PROXY_PORT": str(self.proxy_port),
            "FAREBOX_OPENAI_URL": f"http://127.0.0.1:{self.provider_port}",
            "FAREBOX_LOG_LEVEL": "warning",
        }
        children = [
            subprocess.Popen(["taskset", "-c", OTHER_CORE, *nginx]),
            subprocess.Popen(["taskset", "-c", PROXY_CORE, sys.executable, "-m", "services.proxy"], env=environ),
        ]
        self.pids = dict(zip(("nginx", "Farebox"), (child.pid for child in children), strict=True))
        try:
            _wait_for(f"http://127.0.0.1:{self.proxy_port}/healthz")
            yield
        finally:
            for child in reversed(children):
                child.terminate()
                child.wait(20)

    def load(self, url: str, *, connections: int, seconds: int, header: str = "", secret: str = "") -> Measured:
        """`header` is sent beside those that every request has. `secret` is of another key than the usual one."""
        command = ["taskset", "-c", OTHER_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
        out = subprocess.run(
            [*command, *(["-H", header] if header else []), "-s", str(self.folder / "load.lua"), url],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "BENCH_KEY": secret or self.secret},
        )
        for line in out.stdout.splitlines():
            if line.startswith("RESULT "):
                return msgspec.json.decode(line.removeprefix("RESULT "), type=Measured)
        raise SystemExit(f"wrk failed: {out.stdout}{out.stderr}")

    def first_bytes_us(self, url: str, *, seconds: int) -> list[float]:
        """From sending a request to the first byte of the response's body, one stream after the other; sorted."""
        parts = urlsplit(url)
        requested = (
            f"POST {parts.path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Helicone-Auth: Bearer {self.secret}\r\nContent-Length: {len(self.body)}\r\n\r\n{self.body}"
        ).encode()
        times, until_s = [], time.monotonic() + seconds
        with socket.create_connection((parts.hostname or "", parts.port or 80)) as connection:
            while time.monotonic() < until_s:
                began_s, got = time.perf_counter(), b""
                connection.sendall(requested)
                while b"data:" not in got:
                    got += connection.recv(2**16)
                times.append((time.perf_counter() - began_s) * 1e6)
                while b"[DONE]" not in got or (b"chunked" in got and not got.endswith(b"0\r\n\r\n")):
                    got += connection.recv(2**16)
        return sorted(times)

    def core_s(self, name: str) -> float:
        """Seconds of a core that a process has used so far, with all its threads."""
        fields = Path(f"/proc/{self.pids[name]}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def targets(self) -> dict[str, str]:
        path = "v1/chat/completions"
        return {
            "provider itself": f"http://127.0.0.1:{self.provider_port}/{path}",
            "nginx proxy_pass": f"http://127.0.0.1:{self.pass_port}/{path}",
            "Farebox": f"http://127.0.0.1:{self.proxy_port}/oai/{path}",
        }

    def events(self) -> int:
        with sqlite3.connect(f"file:{self.folder}/journal.sqlite?mode=ro", uri=True) as journal:
            return int(journal.execute("SELECT ifnull(max(events_through), 0) FROM segment").fetchone()[0])


def _plain(size: int) -> str:
    return chat_response().decode().replace("Hello!", "Hello!" + "x" * max(0, size - len(chat_response())))


def _stream(size: int) -> str:
    """About `size` bytes of events, and the two that end a stream whose usage was requested."""
    opening = (
        '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1793534400,"model":"gpt-4o-mini","choices":['
    )
    delta = opening + '{"index":0,"delta":{"content":"token"},"logprobs":null,"finish_reason":null}],"usage":null}'
    usage = opening + '],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}'
    chunks = [delta] * max(1, size // len(delta))
    return "".join(f"data: {chunk}\n\n" for chunk in [*chunks, usage, "[DONE]"])


def _wait_for(url: str) -> None:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing responds at {url}")


def measure(bench: Bench, *, connections: int, seconds: int, console: Console) -> int:
    """Prints a table; returns how many responses came through Farebox."""
    table = Table(title=f"{connections} connection{'s' if connections > 1 else ''}")
    for heading in ("", "requests/s", "p50 µs", "p99 µs", "added p50", "added p99", "errors", "core µs"):
        table.add_column(heading, justify="right" if heading else "left")
    rows: dict[str, Measured] = {}
    targets = bench.targets()
    for name, url in [*targets.items(), *((name, targets["Farebox"]) for name in FAREBOX[1:])]:
        before_s = bench.core_s("Farebox")
        header = HEADERS.get(name, "")
        secret = bench.budgeted_secret if name == BUDGETED else ""
        rows[name] = row = bench.load(url, connections=connections, seconds=seconds, header=header, secret=secret)
        is_farebox = name in FAREBOX
        used = f"{(bench.core_s('Farebox') - before_s) / row.responses * 1e6:.1f}" if is_farebox else ""
        direct = rows["provider itself"]
        added = (str(row.p50_us - direct.p50_us), str(row.p99_us - direct.p99_us))
        table.add_row(name, f"{row.per_s:,.0f}", str(row.p50_us), str(row.p99_us), *added, str(row.errors), used)
    console.print(table)
    return sum(rows[name].responses for name in FAREBOX)


def measure_first_bytes(bench: Bench, *, seconds: int, console: Console) -> int:
    """Prints a table; returns how many responses came through Farebox."""
    table = Table(title="first byte of a stream")
    for heading in ("", "p50 µs", "p99 µs", "added p50", "added p99"):
        table.add_column(heading, justify="right" if heading else "left")
    direct: list[float] = []
    times: list[float] = []
    for name, url in bench.targets().items():
        times = bench.first_bytes_us(url, seconds=seconds)
        row = [times[len(times) * share // 100] for share in (50, 99)]
        direct = direct or row
        table.add_row(name, *(f"{one:.0f}" for one in [*row, row[0] - direct[0], row[1] - direct[1]]))
    console.print(table)
    return len(times)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=4, help="of each run")
    options.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    options.add_argument("--request-bytes", type=int, default=256)
    options.add_argument("--response-bytes", type=int, default=900)
    options.add_argument("--streamed", action="store_true")
    chosen = options.parse_args()
    console = Console(width=100)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            Path(folder),
            request_bytes=chosen.request_bytes,
            response_bytes=chosen.response_bytes,
            streamed=chosen.streamed,
        )
        responses = 0
        with bench.running():
            for connections in chosen.connections:
                responses += measure(bench, connections=connections, seconds=chosen.seconds, console=console)
            if chosen.streamed:
                responses += measure_first_bytes(bench, seconds=chosen.seconds, console=console)
        missing = responses - bench.events()
    # wrk does not count the responses that were on their way when it stopped.
    console.print(f"{responses:,} responses, {responses - missing:,} events in the journal")
    if not -len(FAREBOX) * sum(chosen.connections) <= missing <= 0:
        raise SystemExit(f"{missing} events are missing or too many")


if __name__ == "__main__":
    main()
