"""Statements of anomalies: planned once for all groups and runs, since planning takes longer than reading."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.sql.anomalies import (
    RunOfGroup,
    Span,
    Watch,
    compile_census,
    compile_parts,
    compile_series,
    with_keys,
)
from services.sql.measures import MEASURES
from services.sql.nodes import Everything
from services.sql.sort import group_by_column, group_by_property

START = datetime(2026, 11, 2, tzinfo=UTC)
USER, FEATURE = group_by_column("user_id"), group_by_property("Feature")
PERIOD = Span(START, START + timedelta(days=7))
READ = "FROM request_response_rmt FINAL"


def a_watch(limit: int = 2) -> Watch:
    return Watch(
        organization_id="org-1",
        where=Everything(),
        period=PERIOD,
        groupings=((), (USER,), (FEATURE,)),
        measures=(MEASURES["cost_usd"], MEASURES["requests"]),
        sizes=(Decimal(1), Decimal(20)),
        limit=limit,
    )


def test_the_largest_groups_of_the_census_are_those_whose_hours_are_read() -> None:
    found = [(1, 11, True), (1, 12, False), (1, 13, True), (1, 14, True), (2, 21, False)]
    census = [{"place": place, "digest": digest, "is_large": is_large} for place, digest, is_large in found]
    statement = compile_series(a_watch(), PERIOD, "UTC", census)
    assert statement.sql.count(READ) == 1
    assert [value for value in statement.parameters.values() if isinstance(value, tuple)] == [(11, 13), ()]


def test_hours_are_grouped_by_numbers_and_named_by_the_census() -> None:
    statement = compile_series(a_watch(), PERIOD, "UTC", [{"place": 1, "digest": 11, "is_large": True}])
    assert "GROUP BY GROUPING SETS ((hour, k0), (hour, k1), (hour, k2))" in statement.sql
    assert "if(cityHash64(toString(user_id)) IN {" in statement.sql
    assert (11,) in statement.parameters.values()
    census = [{"place": 1, "digest": 11, "key": ["ann"]}, {"place": 2, "digest": 11, "key": ["chat"]}]
    series = [{"place": 0, "digest": 7}, {"place": 1, "digest": 11}, {"place": 2, "digest": 11}]
    assert [row["key"] for row in with_keys(series, census)] == [[""], ["ann"], ["chat"]]


def test_the_census_finds_as_many_groups_as_may_be_judged() -> None:
    statement = compile_census(a_watch(limit=500))
    assert statement.sql.count(READ) == 1
    assert 500 in statement.parameters.values()


def test_runs_are_split_into_their_parts_in_one_look_at_the_rows() -> None:
    def a_run(day: int) -> RunOfGroup:
        span, week = Span(START + timedelta(days=day), START + timedelta(days=day + 1)), timedelta(days=7)
        earlier = Span(span.start - week, span.end - week)
        return RunOfGroup(
            grouping=(USER,),
            key=("ann",),
            measure=MEASURES["cost_usd"],
            span=span,
            earlier=(earlier,),
            drivers=(FEATURE,),
        )

    statement = compile_parts("org-1", Everything(), [a_run(day) for day in range(5)])
    assert statement.sql.count(READ) == 1
    days = {value for value in statement.parameters.values() if isinstance(value, datetime)}
    weeks = {START - timedelta(days=7), START - timedelta(days=2), START, START + timedelta(days=5)}
    assert weeks <= days, "days beside each other are read as one time"
