"""Rows have a fixed identity: delivering them again, late, corrected or in another order changes no response."""

import asyncio
import random
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.event import Delivery, encode_event
from schemas.price import OperatorPrice, Price, PriceEnd, Rate
from schemas.statement import Bound, Statement
from schemas.usage import USAGE_CLASSES
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.migrations.run import migrate_state
from services.stores.state.releases import SqlPricingReleases
from services.worker.prices import PriceCache
from services.worker.rows import Row
from services.worker.skip_existing import KEYS_PER_QUERY, rows_to_insert
from tests.builders.exchanges import some_exchanges
from tests.builders.price_rows import Rows, known
from tests.builders.records import TIMESTAMP, a_record, an_event, an_operator_price, chat_response, some_bodies
from tests.servers.warehouses import EXAMPLES, insert, ledger, many, rows_of, spellings_of, total_of
from tests.support.working import work_through

YESTERDAY, TOMORROW = TIMESTAMP - timedelta(days=1), TIMESTAMP + timedelta(days=1)


def test_replaying_in_another_order_and_other_batches_changes_nothing(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    records = many(organization_id, 600)
    insert(warehouse, records)
    before = rows_of(warehouse, organization_id)

    random.Random(7).shuffle(records)
    for start in range(0, len(records), 130):
        insert(warehouse, records[start : start + 150])
    assert rows_of(warehouse, organization_id) == before
    assert total_of(warehouse, organization_id) == ledger(records)


def a_price(
    organization_id: str, *, effective_for_events_since: datetime, ends: tuple[PriceEnd, ...] = ()
) -> OperatorPrice:
    """Of every model, for requests since yesterday."""
    return an_operator_price(
        organization_id=organization_id,
        model="*",
        rates=dict.fromkeys(USAGE_CLASSES, Rate(usd=Decimal("0.000003"))),
        valid_from=YESTERDAY,
        effective_for_events_since=effective_for_events_since,
        ends=ends,
    )


def test_a_price_added_between_replays_changes_nothing(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    entries = [encode_event(event) for event in some_exchanges(60, organization_id=organization_id)]
    work_through(warehouse, entries)
    before = rows_of(warehouse, organization_id)

    work_through(warehouse, entries, prices=known(a_price(organization_id, effective_for_events_since=TOMORROW)))
    assert rows_of(warehouse, organization_id) == before


def test_a_price_ended_between_replays_changes_nothing(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    entries = [encode_event(event) for event in some_exchanges(60, organization_id=organization_id)]
    work_through(warehouse, entries, prices=known(a_price(organization_id, effective_for_events_since=YESTERDAY)))
    before = rows_of(warehouse, organization_id)
    assert f"operator/{a_price(organization_id, effective_for_events_since=YESTERDAY).id}" in {
        row["price_id"] for row in before
    }

    ended = a_price(
        organization_id,
        effective_for_events_since=YESTERDAY,
        ends=(PriceEnd(at=YESTERDAY, effective_for_events_since=TOMORROW),),
    )
    work_through(warehouse, entries, prices=known(ended))
    assert rows_of(warehouse, organization_id) == before


class DearerPrices:
    """What another release ships: everything costs ten times as much, and one model that had a price has none."""

    def __init__(self) -> None:
        self._shipped = ShippedPrices()

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        price = self._shipped.price_at(provider, model, timestamp, tier)
        if price is None or model.startswith("gpt-4o-mini"):
            return None
        rates = {name: Rate(usd=10 * rate.usd) for name, rate in price.rates.items()}
        return replace(price, id=f"another-{price.id}", rates=rates)


def test_a_replay_under_another_release_changes_no_row(
    warehouse: ClickHouseWarehouse, organization_id: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/state.sqlite"
    old, new = (SqlPricingReleases(url, release=release) for release in ("old", "new"))
    asyncio.run(migrate_state(url))
    some = some_exchanges(60, organization_id=organization_id)
    entries = [encode_event(replace(event, recorded_at=datetime.now(UTC))) for event in some]
    work_through(warehouse, entries, prices=PriceCache(ShippedPrices(), Rows(), old))
    before, bodies = rows_of(warehouse, organization_id), rows_of(warehouse, organization_id, "request_response_body")

    work_through(warehouse, entries * 2, rows=50, prices=PriceCache(DearerPrices(), Rows(), new))
    assert rows_of(warehouse, organization_id) == before
    assert rows_of(warehouse, organization_id, "request_response_body") == bodies
    assert len(before) == 60
    for store in (old, new):
        asyncio.run(store.close())


def test_events_of_before_an_upgrade_that_were_never_counted_are(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    entries = [encode_event(event) for event in some_exchanges(60, organization_id=organization_id)]
    work_through(warehouse, entries[:30])
    counted = {str(row["request_id"]): row for row in rows_of(warehouse, organization_id)}

    work_through(warehouse, entries, prices=known(shipped=DearerPrices(), others_until=TOMORROW))
    rows = {str(row["request_id"]): row for row in rows_of(warehouse, organization_id)}
    assert len(rows) == 60
    assert {request_id: rows[request_id] for request_id in counted} == counted
    assert any(row["price_id"].startswith("another-") for row in rows.values())
    bodies = rows_of(warehouse, organization_id, "request_response_body")
    assert len(bodies) == 60


def test_a_call_that_is_logged_again_after_an_upgrade_is_charged_by_the_release_of_the_later_log(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    first = an_event(
        organization_id=organization_id, response_body=chat_response(model="gpt-4o"), recorded_at=TIMESTAMP
    )
    again = replace(first, recorded_at=TIMESTAMP + timedelta(hours=1))
    work_through(warehouse, [encode_event(first)])
    new = known(shipped=DearerPrices(), others_until=TOMORROW)
    work_through(warehouse, [encode_event(first), encode_event(again)], prices=new)
    (row,) = rows_of(warehouse, organization_id)
    assert row["price_id"].startswith("another-")


def test_as_many_rows_as_a_batch_has_are_looked_for_at_once_on_a_real_server_too(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    records = many(organization_id, 2 * KEYS_PER_QUERY + 500)
    insert(warehouse, records[::2])
    unaskable = [replace(records[0], request_id="no id"), replace(records[0], request_created_at=_YEAR_ONE)]
    later = replace(records[0], version=records[0].version + 1)
    delivery = Delivery(payload=b"", position="")
    rows = [Row(delivery, record, None, "POST", "") for record in (*records, *unaskable, later)]
    left = asyncio.run(rows_to_insert(rows, warehouse, charged_until=TOMORROW))
    assert [row.record for row in left] == [*records[1::2], *unaskable, later]
    assert len(asyncio.run(rows_to_insert(rows, warehouse, charged_until=YESTERDAY))) == len(rows)


_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)


@EXAMPLES
@given(data=st.data())
def test_whatever_was_delivered_however_often_and_in_whatever_order_the_highest_version_counts(
    warehouse: ClickHouseWarehouse, data: st.DataObject
) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    events = data.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), min_size=1, max_size=12))
    # What a record says follows from its request and its version, as it does from an event.
    records = [
        a_record(
            organization_id=organization_id,
            request_created_at=TIMESTAMP - timedelta(days=20 * number),
            request_id=str(uuid.UUID(int=number)),
            version=version,
            cost_usd=None if number == version else Decimal(number * 7 + version).scaleb(-12),
        )
        for number, version in events
    ]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=3)))
    for start, end in pairwise([0, *cuts, len(records)]):
        insert(warehouse, records[start:end])

    kept = {record.request_id: record for record in sorted(records, key=lambda record: record.version)}
    costs = {str(row["request_id"]): row["cost_usd"] for row in rows_of(warehouse, organization_id)}
    assert costs == {request_id: record.cost_usd for request_id, record in kept.items()}


def test_a_correction_wins_and_a_late_replay_of_what_it_corrected_does_not(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    wrong = a_record(organization_id=organization_id, model="guessed", cost_usd=Decimal("0.10"))
    right = a_record(
        organization_id=organization_id, model="billed", cost_usd=Decimal("0.07"), version=wrong.version + 1
    )
    insert(warehouse, [wrong])
    insert(warehouse, [right])
    insert(warehouse, [wrong])
    (row,) = rows_of(warehouse, organization_id)
    assert (row["model"], row["cost_usd"]) == ("billed", Decimal("0.07"))


def test_a_deleted_row_is_hidden_from_then_on(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    record = a_record(organization_id=organization_id)
    insert(warehouse, [record])
    tombstone = (
        "INSERT INTO request_response_rmt (organization_id, request_created_at, request_id, version, is_deleted) "
        "SELECT {o:String}, {at:DateTime64(3, 'UTC')}, {id:UUID}, {version:UInt64}, 1"
    )
    parameters: dict[str, Bound] = {
        "o": organization_id,
        "at": record.request_created_at,
        "id": record.request_id,
        "version": record.version + 1,
    }
    asyncio.run(warehouse.execute(Statement(sql=tombstone, parameters=parameters)))
    insert(warehouse, [record])
    assert rows_of(warehouse, organization_id) == []


def test_organizations_with_the_same_request_id_keep_their_own_rows(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    insert(warehouse, [a_record(organization_id=organization_id), a_record(organization_id=f"{organization_id}-other")])
    assert total_of(warehouse, organization_id)[0] == 1


@EXAMPLES
@given(data=st.data())
def test_the_most_used_spelling_with_capitals_counts_in_whatever_order_it_arrives(
    warehouse: ClickHouseWarehouse, data: st.DataObject
) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    uses = data.draw(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(["Plan", "plan", "PLAN"])),
            min_size=1,
            max_size=6,
        )
    )
    records = [
        a_record(
            organization_id=organization_id,
            request_created_at=TIMESTAMP + timedelta(milliseconds=late),
            request_id=str(uuid.UUID(int=number)),
            property_spellings=[spelling],
        )
        for late, number, spelling in uses
    ]
    for batch in data.draw(st.permutations([[record] for record in records] + [records])):
        insert(warehouse, batch)
    requests = defaultdict[str, set[tuple[int, int]]](set)
    for late, number, spelling in uses:
        requests[spelling].add((late, number))
    best = min(requests, key=lambda one: (one == "plan", -len(requests[one]), min(requests[one]), one))
    assert spellings_of(warehouse, organization_id) == {"plan": best}


def test_bodies_are_kept_under_the_identity_of_their_row(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    record = a_record(organization_id=organization_id, request_created_at=datetime.now(UTC).replace(microsecond=0))
    bodies = some_bodies(record, request_body="ask" * 100_000, response_body='{"text": "ünïcode \\u0000 \x00 🚌"}')
    insert(warehouse, [record], [bodies])
    insert(warehouse, [], [bodies])
    (row,) = rows_of(warehouse, organization_id, "request_response_body")
    assert (row["request_body"], row["response_body"]) == (bodies.request_body, bodies.response_body)
    assert (str(row["request_id"]), row["request_created_at"]) == (record.request_id, record.request_created_at)
