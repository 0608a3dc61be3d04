"""How long the dashboard's queries take: `python -m tests.bench.query --rows 10000000`.

Rows of four organizations and twelve months are made inside the engine, once: `--folder` keeps them, and one whose
making was interrupted is filled up. Closed months are
merged to one part each, as the table's own settings do in time; the last month is left as its inserts made it. Sums by
hour, day and week are computed as the worker does. Every question is compiled by the product itself, which chooses each
time what it reads: a `*` marks those that it answers from these sums. Beside it stands the same question of Helicone's
own table design, which counts every row however often it was delivered, in the same engine and run. Cold is the first
time, with nothing of the tables in the memory of the engine or of the system; 100 million rows take about 10 GB of disk
for each table.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from schemas.statement import Statement
from services.rolled_queries import cheaper
from services.stores.clickhouse.migrations import migrate_warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.worker.rollup import compute_outdated
from tests.bench.query_questions import a_listing, questions
from tests.bench.query_rows import HELICONE, fill, fill_helicone

_AIM_ROWS = 10_000_000
_LARGE_REPORT_MS = 1000  # of a report on ten times as many
_CACHES = ("MARK CACHE", "UNCOMPRESSED CACHE", "QUERY CONDITION CACHE", "PRIMARY INDEX CACHE", "INDEX MARK CACHE")


async def measure(folder: Path, rows: int, repeats: int) -> bool:
    """Prints a table; whether every aim was met."""
    warehouse = await ClickHouseWarehouse.open(f"chdb:{folder}", create_database=True)
    await migrate_warehouse(warehouse)
    await fill(warehouse, rows)
    while await compute_outdated(warehouse, settle_s=0):
        pass
    if not await _is_filled(warehouse):
        await fill_helicone(warehouse)
    page = await warehouse.query(a_listing())
    table = Table(title=f"{rows:,} rows, a quarter of them of the organization that asks")
    for heading in ("question", "cold ms", "p50 ms", "p95 ms", "aim ms", "Helicone's cold", "p50", "p95"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    met = True
    for question in questions(str(page[-1]["request_id"])):
        aim_ms = question.aim_ms if rows <= _AIM_ROWS else _LARGE_REPORT_MS
        cold_ms, taken = await timed(warehouse, question.ours, repeats, folder)
        met &= _at(taken, 0.95) <= aim_ms
        is_rolled = await cheaper(question.ours, warehouse) is not question.ours
        shown = [f"{question.name}{' *' if is_rolled else ''}", *_shown(cold_ms, taken), str(aim_ms)]
        if question.theirs is not None:
            shown += _shown(*await timed(warehouse, question.theirs, repeats, folder))
        table.add_row(*shown)
    await warehouse.close()
    Console(width=120).print(table)
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{os.cpu_count()} cores; load of the machine over 1, 5 and 15 minutes: {load}")
    return met


async def timed(
    warehouse: ClickHouseWarehouse, statement: Statement, repeats: int, folder: Path
) -> tuple[float, list[float]]:
    """Milliseconds: of the first response, with cold caches, and of the others, ascending."""
    for cache in _CACHES:
        await warehouse.execute(Statement(sql=f"SYSTEM DROP {cache}", parameters={}))
    _forget_files(folder)
    cold_ms, *taken = [await _time(warehouse, statement) for _ in range(1 + repeats)]
    return cold_ms, sorted(taken)


async def _time(warehouse: ClickHouseWarehouse, statement: Statement) -> float:
    """As the query service asks: with every core, and of the roll-up where that is less to read."""
    limited = msgspec.structs.replace(statement, is_limited=True)
    before = time.perf_counter()
    await warehouse.query(await cheaper(limited, warehouse))
    return (time.perf_counter() - before) * 1000


def _forget_files(folder: Path) -> None:
    """The system keeps nothing of them in memory, as after a start."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # parts of before a merge go away
                descriptor = os.open(Path(parent) / name, os.O_RDONLY)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)


async def _is_filled(warehouse: ClickHouseWarehouse) -> bool:
    (found,) = await warehouse.query(Statement(sql=f"EXISTS TABLE {HELICONE}", parameters={}))
    return bool(found["result"])


def _shown(cold_ms: float, ascending: Sequence[float]) -> list[str]:
    return [f"{ms:.1f}" for ms in (cold_ms, _at(ascending, 0.5), _at(ascending, 0.95))]


def _at(ascending: Sequence[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=_AIM_ROWS)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="keeps the rows there, and takes them from there the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="farebox-bench-") as temporary:
        met = asyncio.run(measure(given.folder or Path(temporary), given.rows, given.repeats))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
