"""What is typed after `farebox report`, into the request that it stands for."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.errors import InvalidRequest
from services.cli.report.options import filter_given, groupings, names_given, period_given
from services.sql.parse import parse_filter


def period(**given: str) -> dict[str, str]:
    return period_given(**{"month": "", "since": "", "start": "", "end": ""} | given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"since": "7d"}),
        ({"since": "90m"}, {"since": "90m"}),
        ({"month": "2026-11"}, {"start": "2026-11-01", "end": "2026-12-01"}),
        ({"month": "2026-12"}, {"start": "2026-12-01", "end": "2027-01-01"}),
        ({"month": "2024-02"}, {"start": "2024-02-01", "end": "2024-03-01"}),
        ({"start": "2026-11-01"}, {"start": "2026-11-01"}),
        ({"start": "2026-11-01", "end": "2026-11-03T12:00"}, {"start": "2026-11-01", "end": "2026-11-03T12:00"}),
    ],
)
def test_a_period_is_a_month_a_length_of_time_or_between_timestamps(
    given: dict[str, str], expected: dict[str, str]
) -> None:
    assert period(**given) == expected


@pytest.mark.parametrize(
    ("given", "culprit"),
    [
        ({"month": "2026-13"}, "--month"),
        ({"month": "November"}, "--month"),
        ({"month": "2026-1"}, "'2026-1'"),
        ({"end": "2026-11-01"}, "--start"),
        ({"month": "2026-11", "since": "7d"}, "--since"),
        ({"month": "2026-11", "end": "2026-11-03"}, "--month"),
        ({"since": "7d", "start": "2026-11-03"}, "--since"),
    ],
)
def test_a_period_that_is_none_is_refused_with_its_options(given: dict[str, str], culprit: str) -> None:
    with pytest.raises(InvalidRequest, match=culprit):
        period(**given)


def test_names_come_with_commas_or_one_by_one() -> None:
    assert names_given(["Feature, model", "day", ","]) == ["Feature", "model", "day"]
    assert groupings(["Feature", "model", "day", "15_minutes", "quarter", "properties.model", "Team name"]) == [
        {"property": "Feature"},
        {"column": "model"},
        {"time": "day"},
        {"time": "15_minutes"},
        {"time": "quarter"},
        {"property": "model"},
        {"property": "Team name"},
    ]


def of_column(name: str, operator: str, value: object) -> dict[str, Any]:
    return {"request_response_rmt": {name: {operator: value}}}


def of_property(name: str, operator: str, value: object) -> dict[str, Any]:
    return {"properties": {name: {operator: value}}}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Feature=search", of_property("Feature", "equals", "search")),
        ("Feature = a = b ", of_property("Feature", "equals", "a = b")),
        ("Feature!=", of_property("Feature", "not-equals", None)),
        ("properties.model=x", of_property("model", "equals", "x")),
        ("model=gpt-4o", of_column("model", "equals", "gpt-4o")),
        ("scores.accuracy>=80", of_column("scores", "accuracy", {"gte": "80"})),
        ("scores.accuracy=", of_column("scores", "accuracy", {"equals": None})),
        ("user_id!=ann@example.com", of_column("user_id", "not-equals", "ann@example.com")),
        ("model~gpt", of_column("model", "contains", "gpt")),
        ("model!~mini", of_column("model", "not-contains", "mini")),
        ("latency>=1000", of_column("latency", "gte", 1000)),
        ("cost_usd<0.01", of_column("cost_usd", "lt", Decimal("0.01"))),
        ("cached=TRUE", of_column("cached", "equals", True)),
        ("cost_usd=", of_column("cost_usd", "equals", None)),
        ("request_created_at<2026-11-03T12:00", of_column("request_created_at", "lt", "2026-11-03T12:00")),
        ('{"properties": {"A": {"equals": "b"}}}', of_property("A", "equals", "b")),
        (' [{"properties": {"A": {"equals": "b"}}}]', of_property("A", "equals", "b")),
    ],
)
def test_a_condition_as_people_type_it_is_one_of_the_filter_grammar(typed: str, expected: object) -> None:
    assert filter_given([typed]) == expected
    parse_filter(expected)


def test_all_conditions_must_hold() -> None:
    first, second, third = (of_property(name, "equals", "x") for name in "ABC")
    assert filter_given([]) == "all"
    together = {"left": {"left": first, "operator": "and", "right": second}, "operator": "and", "right": third}
    assert filter_given(["A=x", "B=x", "C=x"]) == together
    assert filter_given(['[{"properties": {"A": {"equals": "x"}}}, {"properties": {"B": {"equals": "x"}}}]', "C=x"])


@pytest.mark.parametrize("typed", ["Feature", "", "=x", "latency>many", "cached=yes", "cost_usd=NaN", "{", "[1"])
def test_a_condition_that_is_none_is_refused_and_named(typed: str) -> None:
    with pytest.raises(InvalidRequest, match="--filter"):
        filter_given([typed])
