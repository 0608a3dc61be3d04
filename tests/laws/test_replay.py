"""Delivering events again, in any order, changes no query result, whatever became of prices and rules since."""

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.event import encode_event
from schemas.price import OperatorPrice, Price, PriceEnd, Rate
from schemas.usage import USAGE_CLASSES
from services.domain.enrich import recorded_at_of
from services.domain.pricing.price_book import effective_at
from services.ports.warehouse import Warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.exchanges import some_exchanges
from tests.builders.price_rows import known
from tests.builders.records import TIMESTAMP
from tests.servers.warehouses import EXAMPLES, ask, rows_of, spellings_of, total_of
from tests.support.repricing import SHIPPED, all_sorts
from tests.support.working import work_through

QUESTIONS = (
    "SELECT model, count() AS requests, sum(cost_usd) AS usd, countIf(cost_usd IS NULL) AS unpriced"
    " FROM request_response_rmt FINAL WHERE organization_id = {o:String} GROUP BY model ORDER BY model",
    "SELECT properties['feature'] AS feature, sum(cost_usd) AS usd, uniqExact(user_id) AS users"
    " FROM request_response_rmt FINAL WHERE organization_id = {o:String} GROUP BY feature ORDER BY feature",
    "SELECT count() AS bodies, sum(length(response_body)) AS characters"
    " FROM request_response_body FINAL WHERE organization_id = {o:String}",
)


def _responses(warehouse: Warehouse, organization_id: str) -> list[object]:
    return [
        total_of(warehouse, organization_id),
        rows_of(warehouse, organization_id),
        spellings_of(warehouse, organization_id),
        *(ask(warehouse, question, o=organization_id) for question in QUESTIONS),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_events_delivered_three_times_in_any_order_count_once(
    warehouse: ClickHouseWarehouse, organization_id: str, seed: int
) -> None:
    entries = [encode_event(event) for event in some_exchanges(600, seed=seed, organization_id=organization_id)]
    work_through(warehouse, entries, rows=250)
    before = _responses(warehouse, organization_id)
    assert total_of(warehouse, organization_id)[0] == len(entries)

    again = entries * 3
    Random(seed).shuffle(again)
    work_through(warehouse, again, rows=170)
    assert _responses(warehouse, organization_id) == before


def test_an_event_twice_in_one_batch_counts_once(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    entries = [encode_event(event) for event in some_exchanges(20, organization_id=organization_id)]
    work_through(warehouse, [*entries, *entries, *reversed(entries)], rows=1000)
    assert total_of(warehouse, organization_id)[0] == len(entries)


timestamps = st.integers(0, 96).map(lambda hours: TIMESTAMP + timedelta(hours=hours))  # in which `all_sorts` happens


@st.composite
def price_rows(draw: st.DrawFn, organization_id: str) -> OperatorPrice:
    """Valid before it was known, as a rule; some are ended, some twice."""
    effective_for_events_since = draw(timestamps)
    ends = [
        PriceEnd(at=draw(timestamps), effective_for_events_since=draw(timestamps))
        for _ in range(draw(st.integers(0, 2)))
    ]
    return OperatorPrice(
        id=str(uuid.UUID(int=draw(st.integers(0, 2**64)))),
        organization_id=organization_id,
        model=draw(st.sampled_from(("*", "gpt-4o*", "acme-internal-7b"))),
        rates=dict.fromkeys(USAGE_CLASSES, Rate(usd=Decimal(draw(st.integers(0, 9))).scaleb(-6))),
        valid_from=draw(st.just(datetime(2020, 1, 1, tzinfo=UTC)) | timestamps),
        effective_for_events_since=effective_for_events_since,
        ends=tuple(sorted(ends, key=lambda end: end.at, reverse=True)),
    )


@settings(EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # smaller examples would take minutes to find
@given(data=st.data())
def test_prices_that_are_added_and_ended_between_deliveries_change_no_total(
    embedded_warehouse: ClickHouseWarehouse, data: st.DataObject
) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    rows = data.draw(st.lists(price_rows(organization_id), min_size=1, max_size=5))
    events = sorted(all_sorts(60, organization_id, seed=data.draw(st.integers(0, 99))), key=recorded_at_of)
    first: dict[str, object] = {}
    for timestamp in sorted(data.draw(st.lists(timestamps, min_size=2, max_size=5))):
        recorded = [event for event in events if recorded_at_of(event) <= timestamp]
        data.draw(st.randoms(use_true_random=False)).shuffle(recorded)
        work_through(
            embedded_warehouse,
            [encode_event(event) for event in recorded],
            prices=known(*effective_at(rows, timestamp)),
        )
        costs = _costs(embedded_warehouse, organization_id)
        assert {request_id: costs[request_id] for request_id in first} == first
        first = costs


class TimesAsDear:
    """What a release ships: the prices of this one, times `factor`."""

    def __init__(self, factor: int) -> None:
        self._factor = factor

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        price = SHIPPED.price_at(provider, model, timestamp, tier)
        if price is None:
            return None
        rates = {name: Rate(usd=self._factor * rate.usd) for name, rate in price.rates.items()}
        return replace(price, id=f"{self._factor}x-{price.id}", rates=rates)


@settings(EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_releases_that_take_turns_change_no_total(embedded_warehouse: ClickHouseWarehouse, data: st.DataObject) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    events = sorted(all_sorts(60, organization_id, seed=data.draw(st.integers(0, 99))), key=recorded_at_of)
    turns = data.draw(st.lists(st.tuples(st.integers(1, 3), timestamps), min_size=2, max_size=5))
    ends: dict[int, datetime] = {}
    first: dict[str, object] = {}
    for release, timestamp in sorted(turns, key=lambda turn: turn[1]):
        # In its turn a release works through what is in the log by then, or through a part of it.
        recorded = [event for event in events if recorded_at_of(event) <= timestamp]
        delivered = data.draw(st.permutations(recorded))[: data.draw(st.integers(0, len(recorded)))]
        others = max((end for other, end in ends.items() if other != release), default=None)
        prices = known(shipped=TimesAsDear(release), others_until=others)
        work_through(embedded_warehouse, [encode_event(event) for event in delivered], prices=prices)
        ends[release] = timestamp
        costs = _costs(embedded_warehouse, organization_id)
        assert costs.keys() == first.keys() | {event.request.request_id for event in delivered}
        assert {request_id: costs[request_id] for request_id in first} == first
        first = costs


def _costs(warehouse: Warehouse, organization_id: str) -> dict[str, object]:
    return {
        str(row["request_id"]): (row["cost_usd"], row["cost_state"], row["price_id"], row["cache_saved_usd"])
        for row in rows_of(warehouse, organization_id)
    }


def test_of_a_call_that_was_logged_twice_the_later_log_counts_in_whatever_order_they_come(
    embedded_warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    (event,) = some_exchanges(1, organization_id=organization_id)
    logs = [replace(event, recorded_at=TIMESTAMP + timedelta(hours=hours)) for hours in (1, 3)]
    row = OperatorPrice(
        id=str(uuid.UUID(int=1)),
        organization_id=organization_id,
        model="*",
        rates=dict.fromkeys(USAGE_CLASSES, Rate(usd=Decimal("0.001"))),
        valid_from=TIMESTAMP,
        effective_for_events_since=TIMESTAMP + timedelta(hours=2),
    )
    for order in (logs, logs[::-1]):
        for log in order:
            work_through(embedded_warehouse, [encode_event(log)], prices=known(row))
        (kept,) = rows_of(embedded_warehouse, organization_id)
        assert kept["price_id"] == f"operator/{row.id}"
