"""A real Redis (or Valkey) for tests: the installed program as a process, with nothing on disk."""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers.clickhouse import NoServer
from tests.servers.processes import free_port

START_TIMEOUT_S = 20


class RedisProcess:
    """One server on a loopback port that stays its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Returns when it accepts connections. Raises: NoServer."""
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, *options, "--dir", str(self._folder)], stdout=output, stderr=output
            )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            time.sleep(0.02)
        raise NoServer(f"{self._program} does not start: {(self._folder / 'output').read_text()[-300:]}")

    def stop(self) -> None:
        """It forgets everything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It keeps its connections and says nothing meanwhile."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def redis_process() -> Iterator[RedisProcess]:
    """A running server. Raises: NoServer."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        raise NoServer("neither valkey-server nor redis-server is installed")
    with tempfile.TemporaryDirectory(prefix="farebox-redis-") as folder:
        server = RedisProcess(program, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
