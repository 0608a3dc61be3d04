"""A proxy that is killed under load: `make kill-test` kills it fifty times, this some."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.kills import kill_proxies
from tests.servers.simulated import simulated_provider


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    # A call takes longer there than all else, so nearly all connections have one open at any time. That is some
    # hundred calls a second: a thousand more would prove nothing and cost minutes.
    with simulated_provider(latency_scale=0.1) as url:
        yield url


@pytest.mark.parametrize("durability", ["standard", "strict"])
def test_no_completed_call_is_lost_or_doubled_when_its_proxy_is_killed(
    tmp_path: Path, provider_url: str, durability: str
) -> None:
    outcome = kill_proxies(tmp_path / "data", provider_url=provider_url, durability=durability, kills=3, within_s=30)
    assert outcome.kills > 0
    assert outcome.completed > 0
    assert outcome.is_exact, outcome
