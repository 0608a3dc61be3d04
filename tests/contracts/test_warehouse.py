"""What a Warehouse keeps, in both shapes: the engine in this process and a server over HTTP."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import TIMESTAMP, a_record, some_bodies
from tests.servers.warehouses import EXAMPLES, LARGEST_USD, ask, insert, ledger, many, rows_of, total_of


def test_what_was_inserted_is_read_back_as_it_was(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    record = a_record(organization_id=organization_id, properties={"feature": "ch'at\\\n\t\x00", "naïve": ""})
    insert(warehouse, [record])

    (row,) = rows_of(warehouse, organization_id)
    assert row == {
        **{name: getattr(record, name) for name in record.__struct_fields__},
        "request_id": uuid.UUID(record.request_id),
        "cache_reference_id": uuid.UUID(int=0),
        "attempt_of": uuid.UUID(int=0),
        "scores": {},
        "feedback_us": 0,
        "amended_us": 0,
        "is_deleted": 0,
    }
    assert (row["request_created_at"].tzinfo, row["response_created_at"].tzinfo) == (UTC, UTC)
    assert (type(row["is_stream"]), type(row["cost_usd"])) == (bool, Decimal)


def test_what_is_not_there_stays_apart_from_what_is_nothing(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    reference = "0af0fabc-0000-4000-8000-00000000000a"
    present = {"time_to_first_token_ms": 0, "cost_usd": Decimal(0), "cache_saved_usd": Decimal("0.000000000001")}
    absent = dict.fromkeys(present)
    # The absent one first: the driver judges a whole column by its first value.
    insert(
        warehouse,
        [
            a_record(organization_id=organization_id, request_id=str(uuid.UUID(int=1)), **absent),
            a_record(
                organization_id=organization_id,
                request_id=str(uuid.UUID(int=2)),
                cache_reference_id=reference,
                properties={},
                property_spellings=[],
                **present,
            ),
        ],
    )
    first, second = rows_of(warehouse, organization_id)
    assert {name: first[name] for name in absent} == absent
    assert {name: second[name] for name in present} == present
    assert (first["cache_reference_id"].int, second["cache_reference_id"]) == (0, uuid.UUID(reference))
    assert (second["properties"], second["property_spellings"]) == ({}, [])


def test_sums_are_those_of_an_exact_ledger(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    records = many(organization_id, 5_000)
    insert(warehouse, records)
    assert total_of(warehouse, organization_id) == ledger(records)


def test_nothing_to_insert_is_no_reason(warehouse: ClickHouseWarehouse) -> None:
    insert(warehouse, [])


def test_one_batch_may_hold_years_of_history(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    records = [
        a_record(
            organization_id=organization_id,
            request_id=str(uuid.UUID(int=week)),
            request_created_at=TIMESTAMP - timedelta(weeks=week),
        )
        for week in range(150)
    ]
    insert(warehouse, records, [some_bodies(record) for record in records])
    assert total_of(warehouse, organization_id) == ledger(records)


@pytest.mark.parametrize("amount", [Decimal(0), Decimal("1e-12"), LARGEST_USD, Decimal("0.1000000000000000000")])
def test_money_is_kept_to_the_last_decimal(
    warehouse: ClickHouseWarehouse, organization_id: str, amount: Decimal
) -> None:
    insert(warehouse, [a_record(organization_id=organization_id, cost_usd=amount)])
    assert total_of(warehouse, organization_id) == (1, amount)


def test_a_sum_may_exceed_what_one_row_can_hold(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(50)]
    insert(warehouse, [a_record(organization_id=organization_id, request_id=id_, cost_usd=LARGEST_USD) for id_ in ids])
    assert total_of(warehouse, organization_id) == (50, 50 * LARGEST_USD)


@pytest.mark.parametrize(
    "timestamp",
    [
        datetime(2026, 3, 29, 0, 59, 59, 999000, tzinfo=UTC),  # Europe's clocks skip the next hour
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # and repeat this one
        datetime(2026, 11, 1, 5, 30, 0, 1000, tzinfo=UTC),  # as does New York's
        datetime(2026, 11, 1, 0, 30, 0, 1000, tzinfo=timezone(timedelta(hours=-5))),
        datetime(2028, 2, 29, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    ],
    ids=str,
)
def test_timestamps_are_exact_whatever_the_clocks_do(
    warehouse: ClickHouseWarehouse, organization_id: str, timestamp: datetime
) -> None:
    insert(
        warehouse,
        [a_record(organization_id=organization_id, request_created_at=timestamp, response_created_at=timestamp)],
    )
    (row,) = ask(
        warehouse,
        "SELECT response_created_at AS at, toUnixTimestamp64Milli(request_created_at) AS ms, "
        "toStartOfHour(request_created_at) AS hour FROM request_response_rmt FINAL "
        "WHERE organization_id = {o:String} AND request_created_at = {at:DateTime64(3, 'UTC')}",
        o=organization_id,
        at=timestamp,
    )
    assert (row["at"], row["ms"]) == (
        timestamp,
        (timestamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1),
    )
    assert (row["at"].tzinfo, row["hour"].tzinfo) == (UTC, UTC)
    assert row["hour"] == timestamp.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@EXAMPLES
@given(
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
    number=st.integers(-(2**63), 2**63 - 1),
    amount=st.decimals(-(10**9), 10**9, places=12),
    microseconds=st.integers(0, 7 * 10**15),
    flag=st.booleans(),
)
def test_a_bound_value_arrives_as_it_was_and_is_never_read_as_sql(
    warehouse: ClickHouseWarehouse, words: list[str], number: int, amount: Decimal, microseconds: int, flag: bool
) -> None:
    text = "".join(words)
    timestamp = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    (row,) = ask(
        warehouse,
        "SELECT {t:String} AS t, {n:Int64} AS n, {d:Decimal(38, 12)} AS d, {at:DateTime64(6, 'UTC')} AS at, "
        "{b:Bool} AS b, {u:UInt8} AS u, {w:Array(String)} AS w, {none:Nullable(String)} AS none",
        t=text,
        n=number,
        d=amount,
        at=timestamp,
        b=flag,
        u=flag,
        w=words,
        none=None,
    )
    assert row == {
        "t": text,
        "n": number,
        "d": amount,
        "at": timestamp,
        "b": flag,
        "u": int(flag),
        "w": words,
        "none": None,
    }
