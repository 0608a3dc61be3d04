"""The engine in this process: one folder for one process, and nothing acknowledged is lost when it is killed."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import InvalidSetting, StoreUnavailable
from services.stores.clickhouse.migrations import MIGRATIONS
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import TIMESTAMP
from tests.servers.warehouses import ask

ROOT = MIGRATIONS.parent
BATCH = 50

# Inserts batches, from one number to before another, and says which were acknowledged.
WRITER = f"""
import asyncio, sys, uuid
from datetime import datetime
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.clickhouse.migrations import migrate_warehouse
from tests.builders.records import a_record, some_bodies

async def write():
    warehouse = await ClickHouseWarehouse.open(sys.argv[1], create_database=True)
    await migrate_warehouse(warehouse)
    timestamp = datetime.fromisoformat(sys.argv[2])
    for batch in range(int(sys.argv[3]), int(sys.argv[4])):
        ids = [str(uuid.UUID(int=batch * {BATCH} + row)) for row in range({BATCH})]
        records = [a_record(request_id=id, request_created_at=timestamp) for id in ids]
        await warehouse.insert(records, [some_bodies(record) for record in records])
        print(batch, flush=True)

asyncio.run(write())
"""

READER = """
import asyncio, sys
from schemas.statement import Statement
from services.stores.clickhouse.warehouse import ClickHouseWarehouse

async def read():
    warehouse = await ClickHouseWarehouse.open(sys.argv[1])
    for sql in sys.argv[2:]:
        for row in await warehouse.query(Statement(sql=sql, parameters={})):
            print(*row.values())
    await warehouse.close()

asyncio.run(read())
"""


def writer(url: str, *, first: int = 0, end: int = 1, timestamp: datetime = TIMESTAMP) -> list[str]:
    return [sys.executable, "-c", WRITER, url, timestamp.isoformat(), str(first), str(end)]


def read(url: str, *questions: str, **environ: str) -> list[str]:
    """What a process of its own gets a response, a line a row."""
    command = [sys.executable, "-c", READER, url, *questions]
    done = subprocess.run(command, cwd=ROOT, env=environ, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_no_acknowledged_batch_is_lost_or_halved_when_the_process_is_killed(tmp_path: Path) -> None:
    url = f"chdb:{tmp_path}/warehouse"
    acknowledged: set[int] = set()
    now = datetime.now(UTC)  # since bodies of long ago are forgotten
    for life in range(3):
        command = writer(url, first=life * 1_000_000, end=(life + 1) * 1_000_000, timestamp=now)
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            # Killed in the middle of some insert: the next is under way when the last was acknowledged.
            acknowledged.update(int(child.stdout.readline()) for _ in range(20))
            child.kill()
            acknowledged.update(int(line) for line in child.stdout.read().split())

    for table in ("request_response_rmt", "request_response_body"):
        batch = f"intDiv(reinterpretAsUInt128(reverse(unhex(replaceAll(toString(request_id), '-', '')))), {BATCH})"
        found = read(url, f"SELECT {batch} AS batch, count() AS n FROM {table} FINAL GROUP BY batch")
        counts = {int(line.split()[0]): int(line.split()[1]) for line in found}
        assert acknowledged <= counts.keys()
        assert set(counts.values()) == {BATCH}


def test_a_folder_in_use_is_refused_to_a_second_process_by_name(embedded_warehouse: ClickHouseWarehouse) -> None:
    command = [sys.executable, "-c", READER, embedded_warehouse.url]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    folder = embedded_warehouse.url.removeprefix("chdb:")
    assert f"cannot open {folder}: a folder belongs to one process" in done.stderr.splitlines()[-1]
    assert ask(embedded_warehouse, "SELECT 1 AS one") == [{"one": 1}], "and the first goes on"


def test_a_process_is_refused_a_second_folder_by_name(embedded_warehouse: ClickHouseWarehouse, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=f"cannot open {tmp_path}"):
        asyncio.run(ClickHouseWarehouse.open(f"chdb:{tmp_path}"))
    assert ask(embedded_warehouse, "SELECT 1 AS one") == [{"one": 1}], "and the first goes on"


def test_timestamps_do_not_depend_on_where_the_machine_stands(tmp_path: Path) -> None:
    url = f"chdb:{tmp_path}/warehouse"
    subprocess.run(
        writer(url), cwd=ROOT, env={"TZ": "America/New_York"}, check=True, stdout=subprocess.DEVNULL, timeout=60
    )
    question = (
        "SELECT min(request_created_at) AS at, toStartOfHour(at) AS hour, "
        "toDateTime('2026-11-01 12:00:00', 'UTC') AS told "
        "FROM request_response_rmt"
    )
    hour = "2026-11-01 12:00:00+00:00"
    expected = [f"2026-11-01 12:00:00.123000+00:00 {hour} {hour}"]
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        assert read(url, question, TZ=zone) == expected


def test_the_driver_loads_no_data_frames(tmp_path: Path) -> None:
    command = writer(f"chdb:{tmp_path}/warehouse")
    command[2] += "\nassert 'pandas' not in sys.modules\n"
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=60)


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSetting, match=f"cannot make {tmp_path}/file/warehouse"):
        asyncio.run(ClickHouseWarehouse.open(f"chdb:{tmp_path}/file/warehouse"))


def test_a_question_for_too_much_memory_is_refused_and_the_process_lives(
    embedded_warehouse: ClickHouseWarehouse,
) -> None:
    terabytes = (
        "SELECT length(range(1000000000000)) AS n SETTINGS function_range_max_elements_in_block = 10000000000000"
    )
    with pytest.raises(StoreUnavailable, match="MEMORY_LIMIT_EXCEEDED"):
        ask(embedded_warehouse, terabytes)
    assert ask(embedded_warehouse, "SELECT 1 AS one") == [{"one": 1}]
