"""How often noise is taken for an anomaly, and how long the question takes: `python -m tests.bench.anomalies`.

False anomalies are counted on made-up series with seasons and nothing unusual in them, with the usual sensitivity and
no minimum. With `--rows` the one call of a dashboard is measured too, on rows made as in `tests.bench.query`, which
`--folder` keeps.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from schemas.api.anomalies import AnomaliesRequest
from schemas.seal import Seal, SealState
from schemas.tables import REQUEST_RESPONSE
from services.query.reports.anomalies.plan import plan_of
from services.query.reports.anomalies.search import find_anomalies
from services.query.reports.question import question_of
from services.sql.compile import compile_report
from services.sql.measures import MEASURES
from services.sql.nodes import Everything, Report
from services.stores.clickhouse.migrations import migrate_warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.bench.query_rows import END, ORGANIZATION, fill
from tests.builders.traffic_series import NOISES, false_runs

_SEAL = Seal(state=SealState.COMPLETE, complete_until=END)


def count_false(series: int) -> Table:
    """For each kind of noise: runs in so many series of seven judged weeks each."""
    table = Table(title=f"false anomalies in {series} series of seven weeks without any")
    for heading in ("noise", "bucket", "requests an hour", "found", "one in ... weeks of a series"):
        table.add_column(heading)
    for name, noise in NOISES.items():
        for bucket, mean in (("hour", 70.0), ("hour", 300.0), ("day", 1.0), ("day", 10.0)):
            runs, weeks = false_runs(range(series), noise=noise, mean=mean, bucket=bucket)
            table.add_row(name, bucket, f"{mean:g}", f"{runs}", f"{weeks / runs:.0f}" if runs else f"over {weeks}")
    return table


async def measure(folder: Path, rows: int, repeats: int) -> Table:
    """Milliseconds of the one call of a dashboard."""
    warehouse = await ClickHouseWarehouse.open(f"chdb:{folder}", create_database=True)
    await migrate_warehouse(warehouse)
    requests = Report(
        table=REQUEST_RESPONSE, organization_id=ORGANIZATION, where=Everything(), measures=(MEASURES["requests"],)
    )
    (total,) = await warehouse.query(compile_report(requests))
    if not total["m0"]:
        await fill(warehouse, rows)
    table = Table(title=f"{rows:,} rows, a quarter of them of the organization that asks")
    for heading in ("period", "p50 ms", "p95 ms", "anomalies", "judged"):
        table.add_column(heading, justify="right")
    for since in ("7d", "30d"):
        body = AnomaliesRequest.model_validate({"timeFilter": {"since": since}, "timeZone": "Europe/Berlin"})
        plan = plan_of(question_of(body, ORGANIZATION, END), body, END)
        _, view = await find_anomalies(plan, body, warehouse, _SEAL)
        taken = []
        for _ in range(repeats):
            before = time.perf_counter()
            await find_anomalies(plan, body, warehouse, _SEAL)
            taken.append((time.perf_counter() - before) * 1000)
        taken.sort()
        judged = sum(coverage.judged for coverage in view.coverage)
        p50, p95 = taken[len(taken) // 2], taken[min(len(taken) - 1, int(len(taken) * 0.95))]
        table.add_row(since, f"{p50:.0f}", f"{p95:.0f}", f"{len(view.anomalies)}", f"{judged}")
    await warehouse.close()
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="keeps the rows there, and takes them from there the next time")
    given = parser.parse_args()
    Console().print(count_false(given.series))
    if given.rows:
        with tempfile.TemporaryDirectory(prefix="farebox-bench-") as temporary:
            Console().print(asyncio.run(measure(given.folder or Path(temporary), given.rows, given.repeats)))


if __name__ == "__main__":
    main()
