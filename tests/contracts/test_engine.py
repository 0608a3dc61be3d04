"""Facts about ClickHouse that the tables and the queries rely on. They moved between releases, so they are pinned."""

import asyncio
import time
import uuid
from typing import Any

from schemas.statement import Bound, Statement
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import a_record
from tests.servers.warehouses import ask, insert, total_of


def explain(warehouse: ClickHouseWarehouse, where: str, **parameters: Bound) -> str:
    sql = f"EXPLAIN indexes = 1 SELECT count() FROM request_response_rmt WHERE {where}"
    return "\n".join(row["explain"] for row in ask(warehouse, sql, **parameters))


def written_with(warehouse: ClickHouseWarehouse, setting: str) -> Any:
    sql = f"SELECT getSetting('{setting}')"
    return asyncio.run(warehouse._writer.run(lambda handle: handle.query(sql).result_rows[0][0]))


def test_inserts_are_not_gathered_and_queries_stay_inside_partitions(warehouse: ClickHouseWarehouse) -> None:
    assert written_with(warehouse, "async_insert") in (0, False)
    (row,) = ask(
        warehouse,
        "SELECT getSetting('do_not_merge_across_partitions_select_final') AS within, "
        "getSetting('readonly') AS readonly",
    )
    assert row == {"within": True, "readonly": 2}


def test_the_index_of_pairs_distinguishes_a_pair_from_its_name_and_value_apart(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    insert(
        warehouse,
        [
            a_record(organization_id=organization_id, properties={"plan": "free", "feature": "premium"}),
            a_record(organization_id=organization_id, request_id=str(uuid.uuid4()), properties={"plan": "team"}),
        ],
    )
    where = "organization_id = {o:String} AND has(property_pairs, cityHash64({k:String}, {v:String}))"
    count = f"SELECT count() AS n FROM request_response_rmt FINAL WHERE {where}"
    for key, value, found in [("plan", "free", 1), ("plan", "premium", 0), ("feature", "premium", 1)]:
        assert ask(warehouse, count, o=organization_id, k=key, v=value) == [{"n": found}], (key, value)

    # A filter of this kind takes one value in forty for one that it has.
    plans = [explain(warehouse, where, o=organization_id, k="plan", v=f"no such value {n}") for n in range(4)]
    assert all("by_property_pair" in plan for plan in plans), plans
    assert any("Granules: 0/" in plan for plan in plans), plans


def test_lookups_by_id_user_session_and_property_name_use_their_indexes(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    insert(warehouse, [a_record(organization_id=organization_id)])
    questions = {
        "by_request_id": "request_id = {x:UUID}",
        "by_user_id": "user_id = {x:String}",
        "by_session_id": "session_id = {x:String}",
        "by_property_name": "mapContains(properties, {x:String})",
    }
    for index, question in questions.items():
        where = f"organization_id = {{o:String}} AND {question}"
        # A filter of this kind takes one value in forty for one that it has.
        plans = [explain(warehouse, where, o=organization_id, x=str(uuid.uuid4())) for _ in range(4)]
        assert all(index in plan for plan in plans), plans
        assert any("Granules: 0/" in plan for plan in plans), plans


def test_an_index_never_brings_back_what_a_correction_replaced(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    old = a_record(organization_id=organization_id, user_id="before", properties={"plan": "free"})
    new = a_record(
        organization_id=organization_id, user_id="after", properties={"plan": "team"}, version=old.version + 1
    )
    insert(warehouse, [old])
    insert(warehouse, [new])
    count = "SELECT count() AS n FROM request_response_rmt FINAL WHERE organization_id = {o:String} AND "
    assert ask(warehouse, f"{count} user_id = 'before'", o=organization_id) == [{"n": 0}]
    assert ask(warehouse, f"{count} has(property_pairs, cityHash64('plan', 'free'))", o=organization_id) == [{"n": 0}]
    assert ask(warehouse, f"{count} user_id = 'after'", o=organization_id) == [{"n": 1}]


def test_an_absent_property_reads_as_empty_and_only_map_contains_distinguishes_them(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    insert(warehouse, [a_record(organization_id=organization_id, properties={"there": ""})])
    (row,) = ask(
        warehouse,
        "SELECT properties['there'] AS there, properties['absent'] AS absent, mapContains(properties, 'there') AS has, "
        "mapContains(properties, 'absent') AS lacks FROM request_response_rmt FINAL WHERE organization_id = {o:String}",
        o=organization_id,
    )
    assert row == {"there": "", "absent": "", "has": True, "lacks": False}


def test_an_alias_shadows_a_column_even_in_where(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    insert(warehouse, [a_record(organization_id=organization_id, latency_ms=850)])
    sql = "SELECT 1 AS latency_ms FROM request_response_rmt WHERE organization_id = {o:String} AND latency_ms = 850"
    assert ask(warehouse, sql, o=organization_id) == []


def test_a_partition_that_went_quiet_is_merged_to_one_part(warehouse: ClickHouseWarehouse) -> None:
    table = f"quiet_{uuid.uuid4().hex}"
    for statement in (
        f"CREATE TABLE {table} AS request_response_rmt",
        f"ALTER TABLE {table} MODIFY SETTING min_age_to_force_merge_seconds = 1, merge_selecting_sleep_ms = 100",
    ):
        asyncio.run(warehouse.execute(Statement(sql=statement, parameters={})))
    for month in (1, 1, 2, 2, 2):
        columns = "organization_id, request_created_at, request_id, version"
        values = f"SELECT 'o', toDateTime64('2026-{month:02}-15', 3, 'UTC'), generateUUIDv4(), 1"
        asyncio.run(warehouse.execute(Statement(sql=f"INSERT INTO {table} ({columns}) {values}", parameters={})))

    parts = "SELECT partition, count() AS n FROM system.parts WHERE active AND table = {t:String} GROUP BY 1 ORDER BY 1"
    merged = [{"partition": "202601", "n": 1}, {"partition": "202602", "n": 1}]
    deadline = time.monotonic() + 30
    while ask(warehouse, parts, t=table) != merged and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ask(warehouse, parts, t=table) == merged
    asyncio.run(warehouse.execute(Statement(sql=f"DROP TABLE {table}", parameters={})))


def test_an_insert_of_one_batch_makes_one_part_a_month(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    records = [
        a_record(organization_id=organization_id, request_id=str(uuid.uuid4()), provider_usage="x" * 900)
        for _ in range(5_000)
    ]
    newest = (
        "SELECT max(max_block_number) AS n FROM system.parts "
        "WHERE table = 'request_response_rmt' AND database = currentDatabase()"
    )
    before = ask(warehouse, newest)[0]["n"]
    insert(warehouse, records)
    assert ask(warehouse, newest)[0]["n"] == before + 1
    assert total_of(warehouse, organization_id)[0] == 5_000
