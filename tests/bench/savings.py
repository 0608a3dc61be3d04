"""How long savings take: `python -m tests.bench.savings --rows 10000000`.

The rows of `tests.bench.query`, a quarter of them once more as those of an organization that repeats prompts (a seventh
of its requests, long-tailed over 5000 prompts) and uses prompt caches. `--folder` keeps them.
"""

import argparse
import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from schemas.timestamps import unix_us
from services.query.reports.period import Period
from services.query.savings.parts import MAX_PARTS
from services.sql.compile import compile_report
from services.sql.measures import MEASURES
from services.sql.nodes import Everything, Report
from services.sql.savings.prompt_cache import compile_cache_use
from services.sql.savings.repeats import Repeats, compile_repeats
from services.sql.savings.what_if import compile_usage
from services.sql.sort import group_by_property
from services.stores.clickhouse.migrations import migrate_warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.bench.query import timed
from tests.bench.query_rows import DAYS, END, fill

ORGANIZATION = "org-savings"
_BY = (group_by_property("Feature"),)
_COPIED = """
INSERT INTO request_response_rmt
SELECT * REPLACE (
    {organization:String} AS organization_id,
    lower(hex(if(cityHash64(request_id) % 7 = 0,
                 toUInt64(5000 * pow((cityHash64(request_id, 1) % 1000003) / 1000003, 3)),
                 cityHash64(request_id, 2)))) AS request_fingerprint,
    'key' AS provider_key_hash,
    prompt_tokens * 4 AS prompt_cache_read_tokens,
    if(cityHash64(request_id, 3) % 9 = 0, prompt_tokens, 0) AS prompt_cache_write_5m_tokens)
FROM (SELECT * FROM request_response_rmt WHERE organization_id = 'org-0')
"""


def statements(days: int) -> dict[str, Statement]:
    """Of the last so many days, by feature."""
    period = Period(start=END - timedelta(days=days), end=END)
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=ORGANIZATION,
        where=period.filter(),
        measures=(),
        by=_BY,
        limit=MAX_PARTS,
    )
    repeats = Repeats(
        organization_id=ORGANIZATION,
        where=period.filter(),
        by=_BY,
        scope=(),
        max_age_ms=7 * 86_400_000,
        limit=101,
    )
    among = period.filter()
    return {
        f"repeated prompts, {days} days": compile_repeats(repeats),
        f"prompt caches, {days} days": compile_cache_use(report, among, unix_us(END) // 1000, [200_000]),
        f"other prices, {days} days": compile_usage(report, [200_000]),
    }


async def measure(folder: Path, rows: int, repeats: int) -> None:
    """Prints a table."""
    warehouse = await ClickHouseWarehouse.open(f"chdb:{folder}", create_database=True, query_timeout_s=600)
    await migrate_warehouse(warehouse)
    whole = Report(
        table=REQUEST_RESPONSE,
        organization_id=ORGANIZATION,
        where=Everything(),
        measures=(MEASURES["requests"],),
    )
    (total,) = await warehouse.query(compile_report(whole))
    if not total["m0"]:
        await fill(warehouse, rows)
        await warehouse.execute(Statement(sql=_COPIED, parameters={"organization": ORGANIZATION}))
        (total,) = await warehouse.query(compile_report(whole))
    table = Table(title=f"{rows:,} rows, and {total['m0']:,} more of the organization that asks")
    for heading in ("question", "p50 ms", "highest ms"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    for name, statement in (statements(30) | statements(DAYS)).items():
        _, taken = await timed(warehouse, statement, repeats, folder)
        table.add_row(name, f"{taken[len(taken) // 2]:.0f}", f"{taken[-1]:.0f}")
    await warehouse.close()
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keeps the rows there, and takes them from there the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="farebox-bench-") as temporary:
        asyncio.run(measure(given.folder or Path(temporary), given.rows, given.repeats))


if __name__ == "__main__":
    main()
