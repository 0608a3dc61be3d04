"""What the record of re-pricings owes, on SQLite and on PostgreSQL: one at a time, and nothing lost."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from schemas.errors import Conflict, StoreUnavailable
from schemas.reprice import Criteria, DayDifference, Difference, Reprice, RepriceResult, RepriceState
from services.stores.state.migrations.run import migrate_state
from services.stores.state.reprices import LEASE_FOR, SqlReprices
from tests.builders.records import TIMESTAMP

CRITERIA = Criteria(model="gpt-4o*", provider="OPENAI", since=TIMESTAMP - timedelta(days=7), until=TIMESTAMP)
DIFFERENCE = Difference(
    requests=3, changed=2, newly_priced=1, before_usd=Decimal("0.000000000001"), after_usd=Decimal(7)
)
OUTCOME = RepriceResult(
    total=DIFFERENCE, days=(DayDifference(model="gpt-4o", day=date(2026, 11, 1), difference=DIFFERENCE),)
)
LATER = TIMESTAMP + LEASE_FOR + timedelta(seconds=1)


@pytest.fixture
def reprices(state_url: str) -> Iterator[SqlReprices]:
    asyncio.run(migrate_state(state_url))
    store = SqlReprices(state_url)
    yield store
    asyncio.run(store.close())


def begin(reprices: SqlReprices, organization_id: str, *, dry_run: bool = False) -> Reprice:
    return asyncio.run(reprices.begin(organization_id, CRITERIA, dry_run=dry_run, at=TIMESTAMP))


def known(reprices: SqlReprices, run: Reprice) -> Reprice | None:
    return asyncio.run(reprices.get_reprice(run.organization_id, run.id))


def ended(run: Reprice) -> Reprice:
    return replace(run, state=RepriceState.DONE, rows_total=3, rows_done=3, result=OUTCOME, ended_at=TIMESTAMP)


def test_a_run_is_kept_to_the_last_digit(reprices: SqlReprices, organization_id: str) -> None:
    run = begin(reprices, organization_id)
    assert known(reprices, run) == run
    asyncio.run(reprices.end(ended(run)))
    assert known(reprices, run) == ended(run)


def test_how_far_a_run_is_can_be_seen_while_it_goes_on(reprices: SqlReprices, organization_id: str) -> None:
    run = replace(begin(reprices, organization_id), rows_total=10, rows_done=4)
    assert asyncio.run(reprices.advance(run, at=TIMESTAMP))
    assert known(reprices, run) == run


def test_of_many_that_begin_at_once_one_is_let_in(state_url: str, reprices: SqlReprices, organization_id: str) -> None:
    async def all_at_once() -> list[Reprice | BaseException]:
        stores = [SqlReprices(state_url) for _ in range(3)]
        attempts = (
            store.begin(organization_id, CRITERIA, dry_run=False, at=TIMESTAMP) for store in stores for _ in range(3)
        )
        results = await asyncio.gather(*attempts, return_exceptions=True)
        for store in stores:
            await store.close()
        return results

    results = asyncio.run(all_at_once())
    (first,) = [run for run in results if isinstance(run, Reprice)]
    # SQLite may be too busy with one writer to say more to another.
    assert all(isinstance(refusal, Conflict | StoreUnavailable) for refusal in results if refusal is not first)
    assert [run.id for run in asyncio.run(reprices.list_reprices(organization_id, limit=9))] == [first.id]


def test_organizations_do_not_wait_for_each_other(reprices: SqlReprices, organization_id: str) -> None:
    run, theirs = begin(reprices, organization_id), begin(reprices, f"{organization_id}-other")
    assert known(reprices, replace(run, organization_id=theirs.organization_id)) is None
    assert [one.id for one in asyncio.run(reprices.list_reprices(organization_id, limit=9))] == [run.id]


def test_a_lease_lasts_as_long_as_it_is_renewed(reprices: SqlReprices, organization_id: str) -> None:
    run = begin(reprices, organization_id)
    almost = TIMESTAMP + LEASE_FOR
    assert asyncio.run(reprices.advance(run, at=almost))
    with pytest.raises(Conflict, match=run.id):
        asyncio.run(reprices.begin(organization_id, CRITERIA, dry_run=True, at=LATER))
    asyncio.run(reprices.end(ended(run)))
    assert asyncio.run(reprices.begin(organization_id, CRITERIA, dry_run=True, at=LATER)).dry_run


def test_a_run_that_lost_its_lease_writes_nothing_more(reprices: SqlReprices, organization_id: str) -> None:
    lost = begin(reprices, organization_id)
    run = asyncio.run(reprices.begin(organization_id, CRITERIA, dry_run=False, at=LATER))
    assert not asyncio.run(reprices.advance(replace(lost, rows_done=5), at=LATER))
    asyncio.run(reprices.end(ended(lost)))
    found = known(reprices, lost)
    assert found is not None
    assert (found.state, found.error, found.rows_done) == (RepriceState.FAILED, "its process died", 0)
    assert asyncio.run(reprices.advance(run, at=LATER)), "and the other goes on"


def test_undoing_takes_the_lease_too_and_is_done_once(reprices: SqlReprices, organization_id: str) -> None:
    run = begin(reprices, organization_id)
    with pytest.raises(Conflict, match=run.id):
        asyncio.run(reprices.begin_undo(run, at=TIMESTAMP))
    asyncio.run(reprices.end(ended(run)))
    undoing = asyncio.run(reprices.begin_undo(ended(run), at=TIMESTAMP))
    assert (undoing.state, undoing.rows_done, undoing.result) == (RepriceState.UNDOING, 0, OUTCOME)
    with pytest.raises(Conflict, match=run.id):
        begin(reprices, organization_id)
    asyncio.run(reprices.end(replace(undoing, state=RepriceState.UNDONE, undone_at=TIMESTAMP)))
    with pytest.raises(Conflict, match="has been undone"):
        asyncio.run(reprices.begin_undo(ended(run), at=TIMESTAMP))


def test_an_undoing_that_was_broken_off_can_be_begun_again(reprices: SqlReprices, organization_id: str) -> None:
    run = begin(reprices, organization_id)
    asyncio.run(reprices.end(ended(run)))
    asyncio.run(reprices.begin_undo(ended(run), at=TIMESTAMP))
    assert asyncio.run(reprices.begin_undo(ended(run), at=LATER)).state is RepriceState.UNDOING


def test_the_latest_runs_are_listed_first(reprices: SqlReprices, organization_id: str) -> None:
    runs = []
    for seconds in range(3):
        at = TIMESTAMP + timedelta(seconds=seconds)
        runs.append(asyncio.run(reprices.begin(organization_id, CRITERIA, dry_run=True, at=at)))
        asyncio.run(reprices.end(ended(runs[-1])))
    listed = asyncio.run(reprices.list_reprices(organization_id, limit=2))
    assert [run.id for run in listed] == [runs[2].id, runs[1].id]
