"""`farebox up` when its accounting is killed, runs out of memory or loses its parent: no call notices."""

import asyncio
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from services.simulator.server import SimulatedProvider
from services.stores.journal.source import JournalSource
from tests.builders.logged_calls import CHAT, a_log
from tests.journeys.kills import START_S, Victim
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.processes import Process, children_of
from tests.servers.simulated import simulated_provider

pytestmark = pytest.mark.timeout(600)

PAUSE_S = 0.5  # between two calls of a connection: a start of accounting is to have some of the machine too


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    with simulated_provider() as url:
        yield url


@contextmanager
def running(folder: Path, provider_url: str) -> Iterator[Victim]:
    victim = Victim(folder / "data", provider_url=provider_url, durability="standard")
    with victim.up:
        victim.up.ready(START_S)
        yield victim


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory, provider_url: str) -> Iterator[Victim]:
    """One that each of its tests leaves as healthy as it was. Their rows and counts add up."""
    with running(tmp_path_factory.mktemp("survivor"), provider_url) as victim:
        yield victim


def accounting_of(process: Process) -> int:
    """The id of its accounting process."""
    (child,) = children_of(process.pid)
    return child


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, verify=TRUSTS_NOBODY, timeout=10)


def metric(victim: Victim, name: str) -> int:
    lines = get(f"{victim.proxy_url}/metrics").text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith(f"farebox_{name} "))


def eventually(is_so: Callable[[], bool], what: str, within_s: float = 120, *, every_s: float = 0.1) -> None:
    deadline_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline_s, what
        time.sleep(every_s)


def is_healthy(victim: Victim) -> bool:
    return get(f"{victim.proxy_url}/healthz").status_code == 200


def await_restart(victim: Victim, killed: int) -> None:
    """Returns when all is well again, on the same ports."""
    eventually(lambda: not is_healthy(victim), "the proxy's health shows that accounting has ended")
    health = get(f"{victim.proxy_url}/healthz").json()
    assert health["error"]["message"].startswith("accounting ended (")
    eventually(lambda: is_healthy(victim), "accounting runs again")
    assert get(f"{victim.query_url}/readyz").status_code == 200
    assert killed not in children_of(victim.up.pid)


def test_a_killed_accounting_costs_no_call_and_every_event_becomes_one_row(survivor: Victim) -> None:
    restarts = metric(survivor, "accounting_restarts_total")
    with survivor.loaded(PAUSE_S) as load:
        for kills in (1, 2):
            time.sleep(1)
            killed = accounting_of(survivor.up)
            os.kill(killed, signal.SIGKILL)
            await_restart(survivor, killed)
            assert metric(survivor, "accounting_restarts_total") == restarts + kills
        time.sleep(1)
    outcome = survivor.outcome(load)
    assert (load.broken, outcome.completed > 50, outcome.is_exact) == (0, True, True), outcome
    assert metric(survivor, "log_lost_total") == 0


def test_accounting_that_may_have_no_more_memory_is_restarted_with_new_memory(
    tmp_path: Path, provider_url: str
) -> None:
    # It may hang instead of ending, which the supervisor notices after a minute: calls are few, as all are listed then.
    # One that has worked before might need no more memory for long.
    with running(tmp_path, provider_url) as victim, victim.loaded(PAUSE_S) as load:
        starved = accounting_of(victim.up)
        resource.prlimit(starved, resource.RLIMIT_AS, (2**26, 2**26))
        eventually(lambda: metric(victim, "accounting_restarts_total") > 0, "it ends and is restarted", every_s=1)
        eventually(lambda: is_healthy(victim), "accounting runs again")
        load.stop()
        outcome = victim.outcome(load)
        assert (load.broken, outcome.is_exact) == (0, True), outcome


def test_while_accounting_is_down_queries_are_refused_with_the_reason_and_logged_calls_are_taken(
    survivor: Victim,
) -> None:
    stopped = accounting_of(survivor.up)
    os.kill(stopped, signal.SIGKILL)
    eventually(lambda: not is_healthy(survivor), "accounting is down")
    refused = get(f"{survivor.query_url}/readyz")
    assert (refused.status_code, refused.json()["data"]) == (503, None)
    assert "killed by SIGKILL" in refused.json()["error"]
    assert logged(survivor, "sent while down") == 200
    await_healthy_query(survivor)


def await_healthy_query(victim: Victim) -> None:
    eventually(lambda: get(f"{victim.query_url}/readyz").status_code == 200, "queries are served again")
    eventually(lambda: is_healthy(victim), "the proxy sees it too")


def logged(victim: Victim, _what: str) -> int:
    headers = {"Authorization": f"Bearer {victim.key}"}
    with httpx.Client(
        base_url=victim.proxy_url, headers=headers, trust_env=False, verify=TRUSTS_NOBODY, timeout=30
    ) as client:
        return client.post("/oai/v1/log", json=a_log(response=CHAT)).status_code


def test_a_log_over_another_keys_log_is_a_conflict_at_the_proxy(survivor: Victim) -> None:
    """The proxy asks accounting, over the channel between their processes."""
    request_id = "0b4c8a56-6a9a-4f37-a5a3-2f3f1d6c1a11"
    payload = a_log(response=CHAT, meta={"Helicone-Request-Id": request_id})
    first, other = survivor.key, (survivor.data / "api-key").read_text().strip()
    url, row = f"{survivor.query_url}/v1/request/{request_id}", {"Authorization": f"Bearer {first}"}
    with httpx.Client(base_url=survivor.proxy_url, trust_env=False, verify=TRUSTS_NOBODY, timeout=30) as client:
        statuses = []
        for key in (first, other):
            response = client.post("/oai/v1/log", json=payload, headers={"Authorization": f"Bearer {key}"})
            statuses.append(response.status_code)
            eventually(lambda: client.get(url, headers=row).status_code == 200, "the first one is a row")
    assert statuses == [200, 409]


@pytest.mark.parametrize("to_both", [False, True], ids=["the command's process", "both processes, as systemd does"])
def test_sigterm_ends_the_proxy_first_then_drains_the_log_then_ends_accounting(tmp_path: Path, to_both: bool) -> None:
    with SimulatedProvider(latency_scale=5) as provider, running(tmp_path, provider.url) as victim:
        accounting = accounting_of(victim.up)
        statuses: list[int] = []
        call = threading.Thread(target=lambda: statuses.append(a_slow_call(victim)))
        call.start()
        eventually(lambda: metric(victim, "proxy_requests_total") == 1, "the call is on its way")
        if to_both:
            os.kill(accounting, signal.SIGTERM)
        assert victim.up.stop(60) == 0
        call.join()
        assert statuses == [200], "the call that was on its way has ended well"
        assert not Path(f"/proc/{accounting}").exists()
        assert asyncio.run(backlog(victim.data / "journal.sqlite")) == 0, "its event, the last one, has become a row"


def a_slow_call(victim: Victim) -> int:
    headers = {"Authorization": "Bearer sk-x", "Helicone-Auth": f"Bearer {victim.key}"}
    chat = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}
    url = f"{victim.proxy_url}/oai/v1/chat/completions"
    return httpx.post(url, json=chat, headers=headers, trust_env=False, verify=TRUSTS_NOBODY, timeout=60).status_code


async def backlog(journal: Path) -> int:
    source = JournalSource(journal)
    try:
        return await source.backlog()
    finally:
        await source.close()


def test_accounting_ends_when_its_parent_is_killed_and_the_next_start_finds_the_folder_free(
    tmp_path: Path, provider_url: str
) -> None:
    with running(tmp_path, provider_url) as victim:
        accounting = accounting_of(victim.up)
        victim.up.kill()
        victim.up.start().ready(START_S)
        eventually(lambda: not Path(f"/proc/{accounting}").exists(), "the orphan has ended")
        assert accounting_of(victim.up) != accounting
