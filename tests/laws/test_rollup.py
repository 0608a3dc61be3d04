"""Sums by hour and day are those of the rows: whatever was written, how often, in which order, and what crashed."""

import asyncio
import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from schemas.errors import StoreUnavailable
from schemas.event import Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE, Operator
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.rolled_queries import cheaper
from services.sql.comparison import compile_comparison
from services.sql.compile import compile_report
from services.sql.erasure import compile_erasure
from services.sql.groupings import compile_groupings, joined_groupings
from services.sql.measures import MEASURES
from services.sql.nodes import And, ByTime, Comparison, Dimension, Everything, Filter, Report, comparison
from services.sql.parse import parse_filter
from services.sql.rollup.computing import compile_outdated
from services.sql.rollup.grains import GRAINS, MAX_GROUPS, folded
from services.sql.sort import group_by_column, group_by_property
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.worker.rollup import compute_outdated
from tests.builders.records import TIMESTAMP, a_record
from tests.servers.warehouses import EXAMPLES, ask, fresh_database, insert, migrated
from tests.support.examples import examples
from tests.support.repricing import CHUNK_ROWS, SHIPPED, UNKNOWN, all_sorts
from tests.support.repricing import Operator as PriceOperator
from tests.support.rolling import RollupFirst, both, rolled_up

START, END = TIMESTAMP - timedelta(days=36, minutes=17), TIMESTAMP + timedelta(hours=3)
OF_ANY = tuple(measure for measure in MEASURES.values() if (found := folded(measure)) is not None and not found.columns)
ALL = Everything()
USER, MODEL, FEATURE = group_by_column("user_id"), group_by_column("model"), group_by_property("Feature")

texts = st.sampled_from(["", "ann", "bob"])


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    usd = draw(st.none() | st.decimals(0, 1000, places=12))
    feature = draw(st.sampled_from(["", "chat", "search"]))
    outcome = draw(st.sampled_from([Outcome.COMPLETED, Outcome.PROVIDER_ERROR, Outcome.CACHED]))
    return {
        "cost_usd": usd,
        "cost_state": CostState.UNKNOWN_MODEL if usd is None else CostState.PRICED if usd else CostState.FREE,
        "user_id": draw(texts),
        "properties": {"feature": feature, "tier": draw(texts)} if feature else {},
        "model": draw(st.sampled_from(["", "a", "b"])),
        "provider": draw(st.sampled_from(["OPENAI", "ANTHROPIC"])),
        "outcome": outcome,
        "attempt_of": draw(st.none() | st.just("0af0fabc-0000-4000-8000-00000000000a")),
        "cache_saved_usd": draw(st.none() | st.decimals(0, 9, places=12)) if outcome is Outcome.CACHED else None,
        "cache_enabled": draw(st.booleans()),
        "latency_ms": draw(st.integers(0, 5000)),
        "prompt_tokens": draw(st.integers(0, 9)),
        "completion_tokens": draw(st.integers(0, 9)),
        "usage_source": draw(st.sampled_from([UsageSource.NONE, UsageSource.PROVIDER])),
        "request_created_at": TIMESTAMP + timedelta(minutes=draw(st.integers(-53_000, 240))),
    }


Story = list[tuple[dict[str, Any], dict[str, Any] | None, bool]]

# Rows, what they were before if they were corrected, and whether that comes late.
rows = st.lists(st.tuples(changes(), st.none() | changes(), st.booleans()), min_size=2, max_size=8)


@pytest.fixture
def org() -> str:
    return f"org-{uuid.uuid4()}"


def a_report(org: str, *by: Dimension, where: Filter = ALL, names: tuple[str, ...] = ()) -> Report:
    measures = tuple(MEASURES[name] for name in names) or OF_ANY
    period = And(
        (comparison("request_created_at", Operator.GTE, START), comparison("request_created_at", Operator.LT, END))
    )
    return Report(table=REQUEST_RESPONSE, organization_id=org, where=And((period, where)), measures=measures, by=by)


FEW = ("cost_usd", "priced_token_share", "total_tokens", "cache_savings_usd", "average_latency_ms")
COST = ("cost_usd", "requests", "attempts", "errors")


def questions(org: str) -> Iterator[tuple[str, Statement]]:
    of_ann = parse_filter({"request": {"user_id": {"equals": "ann"}}})
    not_chat = parse_filter({"properties": {"Feature": {"not-equals": "chat"}}})
    of_a = parse_filter({"request_response_rmt": {"model": {"contains": "A"}}})
    reports = {
        "by hour": a_report(org, ByTime("hour", "Asia/Tokyo"), MODEL, names=FEW),
        "by model of some": a_report(org, MODEL, group_by_column("provider"), where=of_a, names=COST),
        "by user": a_report(org, USER, names=("cost_usd", "active_users", "last_request_at")),
        "of a user": a_report(org, ByTime("week", "UTC"), where=of_ann, names=COST),
        "by property": a_report(org, FEATURE, group_by_property("Tier"), where=not_chat, names=COST),
        "by property and month": a_report(org, ByTime("month", "UTC"), FEATURE, names=("cost_usd", "models")),
    }
    for name, report in reports.items():
        yield name, compile_report(report)
    earlier = And(
        (
            comparison("request_created_at", Operator.GTE, START - timedelta(days=30)),
            comparison("request_created_at", Operator.LT, START),
        )
    )
    compared = Comparison(report=a_report(org, MODEL, names=COST), compared=earlier)
    yield "compared", compile_comparison(compared)
    by_provider = msgspec.structs.replace(compared, report=a_report(org, group_by_column("provider"), names=COST))
    for groupings in joined_groupings((compared, by_provider), is_rolled=True).values():
        yield "compared in two groupings", compile_groupings(groupings)


def every_measure(org: str) -> Iterator[tuple[str, Statement]]:
    """Of all there is, and by day of a zone that has hours before those of UTC."""
    everything = Report(table=REQUEST_RESPONSE, organization_id=org, where=Everything(), measures=OF_ANY, by=(MODEL,))
    yield "all there is", compile_report(everything)
    yield "by day", compile_report(a_report(org, ByTime("day", "Europe/Berlin")))


def agrees(warehouse: ClickHouseWarehouse, org: str) -> None:
    same(warehouse, questions(org))


def same(warehouse: ClickHouseWarehouse, asked: Iterable[tuple[str, Statement]]) -> None:
    for name, statement in asked:
        of_rows, of_rollup = both(warehouse, statement)
        assert of_rollup == of_rows, name


def records_of(org: str, story: Story) -> tuple[list[RequestRecord], list[RequestRecord]]:
    """In two batches: the latest version of a row first or last. Most rows are in both."""
    first, second = [], []
    for row, prior, is_late in story:
        identity = {
            "organization_id": org,
            "request_id": str(uuid.uuid4()),
            "request_created_at": row["request_created_at"],
        }
        record = a_record(**(row | identity))
        older = a_record(**(prior | identity), version=record.version - 1) if prior else record
        first.append(record if is_late else older)
        second.append(older if is_late else record)
    return first, second


@given(story=rows)
@settings(EXAMPLES, max_examples=examples(2), phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_a_report_is_the_same_of_the_roll_up_and_of_the_rows_after_every_write(
    embedded_warehouse: ClickHouseWarehouse, story: Story
) -> None:
    org = f"org-{uuid.uuid4()}"
    first, second = records_of(org, story)
    for batch in (first, second, first):
        insert(embedded_warehouse, batch)
        if batch is not first:
            agrees(embedded_warehouse, org)  # while what was complete before is not any more
        rolled_up(embedded_warehouse, org)
    assert rolled_up(embedded_warehouse, org) == 0
    same(embedded_warehouse, [*questions(org), *every_measure(org)])


def test_both_engines_compute_the_same(warehouse: ClickHouseWarehouse, org: str) -> None:
    kept: list[dict[str, Any]] = [
        {"model": "m3", "cost_usd": Decimal("0.2")},
        {"model": "m", "cost_usd": None},
        {"user_id": "ann"},
    ]
    stored = [
        a_record(
            organization_id=org,
            request_id=str(uuid.uuid4()),
            request_created_at=TIMESTAMP - timedelta(days=at),
            **row,
        )
        for at, row in enumerate(kept)
    ]
    insert(warehouse, stored)
    assert rolled_up(warehouse, org) > 0
    agrees(warehouse, org)
    by_model = compile_report(a_report(org, MODEL, names=("cost_usd",)))
    assert {row["d0"] for row in both(warehouse, by_model)[1]} >= {"m3", "m"}
    # The last request of a group moves to another one.
    moved = a_record(
        organization_id=org,
        request_id=stored[0].request_id,
        request_created_at=stored[0].request_created_at,
        model="m",
        cost_usd=Decimal("0.3"),
        version=stored[0].version + 64,
    )
    insert(warehouse, [moved])
    agrees(warehouse, org)
    rolled_up(warehouse, org)
    agrees(warehouse, org)
    assert "m3" not in {row["d0"] for row in both(warehouse, by_model)[1]}


def test_a_bucket_is_not_complete_from_the_write_on_whoever_wrote_it_and_whatever_crashed_then(
    warehouse: ClickHouseWarehouse, org: str
) -> None:
    """Nothing follows the write: which buckets it touched is on disk with the rows, and by nobody's doing."""
    record = a_record(organization_id=org, request_id=str(uuid.uuid4()), request_created_at=TIMESTAMP)
    insert(warehouse, [record])
    rolled_up(warehouse, org)
    copy = "SELECT * REPLACE (version + 64 AS version, toDecimal64(7, 12) AS cost_usd) FROM request_response_rmt"
    sql = f"INSERT INTO request_response_rmt {copy} WHERE organization_id = {{o:String}}"
    columns = ", ".join(_stored(warehouse))
    sql = sql.replace("request_response_rmt SELECT *", f"request_response_rmt ({columns}) SELECT *")
    asyncio.run(warehouse.execute(Statement(sql=sql, parameters={"o": org})))
    of_rows, of_rollup = both(warehouse, compile_report(a_report(org, names=("cost_usd",))))
    assert of_rows == of_rollup
    assert of_rollup[0]["m0"] == Decimal(7)


def _stored(warehouse: ClickHouseWarehouse) -> list[str]:
    sql = (
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'request_response_rmt'"
        " AND default_kind != 'MATERIALIZED'"
    )
    return [row["name"] for row in ask(warehouse, sql)]


def test_a_request_that_was_deleted_is_gone_from_its_bucket(warehouse: ClickHouseWarehouse, org: str) -> None:
    record = a_record(organization_id=org, request_id=str(uuid.uuid4()), request_created_at=TIMESTAMP)
    insert(warehouse, [record])
    rolled_up(warehouse, org)
    sql = (
        "INSERT INTO request_response_rmt (organization_id, request_created_at, request_id, version, is_deleted)"
        " SELECT organization_id, request_created_at, request_id, version + 64, 1 FROM request_response_rmt"
        " WHERE organization_id = {o:String}"
    )
    asyncio.run(warehouse.execute(Statement(sql=sql, parameters={"o": org})))
    for _ in range(2):
        of_rows, of_rollup = both(warehouse, compile_report(a_report(org, names=("requests",))))
        assert of_rows == of_rollup
        assert of_rollup[0]["m0"] == 0
        rolled_up(warehouse, org)
    assert rolled_up(warehouse, org) == 0


def test_a_user_who_was_erased_has_the_pseudonym_in_the_roll_up_too(warehouse: ClickHouseWarehouse, org: str) -> None:
    records = [
        a_record(organization_id=org, request_id=str(uuid.uuid4()), request_created_at=TIMESTAMP, user_id=user)
        for user in ("ann", "ann", "bob")
    ]
    insert(warehouse, records)
    rolled_up(warehouse, org)
    for statement in compile_erasure(org, "ann", "erased-1"):
        asyncio.run(warehouse.execute(statement))
    of_rows, of_rollup = both(warehouse, compile_report(a_report(org, USER, names=("requests",))))
    assert of_rows == of_rollup
    assert {row["d0"]: row["m0"] for row in of_rollup} == {"erased-1": 2, "bob": 1, "": 3}  # all of them
    assert rolled_up(warehouse, org) == 0  # nothing has to be computed again


def test_what_was_written_a_moment_ago_is_neither_computed_nor_complete(
    embedded_warehouse: ClickHouseWarehouse, org: str
) -> None:
    """A statement that began before a bucket was computed may show its rows only after that."""
    insert(embedded_warehouse, [a_record(organization_id=org, request_id=str(uuid.uuid4()))])
    ours = [row for row in _outdated(embedded_warehouse, settle_s=300) if row["organization_id"] == org]
    assert ours == []
    rolled_up(embedded_warehouse, org)
    sql = "SELECT max(complete_until_us) AS until_us, now64(6) AS now FROM rollup WHERE organization_id = {o:String}"
    (found,) = ask(embedded_warehouse, sql, o=org)
    assert 0 < found["until_us"] < found["now"].timestamp() * 1e6


def _outdated(warehouse: ClickHouseWarehouse, *, settle_s: float) -> list[dict[str, Any]]:
    return asyncio.run(warehouse.query(compile_outdated(GRAINS[0], int(settle_s * 1e6), 1_000_000)))


def test_a_day_of_very_many_users_is_read_from_its_rows(embedded_warehouse: ClickHouseWarehouse, org: str) -> None:
    sql = (
        "INSERT INTO request_response_rmt (organization_id, request_created_at, request_id, version, user_id, cost_usd)"
        " SELECT {o:String}, {at:DateTime64(3, 'UTC')} + number % 2, generateUUIDv4(number), 1, toString(number), 1"
        f" FROM numbers({MAX_GROUPS + 1})"
    )
    asyncio.run(embedded_warehouse.execute(Statement(sql=sql, parameters={"o": org, "at": TIMESTAMP})))
    rolled_up(embedded_warehouse, org)
    assert rolled_up(embedded_warehouse, org) == 0
    of_rows, of_rollup = both(embedded_warehouse, compile_report(a_report(org, USER, names=COST)))
    assert of_rollup == of_rows
    assert of_rows[0]["m0"] == MAX_GROUPS + 1


def test_money_charged_again_and_put_back_is_in_the_roll_up(
    warehouse: ClickHouseWarehouse, org: str, tmp_path: Path
) -> None:
    operator = PriceOperator(warehouse, tmp_path, org)
    events = list(all_sorts(2 * CHUNK_ROWS, org, seed=3))
    insert(warehouse, [to_record(event, SHIPPED)[0] for event in events])
    rolled_up(warehouse, org)
    asked = compile_report(a_report(org, MODEL, names=FEW))
    before, _ = both(warehouse, asked)
    operator.add_price(UNKNOWN, "0.0000017")
    run = operator.charge_again()
    same(warehouse, [("charged, not computed", asked)])
    rolled_up(warehouse, org)
    same(warehouse, [("charged", asked)])
    assert both(warehouse, asked)[1] != before
    operator.undo(run)
    same(warehouse, [("put back, not computed", asked)])
    rolled_up(warehouse, org)
    assert both(warehouse, asked)[1] == before


def test_the_roll_up_is_read_where_most_of_a_period_is_complete(
    embedded_warehouse: ClickHouseWarehouse, org: str
) -> None:
    def stored(days: range) -> list[RequestRecord]:
        return [
            a_record(
                organization_id=org,
                request_id=str(uuid.uuid4()),
                request_created_at=TIMESTAMP - timedelta(days=day),
            )
            for day in days
        ]

    statement = compile_report(a_report(org))
    insert(embedded_warehouse, stored(range(1, 4)))

    def is_rolled(least_spared: int = 2) -> bool:
        chosen = asyncio.run(cheaper(statement, embedded_warehouse, least_spared=least_spared))
        return chosen is not statement

    assert not is_rolled()
    rolled_up(embedded_warehouse, org)
    assert is_rolled()
    assert not is_rolled(least_spared=4)
    insert(embedded_warehouse, stored(range(4, 9)))
    assert not is_rolled()


def test_a_period_of_few_rows_is_read_without_a_look_at_the_roll_up(warehouse: ClickHouseWarehouse, org: str) -> None:
    class Asked(RollupFirst):
        def __init__(self) -> None:
            super().__init__(warehouse)
            self.sql: list[str] = []

        async def query(self, statement: Statement) -> list[dict[str, Any]]:
            self.sql.append(statement.sql)
            return await warehouse.query(statement)

    statement = compile_report(a_report(org, names=("requests",)))
    insert(warehouse, [a_record(organization_id=org, request_id=str(uuid.uuid4()), request_created_at=TIMESTAMP)])
    asked = Asked()
    assert asyncio.run(cheaper(statement, asked)) is statement
    assert [sql.split(" FROM", 1)[0] for sql in asked.sql] == ["EXPLAIN ESTIMATE SELECT request_id"]
    looked = Asked()
    asyncio.run(cheaper(statement, looked, least_spared=1))
    assert len(looked.sql) == 2


@pytest.fixture(scope="module")
def own_warehouse(clickhouse_address: str) -> Iterator[ClickHouseWarehouse]:
    """One of these tests alone: a worker computes whatever is outdated, and other tests leave thousands of buckets."""
    with fresh_database(clickhouse_address) as url, migrated(url) as warehouse:
        yield warehouse


def test_a_worker_computes_what_is_settled(own_warehouse: ClickHouseWarehouse, org: str) -> None:
    insert(own_warehouse, [a_record(organization_id=org, request_id=str(uuid.uuid4()))])
    asyncio.run(compute_outdated(own_warehouse))
    sql = "SELECT count() AS buckets FROM rollup WHERE organization_id = {o:String}"
    assert ask(own_warehouse, sql, o=org) == [{"buckets": 0}]
    while asyncio.run(compute_outdated(own_warehouse, settle_s=0)):
        pass
    assert ask(own_warehouse, sql, o=org) == [{"buckets": len(GRAINS)}]


def test_a_bucket_that_cannot_be_computed_keeps_no_other_from_being_computed(
    own_warehouse: ClickHouseWarehouse, org: str
) -> None:
    class FailsOnce(RollupFirst):
        failures = 0

        async def execute(self, statement: Statement) -> None:
            if not self.failures:
                self.failures += 1
                raise StoreUnavailable("execute: MEMORY_LIMIT_EXCEEDED")
            await super().execute(statement)

    while asyncio.run(compute_outdated(own_warehouse, settle_s=0)):
        pass
    insert(own_warehouse, [a_record(organization_id=org, request_id=str(uuid.uuid4()))])
    with pytest.raises(StoreUnavailable):
        asyncio.run(compute_outdated(FailsOnce(own_warehouse), settle_s=0))
    sql = "SELECT count() AS buckets FROM rollup WHERE organization_id = {o:String}"
    assert ask(own_warehouse, sql, o=org) == [{"buckets": len(GRAINS) - 1}]
