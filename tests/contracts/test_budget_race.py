"""A thousand calls at once through four proxies, one of them killed: no dollar above the budget and its stated bound.

`python -m tests.bench.budgets --runs 20` does so again and again.
"""

from pathlib import Path

import pytest

from tests.servers.redis import RedisProcess
from tests.support.budget_calls import KINDS
from tests.support.budget_race import LIMIT_USD, Race

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("store", "proxies", "calls"), [("redis", 4, 1000), ("file", 1, 600)])
async def test_no_dollar_too_many_is_spent(
    store: str, proxies: int, calls: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url, cache_url = f"sqlite:{tmp_path / 'budgets.sqlite'}", f"sqlite:{tmp_path / 'cache.sqlite'}"
    if store == "redis":
        redis: RedisProcess = request.getfixturevalue("redis")
        url = cache_url = redis.url
    kill = proxies > 1
    outcome = await Race(tmp_path, url, cache_url=cache_url, proxies=proxies).run(calls, kill=kill, seed=1)
    assert sum(outcome.statuses.values()) == calls
    assert outcome.unchecked == 0
    # Where too many attempts fail no more are made, and clients get the failure.
    assert set(outcome.statuses) <= {200, 429, 502, 503} | ({0} if kill else set())
    assert outcome.statuses[429] > 0
    known_usd = outcome.billed_usd - outcome.unbounded_usd
    assert known_usd <= LIMIT_USD, "the reservations of the killed proxy are held"
    assert known_usd <= outcome.counted_usd + outcome.reserved_usd <= LIMIT_USD
    assert kill or outcome.reserved_usd == 0
    assert outcome.hits > 0
    assert set(outcome.billed) == {kind.name for kind in KINDS}
    assert known_usd > LIMIT_USD / 2, "the budget is not left unused either"
