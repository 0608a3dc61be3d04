"""Measures of one score: found by its name, which is bound like all else that clients write."""

import pytest

from schemas.amendment import MAX_NAME
from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from services.sql.compile import compile_report
from services.sql.measures import MEASURES, Measure
from services.sql.nodes import Everything, Report
from services.sql.score_measures import adds_up, coverage_of, is_zero_of_nothing, measure_named

NAMES = ("accuracy", "'); DROP TABLE x --", "{score}", "{p0:String}", "a.b", "é" * MAX_NAME)


@pytest.mark.parametrize("score", NAMES)
def test_the_name_of_a_score_is_bound_and_not_in_the_sql(score: str) -> None:
    measure = measure_named(f"average_score.{score}")
    assert measure is not None
    measures = (measure, *coverage_of(measure))
    assert [one.name for one in measures] == [
        f"average_score.{score}",
        "requests",
        f"requests_with_score.{score}",
    ]
    statement = compiled(measures)
    assert score in statement.parameters.values()
    other = measure_named("average_score.other")
    assert other is not None
    assert statement.sql == compiled((other, *coverage_of(other))).sql


def compiled(measures: tuple[Measure, ...]) -> Statement:
    return compile_report(
        Report(table=REQUEST_RESPONSE, organization_id="org-1", where=Everything(), measures=measures)
    )


@pytest.mark.parametrize(
    "name", ["average_score.", "requests_with_score.", "average_score", "Average_score.x", "score.x"]
)
def test_what_names_no_score_is_no_measure(name: str) -> None:
    assert measure_named(name) is None


def test_the_other_measures_are_as_they_were() -> None:
    assert all(measure_named(name) is measure for name, measure in MEASURES.items())
    assert adds_up("requests_with_score.x")
    assert is_zero_of_nothing("requests_with_score.x")
    assert not adds_up("average_score.x")
    assert not is_zero_of_nothing("average_score.x")
