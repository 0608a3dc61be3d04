"""What a Warehouse does with too large and with wrong queries, and when it is unavailable."""

import asyncio
import contextlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.errors import InvalidSetting, StoreUnavailable, UnstorableRecord
from schemas.statement import Statement
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import a_record
from tests.conftest import unavailable
from tests.servers.clickhouse import NoServer, free_port, library, running
from tests.servers.warehouses import LARGEST_USD, ask, insert, ledger, many, migrated, total_of


def test_queries_run_beside_each_other_and_beside_inserts(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    records = many(organization_id, 400)

    async def everything() -> list[Any]:
        count = Statement(sql="SELECT count() AS n FROM numbers({n:UInt64})", parameters={"n": 100_000})
        writes = [warehouse.insert(records[start : start + 100], []) for start in range(0, 400, 100)]
        return list(await asyncio.gather(*(warehouse.query(count) for _ in range(20)), *writes))

    assert asyncio.run(everything())[:20] == [[{"n": 100_000}]] * 20
    assert total_of(warehouse, organization_id) == ledger(records)


def test_a_question_cannot_change_anything(warehouse: ClickHouseWarehouse) -> None:
    with pytest.raises(DatabaseError, match="READONLY"):
        ask(warehouse, "INSERT INTO request_response_rmt (organization_id) SELECT 'x'")


def test_a_wrong_statement_is_a_bug_and_is_not_taken_for_an_outage(warehouse: ClickHouseWarehouse) -> None:
    with pytest.raises(DatabaseError) as raised:
        ask(warehouse, "SELECT no_such_column FROM request_response_rmt")
    assert raised.value.name == "UNKNOWN_IDENTIFIER"


def test_a_question_that_takes_too_long_is_given_up(warehouse: ClickHouseWarehouse) -> None:
    impatient = asyncio.run(ClickHouseWarehouse.open(warehouse.url, query_timeout_s=0.5))
    with pytest.raises(StoreUnavailable, match="TIMEOUT_EXCEEDED"):
        ask(impatient, "SELECT sum(sipHash64(number)) AS s FROM numbers(100000000000)")
    assert ask(impatient, "SELECT 1 AS one") == [{"one": 1}]
    asyncio.run(impatient.close())


def test_a_table_that_is_not_there_yet_makes_the_store_unavailable(warehouse: ClickHouseWarehouse) -> None:
    with pytest.raises(StoreUnavailable, match="UNKNOWN_TABLE"):
        ask(warehouse, "SELECT 1 FROM not_migrated_yet")


def test_a_server_that_is_unreachable_makes_the_store_unavailable_and_reports_no_password() -> None:
    with pytest.raises(StoreUnavailable) as raised:
        asyncio.run(ClickHouseWarehouse.open("http://farebox:hunter2@127.0.0.1:1/db", wait_s=0))
    assert str(raised.value) == "open http://127.0.0.1:1/db: no response"
    assert "hunter2" not in str(raised.value.__cause__)


@pytest.mark.parametrize(("wait_s", "reported"), [(0.7, ["warehouse is unreachable, retrying"]), (0, [])])
def test_that_a_server_is_waited_for_is_logged_once(
    wait_s: float, reported: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StoreUnavailable):
        asyncio.run(ClickHouseWarehouse.open("http://farebox:hunter2@127.0.0.1:1/db", wait_s=wait_s))
    ours = [record for record in caplog.records if record.name.startswith("services.")]
    assert [record.message for record in ours] == reported
    assert "hunter2" not in str([vars(record) for record in ours])


def test_a_server_that_was_killed_keeps_what_it_acknowledged_and_is_used_again_once_it_is_back(
    tmp_path: Path, organization_id: str
) -> None:
    try:
        engine = library()
    except NoServer as reason:
        unavailable("a ClickHouse server to kill", reason)
    records = many(organization_id, 100)
    port = free_port()
    with contextlib.ExitStack() as stack:
        with running(engine, tmp_path, port) as address:
            warehouse = stack.enter_context(migrated(f"{address}/farebox"))
            insert(warehouse, records)
        with pytest.raises(StoreUnavailable):
            insert(warehouse, records)
        with pytest.raises(StoreUnavailable):
            total_of(warehouse, organization_id)
        with running(engine, tmp_path, port):
            assert total_of(warehouse, organization_id) == ledger(records)
            insert(warehouse, records)


def test_a_wrong_password_is_reported_without_repeating_it(clickhouse_address: str) -> None:
    host = clickhouse_address.rpartition("@")[2]
    with pytest.raises(StoreUnavailable) as raised:
        asyncio.run(ClickHouseWarehouse.open(f"http://nobody:hunter2@{host}/default", wait_s=0))
    assert "AUTHENTICATION_FAILED" in str(raised.value)
    assert "hunter2" not in f"{raised.value}{raised.value.__cause__}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "chdb:",
        "chdb:///folder",
        "ftp://h/db",
        "http:///db",
        "http://h:port/db",
        "http://u:hunter2@h/a b",
        "nonsense",
    ],
)
def test_a_url_that_names_no_warehouse_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidSetting, match="warehouse") as raised:
        asyncio.run(ClickHouseWarehouse.open(url))
    assert "hunter2" not in f"{raised.value}{raised.value.__cause__}"


@pytest.mark.parametrize(
    "change",
    [
        {"cost_usd": LARGEST_USD + Decimal("1e-12")},
        {"cost_usd": Decimal("1e-13")},
        {"cost_usd": Decimal("NaN")},
        {"cache_saved_usd": Decimal("Infinity")},
        {"prompt_tokens": 2**32},
        {"completion_tokens": -1},
        {"status": 40_000},
        {"user_id": "\ud800"},
        {"request_id": "not a uuid"},
    ],
    ids=str,
)
def test_what_a_column_cannot_hold_is_refused_and_never_bent(
    warehouse: ClickHouseWarehouse, organization_id: str, change: dict[str, Any]
) -> None:
    with pytest.raises(UnstorableRecord):
        insert(warehouse, [a_record(organization_id=organization_id, **change)])
    insert(warehouse, [a_record(organization_id=organization_id)])
    assert total_of(warehouse, organization_id)[0] == 1, "the next batch is stored as if nothing had happened"
