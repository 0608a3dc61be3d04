"""What budgets cost, and whether they hold: `python -m tests.bench.budgets`.

Requests one after another through a proxy in this process, without budgets, with none for the organization, and with
one, in a file and in Redis; `/v1/me/spend` by counters and by the ledger; and, with `--runs`, that many races of a
thousand calls over four proxies on Redis, and over two on a file, of which one is killed, each against five dollars.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from schemas.budget import Budget, Segment
from services.proxy.budgets.use import BudgetStores
from services.proxy.rate_limits import LimitStores
from services.stores.factory import open_budget_counters
from services.stores.limits.memory_limits import MemoryLimits
from services.stores.state.budgets import SqlBudgets
from tests.builders.budgets import KnownBudgets, a_budget
from tests.builders.records import ORGANIZATION
from tests.servers.proxy_rig import rig
from tests.servers.querying import Client, query_service
from tests.servers.redis import redis_process
from tests.servers.warehouses import migrated
from tests.support.budget_calls import ANSWER, PLAIN
from tests.support.budget_race import LIMIT_USD, Race


async def request_us(budgets: Sequence[Budget] | None, url: str, requests: int) -> list[int]:
    """How long each request took, in microseconds."""
    counters = open_budget_counters(url, timeout_s=5)
    stores = None if budgets is None else BudgetStores(rows=KnownBudgets(*budgets), counters=counters)
    took, body = [], PLAIN.request(0, "", "").partition(b"\r\n\r\n")[2]
    async with rig(limit_stores=LimitStores(levels=MemoryLimits(), budgets=stores)) as proxy:
        proxy.provider.script = [ANSWER]
        async with proxy.client() as client:
            for _ in range(requests):
                began = time.perf_counter()
                response = await client.post("/oai/v1/chat/completions", content=body)
                took.append(round((time.perf_counter() - began) * 1e6))
                assert response.status_code == 200
    await counters.close()
    return sorted(took[requests // 10 :])


def show(name: str, took_us: Sequence[int]) -> None:
    count = len(took_us)
    print(f"{name:45} p50 {took_us[count // 2]:>7,} µs   p95 {took_us[count * 95 // 100]:>7,} µs")


def spend_us(folder: Path, requests: int, *, counted: bool) -> list[int]:
    with migrated(f"chdb:{folder / 'warehouse'}") as warehouse, query_service(warehouse, folder) as service:
        client = Client(service, ORGANIZATION, service.key(ORGANIZATION))
        for _ in range(20):
            client.keep(*({"user_id": f"user-{number % 50}", "cost_usd": Decimal("0.01")} for number in range(1_000)))
        if counted:
            rows = SqlBudgets(f"sqlite:///{folder}/state.sqlite")
            asyncio.run(rows.add_budget(a_budget("25", segment=Segment.USER)))
        took = []
        for number in range(requests):
            url = f"http://127.0.0.1:{service.port}/v1/me/spend?user=user-{number % 50}"
            request = urllib.request.Request(url, headers={"Authorization": f"Bearer {client.key}"})
            began = time.perf_counter()
            with urllib.request.urlopen(request) as response:
                response.read()
            took.append(round((time.perf_counter() - began) * 1e6))
    return sorted(took[requests // 10 :])


def run_race(redis: str, seed: int) -> None:
    """`redis` is '' for a file that two proxies of one machine share."""
    with tempfile.TemporaryDirectory() as folder:
        url, proxies = (redis, 4) if redis else (f"sqlite:{folder}/budgets.sqlite", 2)
        cache_url = redis or f"sqlite:{folder}/cache.sqlite"
        race = Race(Path(folder), url, cache_url=cache_url, proxies=proxies)
        outcome = asyncio.run(race.run(1000, kill=True, seed=seed))
    print(
        f"race {seed:>3}, {'Redis' if redis else 'file'}: billed ${outcome.billed_usd}, "
        f"counted ${outcome.counted_usd}, "
        f"held for the killed proxy ${outcome.reserved_usd}, unchecked {outcome.unchecked}, "
        f"of unknown bound ${outcome.unbounded_usd}, hits {outcome.hits}, billed {outcome.billed}, "
        f"responses {dict(sorted(outcome.statuses.items()))}"
    )
    assert outcome.unchecked == 0
    assert outcome.billed_usd <= LIMIT_USD + outcome.unbounded_usd
    assert outcome.counted_usd + outcome.reserved_usd <= LIMIT_USD


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=500)
    options.add_argument("--runs", type=int, default=0, help="of the race")
    chosen = options.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(redis_process()).url
        file = f"sqlite:{folder / 'budgets.sqlite'}"
        other = [a_budget("5", organization_id="another")]
        show("no budgets", asyncio.run(request_us(None, file, chosen.requests)))
        show("budgets of others only", asyncio.run(request_us(other, file, chosen.requests)))
        show("one budget, in a file", asyncio.run(request_us([a_budget("1000")], file, chosen.requests)))
        show("one budget, in Redis", asyncio.run(request_us([a_budget("1000")], redis, chosen.requests)))
        for number, counted in enumerate((True, False)):
            place = folder / f"{number}"
            place.mkdir()
            show(f"/v1/me/spend by {'counters' if counted else 'ledger'}", spend_us(place, 300, counted=counted))
        for seed in range(chosen.runs):
            run_race(redis, seed)
            run_race("", seed)


if __name__ == "__main__":
    main()
