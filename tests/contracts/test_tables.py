"""The tables are what the records are, on both engines; migrations apply once, whoever applies them and how often."""

import asyncio
import shutil
import uuid
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from schemas.amendment import StoredAmendment
from schemas.errors import ChangedMigration
from schemas.event import Outcome
from schemas.price import CostState
from schemas.record import RequestBodies, RequestRecord
from schemas.usage import Usage, UsageSource
from schemas.value import ValueEntry
from services.sql.amendments import STORED
from services.stores.clickhouse.migrations import MIGRATIONS, migrate_warehouse, read_migrations
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import a_record
from tests.servers.warehouses import ask, fresh_database, insert, spellings_of, total_of

NAMES = [migration.name for migration in read_migrations(MIGRATIONS)]


def columns_of(warehouse: ClickHouseWarehouse, table: str) -> Mapping[str, str]:
    """Types by name, in the table's order."""
    sql = (
        "SELECT name, type FROM system.columns "
        "WHERE database = currentDatabase() AND table = {t:String} ORDER BY position"
    )
    return {row["name"]: row["type"] for row in ask(warehouse, sql, t=table)}


def names_of(struct: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(struct)]


def test_the_columns_are_the_fields_of_the_record_in_order(warehouse: ClickHouseWarehouse) -> None:
    columns = list(columns_of(warehouse, "request_response_rmt"))
    assert columns == [*STORED, "is_deleted", "property_pairs", "all_tokens", "is_call", "inserted_us"]
    assert list(STORED) == [*names_of(RequestRecord), "scores", "feedback_us", "amended_us"]
    assert set(names_of(Usage)) <= set(columns)


def test_the_columns_of_bodies_are_the_fields_of_bodies_in_order(warehouse: ClickHouseWarehouse) -> None:
    assert list(columns_of(warehouse, "request_response_body")) == [*names_of(RequestBodies), "is_deleted"]


def test_the_columns_of_amendments_are_their_fields_in_order(warehouse: ClickHouseWarehouse) -> None:
    assert list(columns_of(warehouse, "amendment")) == names_of(StoredAmendment)


def test_the_columns_of_value_are_the_fields_of_an_entry_in_order(warehouse: ClickHouseWarehouse) -> None:
    assert list(columns_of(warehouse, "value")) == [*names_of(ValueEntry), "property_pairs"]


class Named(NamedTuple):
    column: str
    values: type[StrEnum]


@pytest.mark.parametrize(
    "named", [Named("outcome", Outcome), Named("cost_state", CostState), Named("usage_source", UsageSource)]
)
def test_an_enum_column_holds_exactly_the_values_of_its_enum(
    warehouse: ClickHouseWarehouse, organization_id: str, named: Named
) -> None:
    expected = ", ".join(f"'{value}' = {number}" for number, value in enumerate(named.values, start=1))
    assert columns_of(warehouse, "request_response_rmt")[named.column] == f"Enum8({expected})"
    for number, value in enumerate(named.values):
        request_id = f"00000000-0000-4000-8000-{number:012}"
        insert(warehouse, [a_record(organization_id=organization_id, request_id=request_id, **{named.column: value})])
    rows = ask(
        warehouse,
        f"SELECT {named.column} AS value FROM request_response_rmt FINAL "
        "WHERE organization_id = {o:String} ORDER BY request_id",
        o=organization_id,
    )
    assert [row["value"] for row in rows] == list(named.values)


def test_every_insert_is_on_disk_when_it_returns(warehouse: ClickHouseWarehouse) -> None:
    sql = "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    engines = {row["name"]: row["engine_full"] for row in ask(warehouse, sql)}
    assert set(engines) == {
        "request_response_rmt",
        "request_response_body",
        "amendment",
        "property_spelling",
        "price",
        "cost_correction",
        "value",
        "rollup",
        "schema_migration",
    }
    engines.pop("rollup")  # what is lost of it is computed again from the rows
    for name, engine in engines.items():
        assert "fsync_after_insert = 1, fsync_part_directory = 1" in engine, name


def test_migrating_again_applies_nothing_and_keeps_the_rows(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    insert(warehouse, [a_record(organization_id=organization_id)])
    assert asyncio.run(migrate_warehouse(warehouse)) == []
    assert total_of(warehouse, organization_id)[0] == 1


@pytest.fixture
def empty_warehouse(clickhouse_address: str) -> Iterator[ClickHouseWarehouse]:
    """A fresh database of the server, not migrated."""
    with fresh_database(clickhouse_address) as url:
        opened = asyncio.run(ClickHouseWarehouse.open(url, create_database=True))
        yield opened
        asyncio.run(opened.close())


def applied(warehouse: ClickHouseWarehouse) -> list[str]:
    rows = ask(warehouse, "SELECT name FROM schema_migration ORDER BY applied_at, name")
    return [row["name"] for row in rows]


def test_migrations_apply_in_order_and_are_recorded(empty_warehouse: ClickHouseWarehouse) -> None:
    assert asyncio.run(migrate_warehouse(empty_warehouse)) == NAMES
    assert applied(empty_warehouse) == NAMES


def test_a_new_migration_is_applied_to_what_is_there(empty_warehouse: ClickHouseWarehouse, tmp_path: Path) -> None:
    asyncio.run(migrate_warehouse(empty_warehouse))
    folder = shutil.copytree(MIGRATIONS, tmp_path / "sql")
    (folder / "0999_more.sql").write_text("CREATE TABLE IF NOT EXISTS more (n UInt8) ENGINE = Memory;\n-- the end;\n")
    assert asyncio.run(migrate_warehouse(empty_warehouse, folder)) == ["0999_more"]
    assert ask(empty_warehouse, "SELECT count() AS n FROM more") == [{"n": 0}]


def test_properties_are_spelled_as_they_are_used_most(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    spellings = ["plan", "PLAN", "Plan", "Plan", "plan", "plan"]
    records = [
        a_record(organization_id=organization_id, request_id=str(uuid.UUID(int=number)), property_spellings=[spelling])
        for number, spelling in enumerate(spellings)
    ]
    insert(warehouse, records)
    assert spellings_of(warehouse, organization_id) == {"plan": "Plan"}


def test_a_migration_that_broke_off_is_taken_up_again(empty_warehouse: ClickHouseWarehouse, tmp_path: Path) -> None:
    script = tmp_path / "0001_two_steps.sql"
    first = "CREATE TABLE IF NOT EXISTS one (n UInt8) ENGINE = Memory;"
    script.write_text(f"{first} CREATE TABLE IF NOT EXISTS two (n NoSuchType) ENGINE = Memory;")
    with pytest.raises(Exception, match="UNKNOWN_TYPE"):
        asyncio.run(migrate_warehouse(empty_warehouse, tmp_path))
    assert applied(empty_warehouse) == []

    script.write_text(f"{first} CREATE TABLE IF NOT EXISTS two (n UInt8) ENGINE = Memory;")
    assert asyncio.run(migrate_warehouse(empty_warehouse, tmp_path)) == ["0001_two_steps"]


def test_a_migration_that_changed_after_it_was_applied_stops_everything(
    empty_warehouse: ClickHouseWarehouse, tmp_path: Path
) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE IF NOT EXISTS a (n UInt8) ENGINE = Memory")
    asyncio.run(migrate_warehouse(empty_warehouse, tmp_path))
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE IF NOT EXISTS a (n UInt16) ENGINE = Memory")
    (tmp_path / "0000_b.sql").write_text("CREATE TABLE IF NOT EXISTS b (n UInt8) ENGINE = Memory")
    with pytest.raises(ChangedMigration, match="0001_a"):
        asyncio.run(migrate_warehouse(empty_warehouse, tmp_path))
    assert applied(empty_warehouse) == ["0001_a"]
