"""Whatever order requests, amendments, logs and re-pricings come in, and however often: the row is the same."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.amendment import FEEDBACK, Amendment
from schemas.event import ExchangeEvent, RequestTags
from schemas.log_entry import LogEntry, encode_entry
from schemas.statement import Statement
from schemas.timestamps import unix_us
from schemas.versions import amendments_in
from services.domain.amendment import to_stored
from services.domain.enrich import to_record
from services.ports.warehouse import AmendableWarehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.shipped_prices.book import ShippedPrices
from services.worker.amendments import keep_amendments
from tests.builders.records import an_event, chat_response
from tests.servers.warehouses import EXAMPLES, rows_of
from tests.support.repricing import LATER, Operator
from tests.support.working import work_through

NAMES = ("Feature", "feature", "Tier", "Helicone-Session-Id", "Ünïcode")
CREATED = LATER - timedelta(hours=2)


def an_amendment(
    organization_id: str,
    request_id: str,
    minutes: int,
    *,
    created_at: datetime | None = None,
    properties: dict[str, str] | None = None,
    scores: dict[str, int] | None = None,
) -> Amendment:
    return Amendment(
        organization_id=organization_id,
        request_id=request_id,
        amendment_id=str(uuid.uuid4()),
        recorded_at=LATER + timedelta(minutes=minutes),
        created_at=created_at,
        properties=properties or {},
        scores=scores or {},
        key_id="key-1",
    )


def a_request(organization_id: str, request_id: str, *, minutes: int = 0, logged: bool = False) -> ExchangeEvent:
    return an_event(
        organization_id=organization_id,
        request_id=request_id,
        created_at=CREATED,
        response_body=chat_response(prompt=1000 + minutes, cached=0),
        recorded_at=LATER + timedelta(minutes=minutes),
        tags=RequestTags(properties={"Feature": "chat", "Environment": "test"}),
        key_id="key-1",
        logged=logged,
    )


def deliver(warehouse: AmendableWarehouse, entries: Sequence[LogEntry], *, rows: int = 1000) -> None:
    work_through(warehouse, [encode_entry(entry) for entry in entries], rows=rows)


def expected(amendments: Sequence[Amendment]) -> dict[str, Any]:
    """What a row of `a_request` has once all `amendments` are in it, by plain dictionaries."""
    properties, spellings = (
        {"feature": "chat", "environment": "test"},
        {"feature": "Feature", "environment": "Environment"},
    )
    scores: dict[str, int] = {}
    session_id, feedback_us, amended_us = "", 0, 0
    for one in sorted(amendments, key=lambda one: (one.recorded_at, uuid.UUID(one.amendment_id).int)):
        for name, value in one.properties.items():
            if name == "Helicone-Session-Id":
                session_id = value
            else:
                properties[name.lower()], spellings[name.lower()] = value, name
        scores |= one.scores
        amended_us = unix_us(one.recorded_at)
        if FEEDBACK in one.scores:
            feedback_us = unix_us(one.recorded_at)
    return {
        "properties": properties,
        "property_spellings": sorted(spellings.values()),
        "session_id": session_id,
        "scores": scores,
        "feedback_us": feedback_us,
        "amended_us": amended_us,
    }


def amended_part(row: dict[str, Any]) -> dict[str, Any]:
    names = ("properties", "property_spellings", "session_id", "scores", "feedback_us", "amended_us")
    part = {name: row[name] for name in names}
    return part | {"property_spellings": sorted(part["property_spellings"])}


def row_of(warehouse: AmendableWarehouse, organization_id: str) -> dict[str, Any]:
    (row,) = rows_of(warehouse, organization_id)
    return row


def test_what_is_set_later_is_in_the_row_beside_what_was_there(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    request_id = str(uuid.uuid4())
    deliver(warehouse, [a_request(organization_id, request_id)])
    before = row_of(warehouse, organization_id)
    amendments = [
        an_amendment(organization_id, request_id, 1, properties={"Tier": "gold", "FEATURE": "search"}),
        an_amendment(organization_id, request_id, 2, created_at=CREATED, scores={"accuracy": 80, FEEDBACK: 1}),
        an_amendment(organization_id, request_id, 3, properties={"Helicone-Session-Id": "s-1"}),
    ]
    deliver(warehouse, amendments)
    row = row_of(warehouse, organization_id)
    assert amended_part(row) == expected(amendments)
    assert amendments_in(row["version"]) == 3
    changed = {name for name in row if row[name] != before[name]}
    of_them = ("properties", "property_spellings", "session_id", "scores", "feedback_us", "amended_us")
    assert changed == {"version", *of_them}


def test_an_amendment_that_comes_before_its_request_waits_for_it(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    request_id = str(uuid.uuid4())
    early = an_amendment(organization_id, request_id, -1, scores={"accuracy": -3})
    deliver(warehouse, [early])
    assert rows_of(warehouse, organization_id) == []
    deliver(warehouse, [a_request(organization_id, request_id)])
    assert row_of(warehouse, organization_id)["scores"] == {"accuracy": -3}


def test_an_amendment_of_a_request_of_long_ago_finds_it(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    request_id = str(uuid.uuid4())
    deliver(warehouse, [a_request(organization_id, request_id)])
    deliver(warehouse, [an_amendment(organization_id, request_id, 60 * 24 * 400, scores={"accuracy": 5})])
    assert row_of(warehouse, organization_id)["scores"] == {"accuracy": 5}


def test_where_an_id_was_used_again_the_timestamp_says_which_request_is_meant(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    request_id = str(uuid.uuid4())
    created_at = LATER - timedelta(minutes=30)
    first = an_event(organization_id=organization_id, request_id=request_id, created_at=created_at)
    second = an_event(organization_id=organization_id, request_id=request_id, created_at=LATER)
    one = an_amendment(organization_id, request_id, 1, created_at=created_at, scores={"of_one": 1})
    both = an_amendment(organization_id, request_id, 2, scores={"of_both": 1})
    deliver(warehouse, [first, one, both, second], rows=2)
    scores = [row["scores"] for row in rows_of(warehouse, organization_id)]
    assert scores == [{"of_one": 1, "of_both": 1}, {"of_both": 1}]


def test_nobody_amends_requests_of_another_organization(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    request_id, stranger = str(uuid.uuid4()), f"org-{uuid.uuid4()}"
    deliver(warehouse, [a_request(organization_id, request_id), a_request(stranger, request_id)])
    deliver(warehouse, [an_amendment(stranger, request_id, 1, scores={"accuracy": 1})])
    assert row_of(warehouse, organization_id)["scores"] == {}
    assert row_of(warehouse, stranger)["scores"] == {"accuracy": 1}


@st.composite
def amendments_of(draw: st.DrawFn, organization_id: str, request_id: str) -> Amendment:
    values = st.sampled_from(("a", "b", ""))
    return an_amendment(
        organization_id,
        request_id,
        draw(st.integers(0, 5)),  # often the same: then the id decides
        created_at=draw(st.sampled_from((None, CREATED))),
        properties=draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=1)),
        scores=draw(st.dictionaries(st.sampled_from(("accuracy", FEEDBACK)), st.integers(0, 1), max_size=2)),
    )


@EXAMPLES
@given(data=st.data())
def test_however_requests_and_amendments_are_delivered_the_row_is_the_same(
    embedded_warehouse: ClickHouseWarehouse, data: st.DataObject
) -> None:
    organization_id, request_id = f"org-{uuid.uuid4()}", str(uuid.uuid4())
    amendments = data.draw(st.lists(amendments_of(organization_id, request_id), min_size=1, max_size=5))
    requests = [a_request(organization_id, request_id)]
    if data.draw(st.booleans()):
        requests = [a_request(organization_id, request_id, minutes=minutes, logged=True) for minutes in (1, 2)]
    entries: list[LogEntry] = [*requests, *amendments]
    once = data.draw(st.permutations(entries))
    again = data.draw(st.lists(st.sampled_from(entries), max_size=6))
    deliver(embedded_warehouse, [*once, *again], rows=data.draw(st.integers(1, 4)))
    row = row_of(embedded_warehouse, organization_id)
    assert amended_part(row) == expected(amendments)
    assert row["prompt_tokens"] == (1002 if len(requests) == 2 else 1000)
    assert amendments_in(row["version"]) == len(amendments)


@pytest.fixture
def operator(warehouse: ClickHouseWarehouse, organization_id: str, tmp_path: Path) -> Operator:
    return Operator(warehouse, tmp_path, organization_id)


def test_charging_again_and_undoing_it_leave_amendments_and_amending_leaves_the_money(operator: Operator) -> None:
    organization_id, request_id = operator.organization_id, str(uuid.uuid4())
    request = a_request(organization_id, request_id)
    amendments = [
        an_amendment(organization_id, request_id, minutes, scores={"accuracy": minutes}) for minutes in range(4)
    ]
    deliver(operator.warehouse, [request, amendments[0]])
    charged = row_of(operator.warehouse, organization_id)["cost_usd"]
    operator.add_price("*", "0.0000017")
    run = operator.charge_again()
    dearer = row_of(operator.warehouse, organization_id)
    assert (dearer["cost_usd"] != charged, dearer["scores"]) == (True, {"accuracy": 0})
    deliver(operator.warehouse, [request, amendments[1]])  # its request's event comes again too
    again = row_of(operator.warehouse, organization_id)
    assert (again["cost_usd"], again["reprice_id"], again["scores"]) == (dearer["cost_usd"], run.id, {"accuracy": 1})
    operator.undo(run)
    undone = row_of(operator.warehouse, organization_id)
    assert (undone["cost_usd"], undone["reprice_id"], undone["scores"]) == (charged, "", {"accuracy": 1})
    deliver(operator.warehouse, [amendments[3], amendments[2]])
    last = row_of(operator.warehouse, organization_id)
    assert (last["cost_usd"], last["scores"]) == (charged, {"accuracy": 3})


class Between:
    """A warehouse in which something else happens before the n-th of its changes of rows."""

    def __init__(self, warehouse: AmendableWarehouse, change: int, happens: Callable[[], Awaitable[None]]) -> None:
        self._warehouse = warehouse
        self._left = change
        self._happens = happens
        self.query, self.insert, self.close = warehouse.query, warehouse.insert, warehouse.close
        self.keep_prices, self.keep_corrections = warehouse.keep_prices, warehouse.keep_corrections
        self.keep_amendments = warehouse.keep_amendments

    async def execute(self, statement: Statement) -> None:
        self._left -= 1
        if self._left == 0:
            await self._happens()
        await self._warehouse.execute(statement)


@pytest.mark.parametrize("change", [1, 2])
def test_what_is_set_while_a_request_is_charged_again_is_not_lost(operator: Operator, change: int) -> None:
    """Between the look at the row and its copy, and between that and the look for amendments."""
    organization_id, request_id = operator.organization_id, str(uuid.uuid4())
    first, meanwhile = (
        an_amendment(organization_id, request_id, minutes, created_at=CREATED, scores={f"at_{minutes}": 1})
        for minutes in (1, 2)
    )
    warehouse = operator.warehouse
    deliver(warehouse, [a_request(organization_id, request_id), first])
    before = row_of(warehouse, organization_id)
    operator.add_price("*", "0.0000017")

    async def amend() -> None:
        await keep_amendments([to_stored(meanwhile)], [], warehouse)
        # The version that was decided on is no longer there.
        merge = f"OPTIMIZE TABLE request_response_rmt PARTITION {CREATED:%Y%m} FINAL"
        await warehouse.execute(Statement(sql=merge, parameters={}))

    operator.warehouse = Between(warehouse, change, amend)
    operator.charge_again()
    row = row_of(warehouse, organization_id)
    assert row["cost_usd"] != before["cost_usd"]
    assert row["scores"] == {"at_1": 1, "at_2": 1}


@EXAMPLES
@given(data=st.data())
def test_workers_that_amend_one_row_at_the_same_time_lose_nothing(
    warehouse: ClickHouseWarehouse, data: st.DataObject
) -> None:
    organization_id, request_id = f"org-{uuid.uuid4()}", str(uuid.uuid4())
    deliver(warehouse, [a_request(organization_id, request_id)])
    amendments = [
        an_amendment(organization_id, request_id, number, created_at=CREATED, scores={f"s{number}": number})
        for number in range(data.draw(st.integers(2, 8)))
    ]

    async def all_at_once() -> None:
        await asyncio.gather(*(keep_amendments([to_stored(one)], [], warehouse) for one in amendments))

    asyncio.run(all_at_once())
    row = row_of(warehouse, organization_id)
    assert row["scores"] == {f"s{number}": number for number in range(len(amendments))}


def test_a_worker_that_dies_between_the_row_and_its_amendments_is_followed_by_one_that_goes_on(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    request_id = str(uuid.uuid4())
    log = a_request(organization_id, request_id, logged=True)
    amendment = an_amendment(organization_id, request_id, -1, scores={"accuracy": 1})
    asyncio.run(warehouse.keep_amendments([to_stored(amendment)]))
    record, bodies = to_record(log, ShippedPrices())
    asyncio.run(warehouse.insert([record], [bodies] if bodies else []))  # and then it died
    assert row_of(warehouse, organization_id)["scores"] == {}
    deliver(warehouse, [log])
    assert row_of(warehouse, organization_id)["scores"] == {"accuracy": 1}
