"""When the worker inside `farebox up` must not go on: calls still pass, it is plain to see, and nothing is lost."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from services.simulator.server import SimulatedProvider
from services.stores.journal.sink import JournalSink
from services.telemetry.metrics import Metrics
from services.worker.loop import MAX_DEAD_LETTERS
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.processes import Process, free_port
from tests.support.command_line import farebox

WHY = f"accounting stopped ({MAX_DEAD_LETTERS + 1} of the last {MAX_DEAD_LETTERS + 1} events are unusable"


class Up:
    """A `farebox up` whose data stay when it stops."""

    def __init__(self, folder: Path, provider: SimulatedProvider) -> None:
        self.data = folder / "data"
        self._folder = folder
        self._env = {"FAREBOX_OPENAI_URL": provider.url, "FAREBOX_ANTHROPIC_URL": provider.url}

    def process(self, name: str, **env: str) -> Process:
        proxy, query = free_port(), free_port()
        self.proxy_url, self.query_url = f"http://127.0.0.1:{proxy}", f"http://127.0.0.1:{query}"
        ports = {"FAREBOX_PROXY_PORT": str(proxy), "FAREBOX_QUERY_PORT": str(query)}
        command = ["-m", "services.cli", "up", "--data", str(self.data)]
        return Process(
            command, env=self._env | ports | env, log=self._folder / name, ready_url=f"{self.proxy_url}/metrics"
        )

    @property
    def journal(self) -> Path:
        return self.data / "journal.sqlite"

    @property
    def key(self) -> str:
        return (self.data / "api-key").read_text().strip()

    def health(self) -> httpx.Response:
        return httpx.get(f"{self.proxy_url}/healthz", trust_env=False, verify=TRUSTS_NOBODY)

    def call(self) -> None:
        headers = {"Helicone-Auth": f"Bearer {self.key}"}
        base_url = f"{self.proxy_url}/oai/v1"
        with openai.OpenAI(base_url=base_url, api_key="sk-x", max_retries=0, default_headers=headers) as client:
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}])

    def farebox(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return farebox(*arguments, "--data", str(self.data), "--url", self.query_url)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with SimulatedProvider(seed=1, latency_scale=0) as provider:
        yield Up(tmp_path, provider)


async def _append(journal: Path, payloads: list[bytes]) -> None:
    sink = JournalSink(journal, metrics=Metrics())
    for receipt in [sink.append(payload) for payload in payloads]:
        await receipt
    await sink.close()


def _wait_until_ill(up: Up) -> httpx.Response:
    deadline = time.monotonic() + 30
    while (health := up.health()).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return health


def test_what_stops_the_worker_for_good_stops_no_call_is_plain_to_see_and_loses_nothing(up: Up) -> None:
    asyncio.run(_append(up.journal, [b"not an event"] * (MAX_DEAD_LETTERS + 1)))
    with up.process("first") as process:
        process.ready()
        health = _wait_until_ill(up)
        assert (health.status_code, health.json()["error"]["code"]) == (503, "unavailable")
        assert health.json()["error"]["message"].startswith(WHY)
        with pytest.raises(httpx.ConnectError):
            httpx.get(up.query_url, trust_env=False, verify=TRUSTS_NOBODY)
        up.call()
        assert process.stop() == 1
        last_line = process.output().splitlines()[-1]
        assert last_line.startswith(f"farebox: {WHY}")
        assert '"level": "error"' in process.output()

    with up.process("second", FAREBOX_MAX_DEAD_LETTER_RATIO="1") as process:
        process.ready()
        assert _requests_counted(up) == 1
        assert up.health().status_code == 200
        assert process.stop() == 0


def _requests_counted(up: Up) -> int:
    """Once there are some."""
    deadline = time.monotonic() + 30
    while True:
        result = up.farebox("report", "--json")
        counted = int(json.loads(result.stdout)["total"]["requests"]) if result.returncode == 0 else 0
        if counted or time.monotonic() > deadline:
            return counted
