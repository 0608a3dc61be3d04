"""What a PricingReleaseRegistry owes, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import genai_prices
import pytest
from sqlalchemy import create_engine, text

from schemas.errors import StoreUnavailable
from schemas.price import PRICING_VERSION
from services.stores.state import releases
from services.stores.state.migrations.run import migrate_state
from services.stores.state.prices import LEAD
from services.stores.state.releases import LEASE, SqlPricingReleases, current_pricing_release

Worker = Callable[[str], SqlPricingReleases]


@pytest.fixture
def worker(state_url: str) -> Iterator[Worker]:
    """Makes a worker's way to the releases, each as in a process of its own."""
    with ExitStack() as stack:

        def opened(release: str) -> SqlPricingReleases:
            store = SqlPricingReleases(state_url, release=release)
            stack.callback(lambda: asyncio.run(store.close()))
            return store

        asyncio.run(migrate_state(state_url))
        yield opened


def others(store: SqlPricingReleases) -> datetime | None:
    return asyncio.run(store.other_release_active_until())


def test_workers_of_one_release_find_no_other_one(worker: Worker) -> None:
    first, second = worker("one"), worker("one")
    assert [others(first), others(second), others(first)] == [None, None, None]


def test_each_of_two_releases_finds_until_when_the_other_one_may_charge(worker: Worker) -> None:
    old, new = worker("old"), worker("new")
    before = datetime.now(UTC)
    others(old)
    after = datetime.now(UTC)
    active_until = others(new)
    assert active_until is not None
    assert before <= active_until - LEASE - LEAD <= after
    its_end = others(old)
    assert its_end is not None
    assert active_until <= its_end


def test_a_release_registers_before_it_looks_for_others(worker: Worker) -> None:
    stores = [worker(f"release {number}") for number in range(6)]
    with ThreadPoolExecutor(len(stores)) as threads:
        active_until = list(threads.map(others, stores))
    # Of two releases that begin at once one at least finds the other; so all but one of these find another.
    assert active_until.count(None) <= 1


def test_workers_that_begin_at_once_agree_on_one_row(worker: Worker, state_url: str) -> None:
    stores = [worker("one") for _ in range(8)]
    with ThreadPoolExecutor(len(stores)) as threads:
        assert set(threads.map(others, stores)) == {None}
    engine = create_engine(state_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pricing_release")).scalar_one() == 1
    engine.dispose()


def test_a_release_that_goes_on_charging_keeps_saying_so(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "LEASE", timedelta(milliseconds=40))
    old, new = worker("old"), worker("new")
    others(old)
    first = others(new)
    asyncio.run(asyncio.sleep(0.05))
    assert others(new) == first
    others(old)
    later = others(new)
    assert first is not None
    assert later is not None
    assert later >= first + timedelta(milliseconds=50)


def test_a_release_that_comes_back_finds_the_one_in_between(worker: Worker) -> None:
    others(worker("old"))
    others(worker("new"))
    assert others(worker("old")) is not None


def test_a_table_that_is_not_there_yet_is_an_outage(tmp_path: Path) -> None:
    store = SqlPricingReleases(f"sqlite:///{tmp_path}/state.sqlite")
    with pytest.raises(StoreUnavailable):
        others(store)
    asyncio.run(store.close())


def test_a_release_is_named_by_its_rules_and_its_prices() -> None:
    assert current_pricing_release() == f"pricing {PRICING_VERSION}, genai-prices {genai_prices.__version__}"
