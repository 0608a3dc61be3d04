"""Every command of `farebox` beside a loaded system: it does what it says, and what was durable stays.

The processes are killed afterwards, since a log that was deleted below a process shows only once it is gone.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from tests.journeys.load import Load
from tests.journeys.operator import EMBEDDED_ONLY, EVERYWHERE, Operator, every_command
from tests.journeys.story import Story
from tests.servers.processes import Process, free_port
from tests.servers.simulated import simulated_provider

REQUESTS = 1_000_000  # more than there is time for


def test_no_command_is_left_out() -> None:
    assert every_command() == set(EVERYWHERE) | set(EMBEDDED_ONLY)


@contextmanager
def loaded(ports: list[int], key: str) -> Iterator[Load]:
    """Calls run while the block does; on leaving it, all of them have ended."""
    load = Load(ports, key=key, requests=REQUESTS, connections=4, pause_s=0.5)
    thread = threading.Thread(target=lambda: asyncio.run(load.run()))
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join(60)


def type_all(operator: Operator, commands: Mapping[str, Callable[[Operator], None]]) -> None:
    for deed in commands.values():
        deed(operator)


def assert_nothing_lost(story: Story, load: Load) -> None:
    assert load.broken == 0
    assert len(load.ledger) > 20
    rows = story.rows(load.ledger, within_s=60)
    assert {request_id: Decimal(row["cost_usd"]) for request_id, row in rows.items()} == load.ledger


@pytest.mark.timeout(900)
def test_every_command_beside_a_loaded_farebox_up(tmp_path: Path) -> None:
    data = tmp_path / "data"
    proxy_port, query_port = free_port(), free_port()
    proxy_url, query_url = f"http://127.0.0.1:{proxy_port}", f"http://127.0.0.1:{query_port}"
    with simulated_provider() as provider_url:
        env = {
            "FAREBOX_OPENAI_URL": provider_url,
            "FAREBOX_ANTHROPIC_URL": provider_url,
            "FAREBOX_PROXY_PORT": str(proxy_port),
            "FAREBOX_QUERY_PORT": str(query_port),
        }
        command = ["-m", "services.cli", "up", "--data", str(data)]
        process = Process(command, env=env, log=tmp_path / "up.log", ready_url=f"{query_url}/readyz")
        with process:
            process.ready()
            story = Story(proxy_url=proxy_url, query_url=query_url, key=(data / "api-key").read_text().strip())
            typed_with = env | {"FAREBOX_EVENT_LOG": f"journal:{data}/journal.sqlite"}
            operator = Operator(story, env=typed_with, data=data, proxy_url=proxy_url, organization="default")
            with loaded([proxy_port], story.key) as load:
                type_all(operator, EVERYWHERE)
                type_all(operator, EMBEDDED_ONLY)
            story.rows(load.ledger)
            process.kill()
            process.start().ready()
            assert_nothing_lost(story, load)
            operator.all_is_as_it_was_given()
            story.close()
