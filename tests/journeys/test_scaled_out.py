"""The walkthrough on real Kafka and a real ClickHouse server: two proxies, three workers, and all of them killed."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.key import Permission
from services.stores.factory import open_keys
from tests.journeys import receipts, walkthrough
from tests.journeys.load import Load
from tests.journeys.operator import EVERYWHERE, Operator
from tests.journeys.story import Story
from tests.journeys.test_commands_beside_load import assert_nothing_lost, loaded, type_all
from tests.servers.processes import Process, free_port
from tests.servers.simulated import simulated_provider

REQUESTS = 3_000


class Fleet:
    """Every process of a scaled-out Farebox, each on its own port, wired by environment only."""

    def __init__(self, folder: Path, *, kafka: str, clickhouse: str, provider_url: str, state: str = "") -> None:
        self._folder = folder
        self.common = {
            "FAREBOX_EVENT_LOG": f"kafka://{kafka}",
            "FAREBOX_WAREHOUSE": clickhouse,
            "FAREBOX_STATE": state or f"sqlite:///{folder}/state.sqlite",
        }
        self.state = self.common["FAREBOX_STATE"]
        self._upstreams = {"FAREBOX_OPENAI_URL": provider_url, "FAREBOX_ANTHROPIC_URL": provider_url}
        self.proxies = [self._proxy(number) for number in range(2)]
        self.workers = [self._worker(number) for number in range(3)]
        self.query, self.query_url = self._query()

    @property
    def everyone(self) -> list[Process]:
        return [*(proxy for proxy, _ in self.proxies), *self.workers, self.query]

    def migrate(self) -> None:
        Process(["-m", "services.migrate"], env=self.common, log=self._folder / "migrate.log").run()

    def start(self) -> None:
        for process in self.everyone:
            process.start()
        for process in self.everyone:
            process.ready()

    def stop(self) -> None:
        for process in self.everyone:
            process.stop()

    def restart(self, process: Process) -> None:
        """SIGKILL, and up again as a supervisor would do."""
        process.kill()
        process.start().ready()

    def _proxy(self, number: int) -> tuple[Process, int]:
        port = free_port()
        # Strict: a response that was completed is in the log, whatever happens to the proxy.
        env = {
            **self.common,
            **self._upstreams,
            "FAREBOX_PROXY_PORT": str(port),
            "FAREBOX_DURABILITY": "strict",
            "FAREBOX_KAFKA_SPILL": f"{self._folder}/spill-{number}.sqlite",
        }
        return self._process("proxy", number, env, f"http://127.0.0.1:{port}/healthz"), port

    def _worker(self, number: int) -> Process:
        port = free_port()
        env = self.common | {"FAREBOX_WORKER_PORT": str(port)}
        return self._process("worker", number, env, f"http://127.0.0.1:{port}/healthz")

    def _query(self) -> tuple[Process, str]:
        url = f"http://127.0.0.1:{(port := free_port())}"
        env = self.common | {
            "FAREBOX_QUERY_PORT": str(port),
            "FAREBOX_KAFKA_SPILL": f"{self._folder}/spill-query.sqlite",
        }
        return self._process("query", 0, env, f"{url}/readyz"), url

    def _process(self, name: str, number: int, env: dict[str, str], ready_url: str) -> Process:
        log = self._folder / f"{name}-{number}.log"
        return Process(["-m", f"services.{name}"], env=env, log=log, ready_url=ready_url)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, kafka: str, clickhouse: str, postgres: str) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with simulated_provider(error_share=0) as provider_url:
        fleet = Fleet(folder, kafka=kafka, clickhouse=clickhouse, provider_url=provider_url, state=postgres)
        fleet.migrate()
        fleet.start()
        yield fleet
        fleet.stop()


def new_key(fleet: Fleet, organization_id: str) -> str:
    """The secret of an administrator's key."""

    async def create() -> str:
        keys = open_keys(fleet.state)
        try:
            return (await keys.create_key(organization_id=organization_id, name="t", permission=Permission.ADMIN))[1]
        finally:
            await keys.close()

    return asyncio.run(create())


def _story(fleet: Fleet, organization_id: str, proxy: int = 0) -> Story:
    proxy_url = f"http://127.0.0.1:{fleet.proxies[proxy][1]}"
    return Story(proxy_url=proxy_url, query_url=fleet.query_url, key=new_key(fleet, organization_id))


def test_the_walkthrough_comes_true_on_kafka_and_clickhouse(fleet: Fleet) -> None:
    story = _story(fleet, "org-walkthrough")
    walkthrough.tell(story, {"FAREBOX_URL": fleet.query_url, "FAREBOX_KEY": story.key})
    story.close()


def test_costs_are_defended_on_kafka_and_clickhouse(fleet: Fleet) -> None:
    story = _story(fleet, "org-receipts")
    receipts.tell(story)
    story.close()


@pytest.mark.timeout(600)
def test_no_completed_request_is_lost_or_doubled_when_a_worker_and_a_proxy_are_killed(fleet: Fleet) -> None:
    story = _story(fleet, "org-load")
    ports = [port for _, port in fleet.proxies]
    load = Load(ports, key=story.key, requests=REQUESTS, connections=16)
    load.at(REQUESTS // 4, lambda: fleet.restart(fleet.workers[0]))
    load.at(REQUESTS // 2, lambda: fleet.restart(fleet.proxies[0][0]))
    asyncio.run(load.run())

    rows = story.rows(load.ledger, within_s=120)
    assert load.broken > 0, "the proxy was killed while it answered"
    assert len(load.ledger) + load.broken == REQUESTS
    assert len(load.ledger) > REQUESTS * 0.8, "the other proxy went on"
    costs = {request_id: Decimal(row["cost_usd"]) for request_id, row in rows.items()}
    assert costs == load.ledger

    # What is stored beyond the ledger are calls whose response did not reach the client; nothing is there twice.
    stored = story.all_rows()
    total = story.ask("/v1/report/summary?since=1d")[1]["data"]["total"]
    story.close()
    assert len(stored) - len(rows) <= load.broken
    assert total["requests"] == len(stored)
    assert Decimal(total["cost_usd"]) == sum(Decimal(row["cost_usd"] or 0) for row in stored.values())


@pytest.mark.timeout(900)
def test_every_command_beside_a_loaded_system_that_is_scaled_out(fleet: Fleet, tmp_path: Path) -> None:
    organization, ports, data = "org-commands", [port for _, port in fleet.proxies], tmp_path / "data"
    story = _story(fleet, organization)
    env = fleet.proxies[0][0].env | fleet.workers[0].env
    operator = Operator(story, env=env, data=data, proxy_url=f"http://127.0.0.1:{ports[0]}", organization=organization)
    with loaded(ports, story.key) as load:
        type_all(operator, EVERYWHERE)
    story.rows(load.ledger)
    for process in fleet.everyone:
        fleet.restart(process)
    assert_nothing_lost(story, load)
    operator.all_is_as_it_was_given()
    story.close()
