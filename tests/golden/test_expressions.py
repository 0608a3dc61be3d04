"""The second form of filters, and what each means in the first, or its exact refusal. A changed line is a decision."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InvalidFilter
from services.sql.expressions import filter_of_expression
from services.sql.parse import parse_filter

CASES = [json.loads(line) for line in Path(__file__).with_name("expressions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_an_expression_still_means_what_it_meant(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(InvalidFilter) as refusal:
            parse_filter(case["expression"])
        assert str(refusal.value) == case["error"]
        return
    assert filter_of_expression(case["expression"]) == case["filter"]
    assert parse_filter(case["expression"]) == parse_filter(case["filter"])


def test_what_is_nested_without_end_is_refused() -> None:
    expression: object = {"type": "all"}
    for _ in range(10_000):
        expression = {"type": "and", "expressions": [expression]}
    with pytest.raises(InvalidFilter, match="more than 32 levels"):
        parse_filter(expression)


def test_a_long_list_is_one_level() -> None:
    condition = {"type": "condition", "field": {"column": "model"}, "operator": "eq", "value": "a"}
    parse_filter({"type": "or", "expressions": [condition] * 200})
    with pytest.raises(InvalidFilter, match="more than 256 conditions"):
        parse_filter({"type": "or", "expressions": [condition] * 257})


def test_a_score_is_found_by_its_key() -> None:
    field = {"column": "scores", "subtype": "score", "valueMode": "value", "key": "accuracy"}
    expression = {"type": "condition", "field": field, "operator": "gte", "value": 3}
    assert filter_of_expression(expression) == {"request_response_rmt": {"scores": {"accuracy": {"gte": 3}}}}
