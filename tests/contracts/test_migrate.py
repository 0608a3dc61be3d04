"""`python -m services.migrate`: everything the processes need, made once, whoever runs it and how often."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from services.stores.clickhouse.migrations import MIGRATIONS, read_migrations
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.state.api_keys import SqlKeyStore
from tests.builders.records import a_record
from tests.servers.warehouses import ask, fresh_database, insert

ROOT = MIGRATIONS.parent
NAMES = [migration.name for migration in read_migrations(MIGRATIONS)]
COMMAND = [sys.executable, "-m", "services.migrate"]


def test_tables_keys_and_topics_are_made_and_made_once(clickhouse_address: str, kafka: str, tmp_path: Path) -> None:
    with fresh_database(clickhouse_address) as url:
        state = f"sqlite:///{tmp_path}/state.sqlite"
        environ = {
            "FAREBOX_WAREHOUSE": url,
            "FAREBOX_STATE": state,
            "FAREBOX_EVENT_LOG": f"kafka://{kafka}",
            "FAREBOX_KAFKA_PARTITIONS": "3",
        }
        first, second = (migrate(environ) for _ in range(2))
    assert first["warehouse migrated"]["applied"] == NAMES
    assert second["warehouse migrated"]["applied"] == second["topics created"]["topics"] == []
    keys = SqlKeyStore(state)
    assert asyncio.run(keys.list_keys("nobody")) == []
    asyncio.run(keys.close())


def migrate(environ: dict[str, str]) -> dict[str, dict[str, list[str]]]:
    """What was logged, by its sentence."""
    done = subprocess.run(COMMAND, env=environ, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    return {line["message"]: line for line in lines}


def test_processes_that_migrate_at_once_all_succeed(clickhouse_address: str, tmp_path: Path) -> None:
    with fresh_database(clickhouse_address) as url:
        environ = {"FAREBOX_WAREHOUSE": url, "FAREBOX_STATE": f"sqlite:///{tmp_path}/state.sqlite"}
        children = [subprocess.Popen(COMMAND, env=environ, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
        for child in children:
            _, errors = child.communicate(timeout=60)
            assert child.returncode == 0, errors.decode()
        warehouse = asyncio.run(ClickHouseWarehouse.open(url))
        recorded = ask(warehouse, "SELECT DISTINCT name FROM schema_migration ORDER BY name")
        assert [row["name"] for row in recorded] == NAMES
        insert(warehouse, [a_record()])
        asyncio.run(warehouse.close())


def test_what_cannot_be_done_ends_with_one_line_and_a_code() -> None:
    environ = {"FAREBOX_WAREHOUSE": "http://farebox:hunter2@127.0.0.1/bad name"}
    done = subprocess.run(COMMAND, env=environ, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip() == "farebox migrate: warehouse: 'bad name' is not a database name"
