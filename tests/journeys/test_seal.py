"""Workers that run, stop, lag, are killed and come back: at each step a response says how complete it is."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.journeys.story import Story
from tests.journeys.test_scaled_out import Fleet, new_key
from tests.servers.plain_http import TRUSTS_NOBODY
from tests.servers.simulated import simulated_provider
from tests.support.command_line import farebox

LIST = "/v1/request/query-clickhouse"
CALLS = 60


class SmallFleet(Fleet):
    """One of each process, on any log."""

    def __init__(self, folder: Path, *, event_log: str, clickhouse: str, provider_url: str) -> None:
        super().__init__(folder, kafka="", clickhouse=clickhouse, provider_url=provider_url)
        self.common["FAREBOX_EVENT_LOG"] = event_log
        self.proxies, self.workers = [self._proxy(0)], [self._worker(0)]
        self.query, self.query_url = self._query()
        self.worker = self.workers[0]
        self.worker_url = self.worker.ready_url.removesuffix("/healthz")


@pytest.fixture(params=["journal", "kafka"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path, clickhouse: str) -> Iterator[SmallFleet]:
    is_journal = request.param == "journal"
    event_log = f"journal:{tmp_path}/journal.sqlite" if is_journal else f"kafka://{request.getfixturevalue('kafka')}"
    with simulated_provider(error_share=0) as provider_url:
        fleet = SmallFleet(tmp_path, event_log=event_log, clickhouse=clickhouse, provider_url=provider_url)
        fleet.migrate()
        fleet.start()
        try:
            yield fleet
        finally:
            fleet.stop()


class Asker:
    """Asks one Farebox in every way."""

    def __init__(self, fleet: SmallFleet, key: str) -> None:
        self._fleet = fleet
        self._key = key
        self._client = httpx.Client(
            base_url=fleet.query_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
            verify=TRUSTS_NOBODY,
        )

    def close(self) -> None:
        self._client.close()

    def report(self) -> tuple[dict[str, Any], int]:
        """Seal and requests."""
        body = {"measures": ["requests"], "timeFilter": {"start": "2026-01-01T00:00:00Z"}}
        response = self._client.post("/v1/report", json=body).json()
        return response["seal"], response["data"]["total"]["requests"]

    def seals(self) -> dict[str, dict[str, Any]]:
        """Of every response that has rows or sums."""
        everything = {"filter": "all"}
        responses = {
            "summary": self._client.get("/v1/report/summary"),
            "list": self._client.post(LIST, json=everything),
            "count": self._client.post("/v1/request/count/query", json=everything),
            "ids": self._client.post("/v1/request/query-ids", json={"requestIds": []}),
            "readyz": self._client.get("/readyz"),
        }
        return {name: response.json()["seal"] for name, response in responses.items()} | {"report": self.report()[0]}

    def csv(self) -> str:
        return self._client.post(LIST, json={"filter": "all"}, headers={"Accept": "text/csv"}).text

    def absent(self) -> str:
        """What is said of a request that is not there."""
        response = self._client.get(f"/v1/request/{uuid.uuid4()}")
        assert response.status_code == 404
        return str(response.json()["error"])

    def readyz(self) -> tuple[int, dict[str, Any]]:
        response = self._client.get("/readyz")
        return response.status_code, response.json()

    def metric(self, name: str) -> float:
        lines = self._client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"farebox_{name} ")).split()[1])

    def typed(self, *command: str) -> tuple[int, str]:
        """Exit code and text of a command."""
        done = farebox(*command, FAREBOX_URL=self._fleet.query_url, FAREBOX_KEY=self._key, COLUMNS="200")
        return done.returncode, done.stdout

    def doctor(self) -> tuple[int, str]:
        proxy = f"http://127.0.0.1:{self._fleet.proxies[0][1]}"
        return self.typed("doctor", "--proxy", proxy, "--worker", self._fleet.worker_url)

    def until_complete(self, requests: int, since: datetime) -> None:
        """Returns when so many requests are there, and it is said that these are all until after `since`."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            seal, found = self.report()
            if seal["state"] == "complete" and _until(seal) > since:
                assert found == requests, "what is complete lacks nothing"
                return
            time.sleep(0.2)
        raise AssertionError((seal, found))

    def until_waiting(self, count: int) -> None:
        """Returns when so many events wait. What a writer held when it was last heard may count twice until then."""
        time.sleep(1)  # a seal is used for half a second
        deadline = time.monotonic() + 10
        while (seal := self.report()[0])["events_waiting"] != count:
            assert seal["state"] == "waiting", "nothing looks complete meanwhile"
            assert time.monotonic() < deadline, seal
            time.sleep(0.2)


def _until(seal: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(seal["complete_until"])


@pytest.mark.timeout(300)
def test_no_response_looks_complete_while_workers_are_stopped_and_all_do_once_they_are_back(fleet: SmallFleet) -> None:
    key = new_key(fleet, f"org-{uuid.uuid4()}")
    story = Story(proxy_url=f"http://127.0.0.1:{fleet.proxies[0][1]}", query_url=fleet.query_url, key=key)
    asker = Asker(fleet, key)

    _chat(story, 5)
    asker.until_complete(5, datetime.now(UTC))
    assert "not counted yet" not in asker.absent()
    status, ready = asker.readyz()
    assert (status, ready["data"], ready["warnings"]) == (200, "ok", [])

    fleet.worker.stop()
    before = datetime.now(UTC)
    _chat(story, CALLS)
    _assert_waiting(asker, CALLS, before, requests=5)

    fleet.worker.start().ready()
    asker.until_complete(5 + CALLS, datetime.now(UTC))
    assert asker.metric("totals_events_waiting") == 0
    assert "Complete until" in asker.typed("report")[1]

    fleet.worker.kill()
    before = datetime.now(UTC)
    _chat(story, 3)
    asker.until_waiting(3)
    seal, requests = asker.report()
    assert (seal["state"], seal["events_waiting"], requests) == ("waiting", 3, 5 + CALLS)
    assert _until(seal) < before

    fleet.worker.start().ready()
    asker.until_complete(8 + CALLS, datetime.now(UTC))
    asker.close()
    story.close()


def _chat(story: Story, count: int) -> None:
    for _ in range(count):
        story.chat()


def _assert_waiting(asker: Asker, count: int, before: datetime, *, requests: int) -> None:
    """In every response, on every page and in every command."""
    asker.until_waiting(count)
    assert asker.report()[1] == requests
    for name, seal in asker.seals().items():
        assert (seal["state"], seal["events_waiting"], seal["reason"]) == ("waiting", count, "no worker runs"), name
        assert _until(seal) < before, name
    text = asker.csv()
    assert "# state: waiting\r\n" in text
    assert f"# events_waiting: {count}\r\n" in text
    assert asker.absent().endswith(", unless it is not counted yet: no worker runs")
    status, ready = asker.readyz()
    assert (status, ready["data"]) == (200, "degraded")
    assert f"{count} events wait: no worker runs" in ready["warnings"][0]
    assert asker.metric("totals_events_waiting") == count
    assert asker.metric("totals_lag_seconds") > 1
    assert f"only: {count} events wait to be counted (no worker runs)." in asker.typed("report")[1]
    code, findings = asker.doctor()
    assert (code, "no worker runs" in findings) == (1, True)
