"""Which groupings of one request are found by one statement, and which rows of it are whose."""

from collections.abc import Sequence

import msgspec
import pytest

from schemas.tables import REQUEST_RESPONSE, Operator
from services.sql.groupings import compile_groupings, estimates, joined_groupings
from services.sql.having import parse_having
from services.sql.measures import MEASURES
from services.sql.nodes import And, ByColumn, ByTime, Comparison, Dimension, Filter, Report, comparison
from services.sql.parse import parse_filter
from tests.builders.records import TIMESTAMP

USER, MODEL, SESSION = (ByColumn(REQUEST_RESPONSE.columns[name]) for name in ("user_id", "model", "session_id"))
TWO_NAMES = tuple(ByColumn(REQUEST_RESPONSE.columns[name]) for name in ("cost", "cost_usd"))
DAY = ByTime("day", "UTC")
OTHER = parse_filter({"request_response_rmt": {"user_id": {"equals": "bob"}}})
P95 = (MEASURES["cost_usd"], MEASURES["p95_latency_ms"])
COST = P95[:1]
YEAR: Filter = And(
    (
        comparison("request_created_at", Operator.GTE, TIMESTAMP.replace(year=2025)),
        comparison("request_created_at", Operator.LT, TIMESTAMP),
    )
)


def report(*by: Dimension, **changes: object) -> Report:
    reported = {"table": REQUEST_RESPONSE, "organization_id": "org-1", "where": YEAR, "measures": P95, "by": by}
    return Report(**(reported | changes))  # type: ignore[arg-type]


DEAR = tuple(parse_having({"cost_usd": {"gt": 1}}, P95, "having"))


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        pytest.param([report(USER), report(MODEL, USER), report()], [(0, 1, 2)], id="all of one request"),
        pytest.param([report(USER)], [], id="one alone"),
        pytest.param([report(USER), report(MODEL, having=DEAR), report(DAY)], [(0, 2)], id="conditions on groups"),
        pytest.param([report(USER), report(USER, limit=2)], [], id="the same groups twice"),
        pytest.param([report(USER, MODEL), report(MODEL, USER)], [], id="the same groups in another order"),
        pytest.param(
            [report(USER, MODEL), report(MODEL, SESSION), report(SESSION, USER)], [], id="orders that contradict"
        ),
        pytest.param([report(USER), report(MODEL, where=OTHER)], [], id="other requests"),
        pytest.param([report(USER), report(MODEL, organization_id="org-2")], [], id="of another organization"),
        pytest.param([report(by) for by in TWO_NAMES], [], id="two names of a column"),
        pytest.param([report(USER), report(MODEL, measures=P95[:1])], [], id="other measures"),
        pytest.param(
            [report(USER), Comparison(report=report(MODEL), compared=OTHER)], [], id="one compared, the other not"
        ),
        pytest.param(
            [Comparison(report=report(by), compared=OTHER) for by in (USER, MODEL)], [(0, 1)], id="both compared"
        ),
        pytest.param(
            [report(by, measures=COST) for by in (USER, MODEL, DAY, SESSION)], [(1, 2)], id="of the same sums by hour"
        ),
        pytest.param(
            [report(by, measures=(MEASURES["value_usd"],)) for by in (USER, MODEL)], [], id="measures of value"
        ),
    ],
)
def test_groupings_of_the_same_requests_are_found_together(
    queries: Sequence[Report | Comparison], expected: Sequence[tuple[int, ...]]
) -> None:
    assert list(joined_groupings(queries, is_rolled=True)) == expected


def test_where_the_roll_up_is_not_worth_reading_its_grains_do_not_part_groupings() -> None:
    queries = [report(by, measures=COST) for by in (USER, MODEL, DAY, SESSION)]
    (look,) = estimates(queries)
    assert look.sql.startswith("EXPLAIN ESTIMATE")
    assert list(joined_groupings(queries, is_rolled=False)) == [(0, 1, 2, 3)]


def test_nothing_is_estimated_where_grains_part_no_groupings() -> None:
    assert not estimates([report(by, measures=COST) for by in (MODEL, DAY)])
    assert not estimates([report(by) for by in (USER, MODEL)])


def test_one_statement_ranks_and_cuts_each_grouping_by_itself() -> None:
    queries = report(USER, limit=3), report(DAY, USER, order_by=None, descending=False, limit=9)
    (groupings,) = joined_groupings(queries, is_rolled=True).values()
    statement = compile_groupings(groupings)
    assert statement.sql.count("FROM request_response_rmt") == 1
    assert "GROUP BY GROUPING SETS ((d1), (d0, d1), ())" in statement.sql
    rank = "if(grouped = 2, m0, NULL) DESC NULLS LAST, if(grouped = 0, d0, NULL) ASC NULLS LAST, d0, d1"
    assert f"row_number() OVER (PARTITION BY grouped ORDER BY {rank}) AS nth" in statement.sql
    assert "WHERE nth <= multiIf(grouped = 2, {p4:UInt64}, grouped = 0, {p5:UInt64}, 1)" in statement.sql
    assert {"p4": 3, "p5": 9}.items() <= statement.parameters.items()


def test_rows_are_those_of_the_grouping_and_the_total() -> None:
    queries = report(USER), report(DAY, USER), report()
    (groupings,) = joined_groupings(queries, is_rolled=True).values()
    rows = [
        {"grouped": 0, "d0": "monday", "d1": "ann", "m0": 1},
        {"grouped": 2, "d0": "", "d1": "ann", "m0": 2},
        {"grouped": 3, "d0": "", "d1": "", "m0": 3},
    ]
    found = [groupings.rows_of(query, rows) for query in queries]
    assert [[(row["total"], row["m0"]) for row in each] for each in found] == [
        [(1, 3), (0, 2)],
        [(1, 3), (0, 1)],
        [(1, 3)],
    ]
    assert [(row["d0"], row.get("d1")) for row in (found[0][1], found[1][1])] == [("ann", "ann"), ("monday", "ann")]


def test_sums_of_whole_hours_are_read_once_too() -> None:
    (groupings,) = joined_groupings([report(by, measures=COST) for by in (MODEL, DAY)], is_rolled=True).values()
    rolled = compile_groupings(groupings).rolled
    assert rolled is not None
    assert rolled.rows.sql.count("FROM rollup") == 1
    of_both = msgspec.structs.replace(groupings.queries[0], by=(MODEL, DAY))
    assert groupings.whole == of_both
