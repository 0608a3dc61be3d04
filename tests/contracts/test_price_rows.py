"""What a PriceRows store owes, on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from schemas.errors import StoreUnavailable
from schemas.price import OperatorPrice, PriceTerms, Rate
from services.stores.state.migrations.run import migrate_state
from services.stores.state.prices import LEAD, SqlPriceRows
from tests.builders.records import ORGANIZATION, TIMESTAMP

DAY = timedelta(days=1)
TERMS = PriceTerms(
    provider="CUSTOM",
    model="llama-3-*",
    tier="flex",
    rates={
        "prompt_tokens": Rate(usd=Decimal("0.000000600"), tiers=((200_000, Decimal("1.2E-6")),)),
        "web_searches": Rate(usd=Decimal("0.01")),
    },
    usd_per_request=Decimal("0.000000000001"),
    valid_from=TIMESTAMP,
    valid_until=TIMESTAMP + 90 * DAY,
)


@pytest.fixture
def rows(state_url: str) -> Iterator[SqlPriceRows]:
    asyncio.run(migrate_state(state_url))
    store = SqlPriceRows(state_url)
    yield store
    asyncio.run(store.close())


def add(rows: SqlPriceRows, organization_id: str, **changes: object) -> OperatorPrice:
    return asyncio.run(rows.add_price(organization_id, msgspec.structs.replace(TERMS, **changes)))


def listed(rows: SqlPriceRows, organization_id: str) -> list[OperatorPrice]:
    return list(asyncio.run(rows.list_prices(organization_id)))


def end(rows: SqlPriceRows, organization_id: str, price_id: str, at: datetime) -> bool:
    return asyncio.run(rows.end_price(organization_id, price_id, at))


def test_a_row_comes_back_as_it_was_added_to_the_last_digit(rows: SqlPriceRows, organization_id: str) -> None:
    before = datetime.now(UTC)
    added = add(rows, organization_id)
    assert listed(rows, organization_id) == [added]
    (kept,) = listed(rows, organization_id)
    assert before <= kept.effective_for_events_since - LEAD <= datetime.now(UTC)
    assert (kept.organization_id, kept.ends) == (organization_id, ())
    assert {name: getattr(kept, name) for name in PriceTerms.__struct_fields__} == msgspec.structs.asdict(TERMS)
    assert str(kept.rates["prompt_tokens"].usd) == "6.00E-7"


def test_timestamps_are_utc_in_whichever_zone_they_were_written(rows: SqlPriceRows, organization_id: str) -> None:
    elsewhere = TIMESTAMP.astimezone(timezone(timedelta(hours=9)))
    add(rows, organization_id, valid_from=elsewhere)
    (kept,) = listed(rows, organization_id)
    assert (kept.valid_from, kept.valid_from.utcoffset()) == (TIMESTAMP, timedelta(0))


def test_rows_are_listed_as_they_were_added_for_their_organization_only(
    rows: SqlPriceRows, organization_id: str
) -> None:
    first, second = add(rows, organization_id), add(rows, organization_id)
    other = add(rows, f"not-{organization_id}")
    assert listed(rows, organization_id) == [first, second]
    everything = asyncio.run(rows.all_prices())
    assert all(row in everything for row in (first, second, other))


def test_ending_a_row_keeps_it_with_the_time_of_its_end(rows: SqlPriceRows, organization_id: str) -> None:
    added = add(rows, organization_id, valid_until=None)
    before = datetime.now(UTC)
    assert end(rows, organization_id, added.id, TIMESTAMP + DAY)
    (ended,) = listed(rows, organization_id)
    assert ended.holds_until == ended.ends[0].at == TIMESTAMP + DAY
    assert before <= ended.ends[0].effective_for_events_since - LEAD <= datetime.now(UTC)
    assert msgspec.structs.replace(ended, ends=()) == added


def test_an_end_may_be_moved_back_and_never_forth(rows: SqlPriceRows, organization_id: str) -> None:
    added = add(rows, organization_id)
    assert end(rows, organization_id, added.id, TIMESTAMP + 2 * DAY)
    assert not end(rows, organization_id, added.id, TIMESTAMP + 3 * DAY)
    assert not end(rows, organization_id, added.id, TIMESTAMP + 2 * DAY)
    assert end(rows, organization_id, added.id, TIMESTAMP + DAY)
    (ended,) = listed(rows, organization_id)
    assert [one.at for one in ended.ends] == [TIMESTAMP + 2 * DAY, TIMESTAMP + DAY], "each is kept, as it was set"
    assert ended.ends[0].effective_for_events_since < ended.ends[1].effective_for_events_since
    assert (ended.holds_until, ended.valid_until) == (TIMESTAMP + DAY, TERMS.valid_until)


def test_a_row_that_waits_for_another_writer_takes_effect_after_that_one(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/state.sqlite"
    asyncio.run(migrate_state(state))
    store = SqlPriceRows(state)
    writer = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as threads:
        adding = threads.submit(add, store, ORGANIZATION)
        assert not wait([adding], 0.5).done
        released = datetime.now(UTC)
        writer.execute("COMMIT")
        added = adding.result()
    assert added.effective_for_events_since >= released + LEAD
    writer.close()
    asyncio.run(store.close())


def test_nobody_ends_the_row_of_another_organization_or_one_that_is_not_there(
    rows: SqlPriceRows, organization_id: str
) -> None:
    added = add(rows, organization_id)
    assert not end(rows, "somebody-else", added.id, TIMESTAMP)
    assert not end(rows, organization_id, "no-such-row", TIMESTAMP)
    assert listed(rows, organization_id) == [added]


def test_before_anybody_migrated_the_rows_are_unavailable(state_url: str) -> None:
    store = SqlPriceRows(state_url)
    with pytest.raises(StoreUnavailable, match="prices"):
        asyncio.run(store.all_prices())
    asyncio.run(store.close())
