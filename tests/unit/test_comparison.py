"""The SQL of comparisons and of conditions on groups."""

from datetime import date, datetime, timedelta

import msgspec
import pytest

from schemas.errors import InvalidFilter
from schemas.tables import REQUEST_RESPONSE
from services.sql.comparison import compile_comparison
from services.sql.compile import compile_report
from services.sql.having import parse_having
from services.sql.measures import MEASURES
from services.sql.nodes import Alignment, ByColumn, ByTime, Comparison, Ranked, Report
from services.sql.parse import parse_filter
from tests.builders.records import TIMESTAMP

MODEL = ByColumn(REQUEST_RESPONSE.columns["model"])
FILTER = {"request_response_rmt": {"user_id": {"equals": "ann"}}}
OTHER = {"request_response_rmt": {"user_id": {"equals": "bob"}}}
GROUPS = (
    "countIf(is_call) AS m0, if(countIf(is_call) = 0, NULL, avgIf(latency_ms, is_call)) AS m1"
    " FROM request_response_rmt FINAL WHERE organization_id = {p0:String} AND (user_id = {USER})"
    " GROUP BY GROUPING SETS ((d0), ())"
)


def report(*by: ByColumn | ByTime, having: object = None, **changes: object) -> Report:
    measures = (MEASURES["requests"], MEASURES["average_latency_ms"])
    reported = {
        "table": REQUEST_RESPONSE,
        "organization_id": "org-1",
        "where": parse_filter(FILTER),
        "measures": measures,
        "by": by,
        "having": tuple(parse_having(having or {}, measures, "having")),  # type: ignore[arg-type]
        "limit": 5,
    }
    return Report(**(reported | changes))  # type: ignore[arg-type]


def comparison(of: Report, **changes: object) -> Comparison:
    return msgspec.structs.replace(Comparison(report=of, compared=parse_filter(OTHER)), **changes)


def test_two_periods_are_grouped_apart_and_then_put_beside_each_other() -> None:
    statement = compile_comparison(comparison(report(MODEL)))
    assert statement.sql == (
        "SELECT total, d0, max(here = 1) AS is_here, max(here = 0) AS was_there,"
        " anyIf(tuple(m0, m1), here = 1) AS here_figures, anyIf(tuple(m0, m1), here = 0) AS there_figures,"
        " if(max(here = 1) = 0, 0, anyIf(m0, here = 1)) AS a0, if(max(here = 0) = 0, 0, anyIf(m0, here = 0)) AS b0"
        f" FROM (SELECT 1 AS here, grouping(d0) AS total, model AS d0, {GROUPS.replace('{USER}', '{p1:String}')}"
        f" UNION ALL SELECT 0 AS here, grouping(d0) AS total, model AS d0, {GROUPS.replace('{USER}', '{p2:String}')})"
        " GROUP BY total, d0 ORDER BY total DESC, a0 DESC NULLS LAST, d0 LIMIT {p3:UInt64}"
    )
    assert statement.parameters == {"p0": "org-1", "p1": "ann", "p2": "bob", "p3": 6}


def test_totals_alone_are_compared_without_groups() -> None:
    sql = compile_comparison(comparison(report())).sql
    assert "SELECT 1 AS here, 1 AS total, countIf(is_call) AS m0" in sql
    assert sql.endswith(" GROUP BY total ORDER BY total DESC LIMIT {p3:UInt64}")


@pytest.mark.parametrize(
    ("ranked", "order"),
    [
        (Ranked.VALUE, "a1 ASC NULLS LAST, d0"),
        (Ranked.PREVIOUS, "b1 ASC NULLS LAST, d0"),
        (Ranked.CHANGE, "a1 - b1 ASC NULLS LAST, d0"),
        (Ranked.RELATIVE, "toFloat64(a1 - b1) / nullIf(abs(toFloat64(b1)), 0) ASC NULLS LAST, d0"),
    ],
)
def test_groups_are_ranked_by_what_they_are_were_or_have_changed(ranked: Ranked, order: str) -> None:
    statement = compile_comparison(comparison(report(MODEL, order_by=1, descending=False), ranked=ranked))
    assert f" ORDER BY total DESC, {order} LIMIT" in statement.sql


def test_the_days_of_the_other_period_are_named_after_those_beside_which_they_stand() -> None:
    beside = {0: Alignment(first=date(2026, 11, 1), compared_first=date(2026, 10, 1))}
    by_day = report(ByTime("day", "Asia/Tokyo"), order_by=None, descending=False)
    statement = compile_comparison(comparison(by_day, alignments=beside))
    day = "toDate(request_created_at, {p1:String})"
    assert f"SELECT 1 AS here, grouping(d0) AS total, {day} AS d0," in statement.sql
    aligned = f"addDays(toDate({{p3:String}}), dateDiff('day', toDate({{p4:String}}), {day}))"
    assert f"SELECT 0 AS here, grouping(d0) AS total, {aligned} AS d0," in statement.sql
    assert (statement.parameters["p3"], statement.parameters["p4"]) == ("2026-11-01", "2026-10-01")
    assert " ORDER BY total DESC, d0 ASC, d0 LIMIT" in statement.sql


def test_hours_are_moved_by_as_much_as_lies_between_the_periods() -> None:
    beside = {0: Alignment(first=TIMESTAMP, compared_first=TIMESTAMP - timedelta(hours=25))}
    sql = compile_comparison(comparison(report(ByTime("hour", "Asia/Tokyo")), alignments=beside)).sql
    hour = "toStartOfHour(request_created_at, {p1:String})"
    assert f"toStartOfHour(addSeconds({hour}, {{p3:Int64}}), {{p1:String}}) AS d0" in sql


def test_conditions_on_groups_leave_the_total_alone() -> None:
    conditions = {"requests": {"gte": 10, "not-equals": 12}, "average_latency_ms": {"equals": None}}
    statement = compile_report(report(MODEL, having=conditions))
    clause = (
        " HAVING total = 1 OR (ifNull(m0 >= {p2:Float64}, 0) AND (NOT ifNull(m0 = {p3:Float64}, 0)) AND (m1 IS NULL))"
        " ORDER BY total DESC, m0 DESC"
    )
    assert clause in statement.sql
    assert (statement.parameters["p2"], statement.parameters["p3"]) == (10.0, 12.0)
    compared = compile_comparison(comparison(report(MODEL, having=conditions)))
    assert " GROUP BY total, d0 HAVING total = 1 OR (ifNull(a0 >= " in compared.sql


@pytest.mark.parametrize(
    ("conditions", "culprit"),
    [
        ({"requests": {}}, "having.requests is given without a condition"),
        ({"requests": {"contains": 1}}, "unknown operator 'contains' of having.requests: known are equals, gt, gte"),
        ({"requests": {"gt": "many"}}, "having.requests gt takes a number, not 'many'"),
        ({"requests": {"gt": None}}, "having.requests gt cannot be null"),
    ],
)
def test_a_condition_that_cannot_be_is_refused_by_name(conditions: object, culprit: str) -> None:
    with pytest.raises(InvalidFilter) as refused:
        report(MODEL, having=conditions)
    assert culprit in str(refused.value)


def test_a_search_of_bodies_stays_in_its_own_period() -> None:
    def period(day: int) -> object:
        bounds = {"gte": f"2026-11-{day:02}T00:00:00Z"}
        return {"request_response_rmt": {"request_created_at": bounds, "request_body": {"contains": "x"}}}

    now, then = parse_filter(period(8)), parse_filter(period(1))
    statement = compile_comparison(comparison(report(where=now), compared=then))
    here, there = statement.sql.split(" UNION ALL ")
    days = {name: value.day for name, value in statement.parameters.items() if isinstance(value, datetime)}
    assert {days[name] for name in days if f"{{{name}:" in here} == {8}
    assert {days[name] for name in days if f"{{{name}:" in there} == {1}
