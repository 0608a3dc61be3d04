"""How long the dashboard's questions take: `python -m tests.bench.query --rows 10000000`.

Rows of four organizations and twelve months are made inside the engine, once: `--folder` keeps them. Closed months are
merged to one part each, as the table's own settings do in time; the last month is left as its inserts made it.
Every question is printed by the product's own printer; beside it stands the same statement without FINAL.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from schemas.statement import Bound, Statement
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.reports.period import Period
from services.sql.compile import compile_listing, compile_report
from services.sql.measures import COVERAGE, MEASURES
from services.sql.nodes import And, ByColumn, ByTime, Dimension, Everything, Filter, Listing, Not, Report, comparison
from services.sql.parse import parse_filter
from services.sql.sort import NEWEST_FIRST, group_by_column, group_by_property
from services.stores.clickhouse.migrations import migrate_warehouse
from services.stores.clickhouse.warehouse import ClickHouseWarehouse

END = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 365
ORGANIZATION = "org-0"
BATCH = 500_000
CLOSED = (202511, 202512, *range(202601, 202610))
HOT_BATCH = 20_000  # the worker's own, in the hot month
FLOORS_MS = {"by id": 50, "list page": 100}  # p95; 300 for all others

# Four organizations of equal size; few models, features and tiers, 10,000 users, 200,000 sessions; log-normal costs.
_ROWS = """
INSERT INTO request_response_rmt
    (organization_id, request_created_at, request_id, version, response_created_at, provider, model, request_model,
     target_url, status, outcome, is_stream, latency_ms, time_to_first_token_ms, user_id, session_id, session_name,
     session_path, properties, property_spellings, prompt_tokens, prompt_cache_read_tokens, completion_tokens,
     usage_source, cost_usd, cost_state, price_id, cache_enabled, cache_reference_id, cache_saved_usd, request_bytes,
     response_bytes)
WITH
    cityHash64(number) AS h,
    cityHash64(number, 1) AS g,
    {start:DateTime64(3, 'UTC')} + toIntervalMillisecond(toUInt64(number * {step:Float64})) AS created_at,
    toUInt32(200 + 600 * exp(randNormal(0, 1, number) * 0.7)) AS latency,
    h % 50 = 0 AS unpriced,
    g % 20 = 0 AS from_cache,
    toUInt32(50 * exp(randNormal(3, 1, number + 1))) AS prompt,
    toUInt32(10 * exp(randNormal(3, 1, number + 2))) AS completion,
    toUInt64(10000 * pow((g % 1000003) / 1000003, 3)) AS user_number
SELECT
    concat('org-', toString(number % 4)),
    created_at,
    generateUUIDv4(number),
    toUnixTimestamp64Micro(toDateTime64(created_at, 6, 'UTC')),
    created_at + toIntervalMillisecond(latency),
    ['OPENAI', 'ANTHROPIC'][1 + (h % 10 >= 7)],
    arrayElement(['gpt-4o-mini', 'gpt-4o', 'gpt-4.1', 'o4-mini', 'text-embedding-3-small', 'claude-sonnet-4',
                  'claude-haiku-4'], 1 + h % 7) AS model_name,
    model_name,
    'https://api.openai.com/v1/chat/completions',
    if(h % 40 = 1, 500, 200),
    multiIf(from_cache, 'cached', h % 40 = 1, 'provider_error', 'completed'),
    g % 3 = 0,
    latency,
    if(g % 3 = 0, intDiv(latency, 4), NULL),
    concat('user-', toString(user_number)),
    if(g % 5 < 2, concat('session-', toString(intDiv(number, 50))), ''),
    if(g % 5 < 2, 'Document Analysis', ''),
    if(g % 5 < 2, '/analyze', ''),
    map('feature', ['chat', 'search', 'document-analysis', 'faq'][1 + h % 4],
        'environment', if(h % 8 = 0, 'development', 'production'),
        'usertier', if(user_number % 5 = 0, 'premium', 'free')),
    ['Feature', 'Environment', 'UserTier'],
    prompt,
    intDiv(prompt, 3),
    completion,
    'provider',
    if(unpriced, NULL, toDecimal64((prompt * 0.15 + completion * 0.6) / 1000000, 12)),
    if(unpriced, 'unknown_model', 'priced'),
    'price-1',
    from_cache,
    if(from_cache, generateUUIDv4(number + 1), toUUID('00000000-0000-0000-0000-000000000000')),
    if(from_cache, toDecimal64('0.001', 12), NULL),
    prompt * 4,
    completion * 4
FROM numbers({first:UInt64}, {count:UInt64})
"""


def _report(where: Filter, *measures: str, by: tuple[Dimension, ...] = (), limit: int = 1000) -> Statement:
    chosen = tuple(MEASURES[name] for name in measures)
    return compile_report(
        Report(
            table=REQUEST_RESPONSE,
            organization_id=ORGANIZATION,
            where=where,
            measures=chosen,
            by=by,
            order_by=None if any(isinstance(part, ByTime) for part in by) else 0,
            descending=not any(isinstance(part, ByTime) for part in by),
            limit=limit,
        )
    )


def _listing(where: Filter, limit: int = 100, reach: int | None = 200) -> Statement:
    """A page as the service asks for it at first; it finds whole pages."""
    return compile_listing(
        Listing(
            table=REQUEST_RESPONSE,
            organization_id=ORGANIZATION,
            where=where,
            order_by=NEWEST_FIRST,
            limit=limit,
            reach=reach,
        )
    )


def questions(request_id: str) -> dict[str, Statement]:
    """What the dashboard asks, over 30 days and over a year."""
    until = parse_filter({"request_response_rmt": {"request_created_at": {"lte": END.isoformat()}}})
    month = Period(start=END - timedelta(days=30), end=END).filter()
    year = Period(start=END - timedelta(days=DAYS), end=END).filter()
    day = Period(start=END - timedelta(days=101), end=END - timedelta(days=100)).filter()
    spend = ("cost_usd", *COVERAGE["cost_usd"])
    premium = parse_filter({"properties": {"UserTier": {"equals": "premium"}}})
    one_user = parse_filter({"request": {"user_id": {"equals": "user-4321"}}})
    user, model = group_by_column("user_id"), group_by_column("model")
    feature, environment = group_by_property("Feature"), group_by_property("Environment")
    session: tuple[ByColumn, ByColumn] = (group_by_column("session_id"), group_by_column("session_name"))
    in_session = Not(comparison("session_id", Operator.EQUALS, None))
    return {
        "total, 30 days": _report(month, *spend),
        "total, a year": _report(year, *spend),
        "one day": _report(day, *spend),
        "by day, 30 days": _report(month, *spend, by=(ByTime("day", "Europe/Berlin"),)),
        "by day, a year": _report(year, *spend, by=(ByTime("day", "Europe/Berlin"),)),
        "top users, 30 days": _report(month, *spend, by=(user,), limit=10),
        "top users, a year": _report(year, *spend, by=(user,), limit=10),
        "tree of the report, 30 days": _report(
            month, *spend, "cache_hits", "cache_savings_usd", by=(environment, feature)
        ),
        "by feature of premium, 30 days": _report(And((month, premium)), *spend, by=(feature,)),
        "by feature of premium, a year": _report(And((year, premium)), *spend, by=(feature,)),
        "p95 latency by model, a year": _report(year, "p95_latency_ms", "requests", by=(model,)),
        "one user, a year": _report(And((year, one_user)), *spend),
        "top sessions, 30 days": _report(And((month, in_session)), *spend, by=session, limit=10),
        "top sessions, a year": _report(And((year, in_session)), *spend, by=session, limit=10),
        "list page": _listing(until),
        "list page of premium": _listing(And((until, premium))),
        "by id": _listing(parse_filter({"request": {"id": {"equals": request_id}}}), limit=1, reach=None),
    }


async def fill(warehouse: ClickHouseWarehouse, rows: int) -> None:
    """Makes the rows in order of time, and merges every month but the last."""
    start = END - timedelta(days=DAYS)
    hot = rows - rows // 50  # from here on in the worker's batches
    first = 0
    with Progress() as progress:
        made = progress.add_task("rows made", total=rows)
        while first < rows:
            count = min(BATCH, hot - first) if first < hot else min(HOT_BATCH, rows - first)
            step = DAYS * 86_400_000 / rows
            parameters: dict[str, Bound] = {"start": start, "step": step, "first": first, "count": count}
            await warehouse.execute(Statement(sql=_ROWS, parameters=parameters))
            first += count
            progress.update(made, completed=first)
        for month in progress.track(CLOSED, description="months merged"):
            sql = f"OPTIMIZE TABLE request_response_rmt PARTITION {month} FINAL"
            await warehouse.execute(Statement(sql=sql, parameters={}))


async def timed(warehouse: ClickHouseWarehouse, statement: Statement, repeats: int) -> list[float]:
    """Milliseconds, ascending. The first response, which finds the caches cold, is not among them."""
    await warehouse.query(statement)
    taken = []
    for _ in range(repeats):
        before = time.perf_counter()
        await warehouse.query(statement)
        taken.append((time.perf_counter() - before) * 1000)
    return sorted(taken)


async def measure(folder: Path, rows: int, repeats: int) -> bool:
    """Prints a table; whether every floor was met."""
    warehouse = await ClickHouseWarehouse.open(f"chdb:{folder}", create_database=True)
    await migrate_warehouse(warehouse)
    (total,) = await warehouse.query(_report(Everything(), "requests"))
    if not total["m0"]:
        await fill(warehouse, rows)
    page = await warehouse.query(_listing(Everything()))
    table = Table(title=f"{rows:,} rows, a quarter of them of the organization that asks")
    for heading in ("question", "p50 ms", "p95 ms", "floor ms", "p50 without FINAL"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    met = True
    for name, statement in questions(str(page[-1]["request_id"])).items():
        taken = await timed(warehouse, statement, repeats)
        bare = msgspec.structs.replace(statement, sql=statement.sql.replace(" FINAL", ""))
        reference = await timed(warehouse, bare, repeats)
        p50, p95, floor = _at(taken, 0.5), _at(taken, 0.95), FLOORS_MS.get(name, 300)
        met &= p95 <= floor
        table.add_row(name, f"{p50:.1f}", f"{p95:.1f}", f"{floor}", f"{_at(reference, 0.5):.1f}")
    await warehouse.close()
    Console().print(table)
    return met


def _at(ascending: Sequence[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="keeps the rows there, and takes them from there the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="farebox-bench-") as temporary:
        met = asyncio.run(measure(given.folder or Path(temporary), given.rows, given.repeats))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
