"""The SQL of listings and reports; that of filters is in tests/golden/filters.jsonl."""

import re
import uuid
from typing import Any

import msgspec
import pytest

from schemas.statement import Statement
from schemas.tables import REQUEST_BODY, REQUEST_RESPONSE, Operator
from services.sql.compile import compile_listing, compile_report, compile_spellings
from services.sql.filters import compile_filter
from services.sql.measures import MEASURES
from services.sql.nodes import (
    And,
    ByColumn,
    ByProperty,
    ByTime,
    Everything,
    HasKey,
    Key,
    Listing,
    Or,
    Order,
    Report,
    comparison,
)
from services.sql.parse import parse_filter
from services.sql.scope import Scope
from services.sql.sort import NEWEST_FIRST
from tests.builders.records import TIMESTAMP

KEY = "organization_id, request_created_at, request_id"


def listing(order: Order = NEWEST_FIRST) -> Statement:
    where = parse_filter({"request_response_rmt": {"model": {"equals": "a"}}})
    return compile_listing(
        Listing(table=REQUEST_RESPONSE, organization_id="org-1", where=where, order_by=order, limit=10, offset=20)
    )


def report(*by: ByColumn | ByProperty | ByTime, order_by: int | None = 0) -> Statement:
    measures = (MEASURES["requests"], MEASURES["unpriced_requests"])
    return compile_report(
        Report(
            table=REQUEST_RESPONSE,
            organization_id="org-1",
            where=Everything(),
            measures=measures,
            by=by,
            order_by=order_by,
            limit=5,
        )
    )


def test_a_listing_finds_narrow_keys_first_and_reads_wide_rows_for_one_page() -> None:
    statement = listing()
    wide, narrow = statement.sql.split(f" IN (SELECT {KEY}, version ", 1)
    assert "provider" in wide
    assert "FINAL" not in wide
    assert narrow.startswith(
        "FROM request_response_rmt FINAL WHERE organization_id = {p0:String} AND (model = {p1:String})"
        " ORDER BY request_created_at DESC, request_id DESC LIMIT {p2:UInt64} OFFSET {p3:UInt64})"
    )
    assert statement.parameters == {"p0": "org-1", "p1": "a", "p2": 10, "p3": 20}


@pytest.mark.parametrize(
    ("changes", "reads"),
    [
        ({"reach": 20}, 2),  # candidates without FINAL, and the rows of the page
        ({"reach": 60, "offset": 20}, 3),  # many candidates for each row
        ({"where": comparison("request_id", Operator.EQUALS, str(uuid.UUID(int=1)))}, 2),
        ({}, 2),
    ],
)
def test_a_short_page_is_read_without_finding_its_keys_first(changes: dict[str, Any], reads: int) -> None:
    page = Listing(table=REQUEST_RESPONSE, organization_id="org-1", where=Everything(), order_by=NEWEST_FIRST, limit=10)
    sql = compile_listing(msgspec.structs.replace(page, **changes)).sql
    assert sql.count("FROM request_response_rmt") == reads
    is_short = bool(changes) and "offset" not in changes
    assert sql.startswith("SELECT * FROM (") is not is_short


def test_only_candidates_are_read_in_the_order_of_the_table() -> None:
    page = Listing(
        table=REQUEST_RESPONSE, organization_id="org-1", where=Everything(), order_by=NEWEST_FIRST, limit=10, reach=20
    )
    assert re.findall(r"ORDER BY (\S+) DESC", compile_listing(page).sql) == [
        "request_created_at",
        "identity(request_created_at)",
    ]


def test_a_listing_shows_a_row_once_that_lies_in_two_parts() -> None:
    assert listing().sql.endswith(f" LIMIT 1 BY {KEY}) ORDER BY request_created_at DESC, request_id DESC")


def test_an_order_ends_with_the_key_so_that_ties_are_settled() -> None:
    columns = REQUEST_RESPONSE.columns
    for order, printed in (
        (Order(column=columns["latency"], descending=False), "latency_ms ASC NULLS LAST"),
        (Order(column=columns["properties"], key="rank", descending=False), "properties[{p1:String}] ASC NULLS LAST"),
    ):
        assert f"ORDER BY {printed}, request_created_at ASC, request_id ASC LIMIT" in listing(order).sql


def test_a_random_order_is_the_engines() -> None:
    assert "ORDER BY rand() LIMIT" in listing(Order()).sql


def test_bodies_are_found_by_the_whole_key_of_their_requests() -> None:
    where = HasKey((Key(TIMESTAMP, "a"), Key(TIMESTAMP, "b")))
    statement = compile_listing(
        Listing(table=REQUEST_BODY, organization_id="org-1", where=where, order_by=NEWEST_FIRST, limit=2)
    )
    keys = "(request_created_at, request_id) IN (arrayZip({p1:Array(DateTime64(3, 'UTC'))}, {p2:Array(UUID)}))"
    assert keys in statement.sql
    assert (statement.parameters["p1"], statement.parameters["p2"]) == ((TIMESTAMP, TIMESTAMP), ("a", "b"))
    deduplicating = re.findall(r"SELECT ((?:(?!SELECT).)*?) FROM \w+ FINAL", statement.sql)
    assert deduplicating == [f"{KEY}, version"]


def test_a_report_without_groups_is_one_total() -> None:
    assert report().sql == (
        "SELECT 1 AS total, countIf(is_call) AS m0, countIf(cost_usd IS NULL) AS m1"
        " FROM request_response_rmt FINAL WHERE organization_id = {p0:String} AND 1"
    )


def test_a_report_counts_groups_and_total_in_one_reading() -> None:
    statement = report(ByColumn(REQUEST_RESPONSE.columns["model"]), ByProperty("feature"), ByTime("day", "Asia/Tokyo"))
    assert statement.sql == (
        "SELECT grouping(d0) AS total, model AS d0, properties[{p1:String}] AS d1,"
        " toDate(request_created_at, {p2:String}) AS d2, countIf(is_call) AS m0, countIf(cost_usd IS NULL) AS m1"
        " FROM request_response_rmt FINAL WHERE organization_id = {p0:String} AND 1"
        " GROUP BY GROUPING SETS ((d0, d1, d2), ()) ORDER BY total DESC, m0 DESC NULLS LAST, d0, d1, d2"
        " LIMIT {p3:UInt64}"
    )
    assert statement.parameters == {"p0": "org-1", "p1": "feature", "p2": "Asia/Tokyo", "p3": 6}


def test_a_value_is_bound_once_however_often_it_is_said() -> None:
    twice = parse_filter({"properties": {"a": {"contains": "a", "equals": "a"}}})
    scope = Scope("a", twice)
    printed = compile_filter(twice, scope)
    assert scope.statement(printed).parameters == {"p0": "a"}


def test_nothing_and_something_of_nothing_are_constants() -> None:
    scope = Scope("org-1", Everything())
    assert [compile_filter(node, scope) for node in (Everything(), And(()), Or(()))] == ["1", "1", "0"]


def test_spellings_are_those_of_the_organization() -> None:
    statement = compile_spellings("org-1", ["feature", "usertier"])
    condition = "organization_id = {p0:String} AND property_key IN {p1:Array(String)}"
    assert f"WHERE {condition} GROUP BY property_key, spelling" in statement.sql
    assert statement.parameters == {"p0": "org-1", "p1": ("feature", "usertier")}
