"""The walkthrough on the shape that needs no server: one process, started as the README says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys import free_tier, receipts, walkthrough
from tests.journeys.story import Story
from tests.servers.processes import Process, free_port
from tests.servers.simulated import simulated_provider


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Story, dict[str, str]]]:
    folder: Path = tmp_path_factory.mktemp("embedded")
    proxy_port, query_port = free_port(), free_port()
    with simulated_provider(error_share=0) as provider_url:
        env = {
            "FAREBOX_OPENAI_URL": provider_url,
            "FAREBOX_ANTHROPIC_URL": provider_url,
            "FAREBOX_PROXY_PORT": str(proxy_port),
            "FAREBOX_QUERY_PORT": str(query_port),
        }
        query_url = f"http://127.0.0.1:{query_port}"
        data = folder / "data"
        with Process(
            ["-m", "services.cli", "up", "--data", str(data)],
            env=env,
            log=folder / "up.log",
            ready_url=f"{query_url}/readyz",
        ) as process:
            process.ready()
            key = (data / "api-key").read_text().strip()
            story = Story(proxy_url=f"http://127.0.0.1:{proxy_port}", query_url=query_url, key=key)
            yield story, env | {"FAREBOX_URL": query_url, "FAREBOX_KEY": key}
            story.close()


def test_the_walkthrough_comes_true_in_one_process(embedded: tuple[Story, dict[str, str]]) -> None:
    walkthrough.tell(*embedded)


def test_costs_are_defended_in_one_process(embedded: tuple[Story, dict[str, str]]) -> None:
    receipts.tell(embedded[0])


def test_free_users_are_limited_by_their_monthly_cost(embedded: tuple[Story, dict[str, str]]) -> None:
    free_tier.tell(*embedded)
