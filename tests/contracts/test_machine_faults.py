"""A `farebox up` whose disk fails it, for a while or by damage, or that has no descriptors: it says so, and goes on."""

import contextlib
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from services.simulator.server import SimulatedProvider
from tests.conftest import unavailable
from tests.contracts.test_accounting_stops import Up
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.processes import Process, children_of
from tests.support.command_line import farebox

pytestmark = pytest.mark.timeout(240)

DISK_BYTES = 256 * 2**20
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small enough to be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        unavailable("a small file system to fill", error)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not one byte is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size_bytes in (2**20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size_bytes):
                    pass
    yield
    filler.unlink()


@contextlib.contextmanager
def without_descriptors(process_id: int) -> Iterator[None]:
    """Whatever the process and its accounting have open stays; nothing more can be opened."""
    both = [process_id, *children_of(process_id)]
    before = [resource.prlimit(one, resource.RLIMIT_NOFILE) for one in both]
    for one, (_, hard) in zip(both, before, strict=True):
        resource.prlimit(one, resource.RLIMIT_NOFILE, (3, hard))
    yield
    for one, limits in zip(both, before, strict=True):
        resource.prlimit(one, resource.RLIMIT_NOFILE, limits)


class Client:
    """One connection that stays open."""

    def __init__(self, up: Up) -> None:
        self._up = up
        self.passed = 0
        headers = {"Authorization": "Bearer sk-x", "Helicone-Auth": f"Bearer {up.key}"}
        limits = httpx.Limits(keepalive_expiry=None)
        self._client = httpx.Client(
            base_url=up.proxy_url, headers=headers, trust_env=False, verify=TRUSTS_NOBODY, timeout=60, limits=limits
        )

    def close(self) -> None:
        self._client.close()

    def call(self, *, may_fail: bool = False) -> None:
        """Recorded in any case. In a spell without descriptors there may be no connection to the provider."""
        response = self._client.post("/oai/v1/chat/completions", json=CHAT)
        assert response.status_code == 200 or (may_fail and response.status_code == 502), response.text
        self.passed += 1

    def health(self) -> httpx.Response:
        return self._client.get("/healthz")

    def knock(self) -> None:
        """A new connection, which may not be taken now, and must not keep later ones from being taken."""
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"{self._up.proxy_url}/healthz", trust_env=False, verify=TRUSTS_NOBODY, timeout=2)

    def ready(self) -> int:
        """The query service's status, on a connection of its own; 0 when nothing responses."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(
                f"{self._up.query_url}/readyz", trust_env=False, verify=TRUSTS_NOBODY, timeout=2
            ).status_code
        return 0

    def counted(self) -> int:
        """Requests that are in the report; -1 when it cannot be had."""
        result = self._up.farebox("report", "--json")
        return int(json.loads(result.stdout)["total"]["requests"]) if result.returncode == 0 else -1

    def metric(self, name: str) -> int:
        lines = self._client.get("/metrics").text.splitlines()
        return next(int(float(line.split()[1])) for line in lines if line.startswith(f"farebox_{name} "))


@contextlib.contextmanager
def a_client(up: Up) -> Iterator[Client]:
    client = Client(up)
    yield client
    client.close()


def eventually(is_so: Callable[[], bool], what: str, process: Process, within_s: float = 90) -> None:
    deadline_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline_s, f"{what}\n{process.output()[-6000:]}"
        time.sleep(0.2)


def endured(
    up: Up,
    client: Client,
    process: Process,
    fault: contextlib.AbstractContextManager[None],
    *,
    may_fail: bool = False,
    queries_fail: bool = False,
) -> None:
    """Calls pass before, in and after `fault`; each is counted once in the end, without a restart.

    `queries_fail`: the fault is the accounting process's too, whose warehouse then cannot be queried.
    """
    for _ in range(5):
        client.call()
    eventually(lambda: client.counted() == 5, "the first calls are counted", process)
    with fault:
        for _ in range(20):
            client.call(may_fail=may_fail)
        eventually(lambda: client.health().status_code == 503, "health says what is wrong", process)
        assert not queries_fail or client.ready() != 200
        client.knock()
        client.call(may_fail=may_fail)
    eventually(lambda: client.health().status_code == 200, "it is well again", process)
    with a_client(up) as another:
        assert another.health().status_code == 200, "new connections are taken"
    eventually(lambda: client.ready() == 200, "questions are answered again", process)
    client.call()
    eventually(lambda: client.counted() == client.passed, "every call is counted", process)
    assert client.metric("log_lost_total") == 0


@pytest.fixture
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(seed=1, latency_scale=0) as running:
        yield running


def test_a_full_disk_delays_accounting_and_nothing_else(disk: Path, provider: SimulatedProvider) -> None:
    up = Up(disk, provider)
    with up.process("../log") as process:  # not on that disk
        process.ready()
        with a_client(up) as client:
            endured(up, client, process, full(disk))
        assert process.stop() == 0, process.output()[-3000:]


def test_a_spell_without_descriptors_delays_accounting_and_nothing_else(
    tmp_path: Path, provider: SimulatedProvider
) -> None:
    up = Up(tmp_path, provider)
    with up.process("log") as process:
        process.ready()
        with a_client(up) as client:
            endured(up, client, process, without_descriptors(process.pid), may_fail=True, queries_fail=True)
        assert process.stop() == 0, process.output()[-3000:]


def salvaged(up: Up) -> subprocess.CompletedProcess[str]:
    return farebox("journal", "salvage", "--data", str(up.data))


def test_a_journal_that_was_damaged_while_it_was_stopped_loses_no_call_and_is_plain_to_see(
    tmp_path: Path, provider: SimulatedProvider
) -> None:
    up = Up(tmp_path, provider)
    with up.process("first") as process:
        process.ready()
        with a_client(up) as client:
            for _ in range(5):
                client.call()
            eventually(lambda: client.counted() == 5, "the first calls are counted", process)
        assert process.stop() == 0
    with up.journal.open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(os.urandom(4096))

    with up.process("second") as process:
        process.ready()
        with a_client(up) as client:
            _follow_the_damage(up, client, process)
        assert process.stop() == 0

    with up.process("third") as process:
        process.ready()
        with a_client(up) as client:
            client.call()
            eventually(lambda: client.counted() == 56, "the log goes on after the damaged file is gone", process)
        assert process.stop() == 0


def _follow_the_damage(up: Up, client: Client, process: Process) -> None:
    for _ in range(50):
        client.call()
    eventually(lambda: client.counted() == 55, "calls on a damaged journal are counted", process)
    assert (client.metric("log_durable_total"), client.metric("log_lost_total")) == (50, 0)
    damaged = f"journal {up.journal} is damaged"
    assert client.health().json()["status"] == "degraded"
    assert client.metric("warnings") >= 1  # on a slow machine there may be another one
    assert damaged in client.health().text
    assert '"message": "journal is damaged' in process.output()
    doctor = up.farebox("doctor", "--proxy", up.proxy_url)
    assert doctor.returncode == 1
    result = "".join(doctor.stdout.split())  # whatever the lines are broken at
    assert "".join(damaged.split()) in result
    assert "fareboxjournalsalvage" in result

    salvage = salvaged(up)
    assert salvage.returncode == 0, salvage.stderr
    assert "back in the log" in salvage.stdout
    assert "Set aside as" in salvage.stdout
    eventually(lambda: client.metric("warnings") == 0, "there is nothing to warn of any more", process)
    assert client.counted() == 55
