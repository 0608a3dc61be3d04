"""Filters on users and sessions: what is about requests, what is about their groups, and what cannot be joined."""

import pytest

from schemas.errors import InvalidFilter
from schemas.tables import REQUEST_RESPONSE, Operator
from services.sql.group_tables import SESSION_TABLES, USER_TABLES, parse_group_filter
from services.sql.grouping import GroupOrder, Groups, compile_group_page
from services.sql.measures import MEASURES
from services.sql.nodes import And, ByColumn, comparison

RICH = {"users_view": {"user_cost": {"gte": 1}}}
MODEL = {"request_response_rmt": {"model": {"equals": "a"}}}


def test_conditions_joined_by_and_go_where_they_belong() -> None:
    given = parse_group_filter({"left": MODEL, "operator": "and", "right": RICH}, USER_TABLES)
    assert given.where == And((comparison("model", Operator.EQUALS, "a"),))
    assert given.having == parse_group_filter(RICH, USER_TABLES).having != And(())


@pytest.mark.parametrize("json", ["all", {}, {"type": "all"}])
def test_everything_is_no_condition(json: object) -> None:
    given = parse_group_filter(json, USER_TABLES)
    assert (given.where, given.having) == (And(()), And(()))


def test_figures_may_be_joined_by_or_among_themselves() -> None:
    poor = {"users_view": {"user_cost": {"lt": 0.5}}}
    given = parse_group_filter({"left": RICH, "operator": "or", "right": poor}, USER_TABLES)
    assert given.where == And(())


def test_requests_and_figures_may_not() -> None:
    with pytest.raises(InvalidFilter, match="cannot be joined by or"):
        parse_group_filter({"left": MODEL, "operator": "or", "right": RICH}, USER_TABLES)


def test_figures_are_of_their_own_endpoints_only() -> None:
    with pytest.raises(InvalidFilter, match="unknown table 'users_view'"):
        parse_group_filter(RICH, SESSION_TABLES)
    with pytest.raises(InvalidFilter, match="unknown column 'session_total_cost'"):
        parse_group_filter({"sessions_request_response_rmt": {"session_total_cost": {"gt": 1}}}, USER_TABLES)


def test_a_page_of_groups_is_one_statement_of_one_organization() -> None:
    given = parse_group_filter({"left": MODEL, "operator": "and", "right": RICH}, USER_TABLES)
    groups = Groups(
        table=REQUEST_RESPONSE,
        organization_id="org-1",
        where=given.where,
        by=(ByColumn(REQUEST_RESPONSE.columns["user_id"]),),
        measures=(MEASURES["requests"],),
        having=given.having,
    )
    statement = compile_group_page(groups, GroupOrder(measure=0), limit=10, offset=20)
    assert statement.sql == (
        "SELECT user_id AS d0, countIf(is_call) AS m0 FROM request_response_rmt FINAL"
        " WHERE organization_id = {p0:String} AND "
        "((model = {p1:String})) GROUP BY d0 HAVING (ifNull(if(count() = 0, 0, sum(cost_usd)) >= {p2:Decimal(38, 12)}, "
        "0)) ORDER BY m0 DESC NULLS LAST, d0 LIMIT {p3:UInt64} OFFSET {p4:UInt64}"
    )
    assert list(statement.parameters.values()) == ["org-1", "a", 1, 10, 20]
    assert statement.organization_id == "org-1"
