"""Farebox's own processes, started as an operator would start them, on free loopback ports."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One child process. Its output goes to a file, which is shown when it does not become ready."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], log: Path, ready_url: str = "") -> None:
        self.command = [sys.executable, *command]
        self.env = _clean_environ() | dict(env)
        self.log = log
        self.ready_url = ready_url
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(self.command, env=self.env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        return self

    def ready(self, timeout_s: float = 60) -> Self:
        """Returns when `ready_url` responds, if only with a refusal. Raises: AssertionError with the child's output."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            assert self._child is not None
            if self._child.poll() is not None:
                break
            if _responses(self.ready_url):
                return self
            time.sleep(0.05)
        raise AssertionError(f"{self.command} is not ready:\n{self.output()[-4000:]}")

    def run(self, timeout_s: float = 120) -> str:
        """Its output, once it has ended well. Raises: AssertionError with the output."""
        self.start()
        assert self._child is not None
        code = self._child.wait(timeout_s)
        assert code == 0, f"{self.command} ended with {code}:\n{self.output()[-4000:]}"
        return self.output()

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        assert self._child is not None
        self._child.kill()
        self._child.wait(10)

    def stop(self, timeout_s: float = 30) -> int:
        """The exit code after SIGTERM; killed after `timeout_s`."""
        if self._child is None or self._child.poll() is not None:
            return 0 if self._child is None else int(self._child.returncode)
        self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def children_of(process_id: int) -> list[int]:
    """The ids of the processes that it has started and that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == process_id and state != "Z":
                found.append(int(stat.parent.name))
    return found


def _clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FAREBOX_")}


def _responses(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status < 500)
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500
    except (urllib.error.URLError, OSError):
        return False
