"""How filters, orders and names are read; what each filter means is in tests/golden/filters.jsonl."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.errors import InvalidFilter, InvalidRequest
from schemas.tables import OPERATORS, PARAM_TYPES, REQUEST_RESPONSE, TABLES, Kind
from services.sql.nodes import And, ByColumn, ByProperty, Compare, Not, Or, Order
from services.sql.parse import MAX_DEPTH, MAX_NODES, MAX_TERMS, MAX_TEXT, parse_filter
from services.sql.sort import group_by_column, group_by_property, groupable_columns, parse_order
from services.sql.values import MAX_PATTERN, MAX_VALUE

MODEL_IS_A = {"request_response_rmt": {"model": {"equals": "a"}}}


def chain(operator: str, *terms: object) -> object:
    """`terms` joined from the left, as clients do it."""
    joined, *rest = terms
    for term in rest:
        joined = {"left": joined, "operator": operator, "right": term}
    return joined


def alternating(levels: int) -> object:
    filter_json: object = MODEL_IS_A
    for level in range(levels):
        filter_json = {"left": filter_json, "operator": ("and", "or")[level % 2], "right": "all"}
    return filter_json


def test_a_filter_may_be_as_deep_as_the_limit_and_no_deeper() -> None:
    parse_filter(alternating(MAX_DEPTH))
    with pytest.raises(InvalidFilter, match="levels deep"):
        parse_filter(alternating(MAX_DEPTH + 1))


def test_a_chain_of_one_operator_is_one_level_however_long() -> None:
    node = parse_filter(chain("or", *[MODEL_IS_A] * MAX_TERMS))
    assert isinstance(node, Or)
    assert len(node.terms) == MAX_TERMS


def test_the_terms_of_a_chain_keep_their_order() -> None:
    names = [f"m{number}" for number in range(5)]
    leaves = [{"request_response_rmt": {"model": {"equals": name}}} for name in names]
    right_first = {"left": leaves[0], "operator": "and", "right": chain("and", *leaves[1:])}
    for filter_json in (chain("and", *leaves), right_first):
        node = parse_filter(filter_json)
        assert isinstance(node, And)
        assert [term.value for term in node.terms if isinstance(term, Compare)] == names


@pytest.mark.parametrize(
    ("filter_json", "limit"),
    [
        (chain("or", *[MODEL_IS_A] * (MAX_TERMS + 1)), "conditions"),
        (chain("or", *["all"] * MAX_NODES), "nodes"),
        ({"request_response_rmt": {"model": {"equals": "x" * (MAX_VALUE + 1)}}}, "characters"),
        ({"request_response_rmt": {"model": {"like": "x" * (MAX_PATTERN + 1)}}}, "pattern"),
        (chain("or", *[{"properties": {"x" * 1000: {"equals": "y"}}}] * (MAX_TEXT // 1000 + 1)), "characters"),
    ],
)
def test_a_filter_beyond_a_limit_is_refused(filter_json: object, limit: str) -> None:
    with pytest.raises(InvalidFilter, match=limit):
        parse_filter(filter_json)


def test_negations_are_complements_of_what_they_deny() -> None:
    for positive, negative in (("equals", "not-equals"), ("contains", "not-contains")):
        (yes, no) = (parse_filter({"request": {"user_id": {operator: "x"}}}) for operator in (positive, negative))
        assert no == Not(yes)


@pytest.mark.parametrize(
    ("column", "given", "held"),
    [
        ("latency", 7, 7),
        ("latency", Decimal("1E+2"), 100),
        ("latency", 2.0, 2),
        ("cost", 0.1, Decimal("0.1")),
        ("cost", Decimal("0.000000000001"), Decimal("0.000000000001")),
        ("cost", -(10**25), Decimal(-(10**25))),
        ("request_created_at", "2026-01-01", datetime.fromisoformat("2026-01-01T00:00:00+00:00")),
        ("request_created_at", "2026-01-01T00:00:00", datetime.fromisoformat("2026-01-01T00:00:00+00:00")),
        ("request_created_at", "2026-01-01T02:00:00+02:00", datetime.fromisoformat("2026-01-01T00:00:00+00:00")),
        ("cached", True, True),
        ("model", "null", None),
        ("model", "__empty__", ""),
        ("model", "NULL", "NULL"),
    ],
)
def test_a_value_is_held_as_the_column_holds_it(column: str, given: object, held: object) -> None:
    node = parse_filter({"request_response_rmt": {column: {"equals": given}}})
    assert isinstance(node, Compare)
    assert (node.value, type(node.value)) == (held, type(held))


@pytest.mark.parametrize(
    "given", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+999999999"), 10**4000, "1"]
)
@pytest.mark.parametrize("column", ["latency", "cost"])
def test_what_is_no_number_of_the_column_is_refused(column: str, given: object) -> None:
    with pytest.raises(InvalidFilter, match=column):
        parse_filter({"request_response_rmt": {column: {"gt": given}}})


def test_an_error_never_repeats_a_long_name_or_value() -> None:
    long = "x" * 10_000
    in_request: tuple[object, ...] = ({long: {}}, {"user_id": {long: 1}}, {"user_id": {"equals": [long]}})
    for filter_json in ({long: {}}, {"properties": {long: 1}}, *({"request": columns} for columns in in_request)):
        with pytest.raises(InvalidFilter) as refusal:
            parse_filter(filter_json)
        assert len(str(refusal.value)) < 2000


def test_an_order_is_one_key_and_its_direction() -> None:
    columns = REQUEST_RESPONSE.columns
    assert parse_order({}) == Order(column=columns["request_created_at"], descending=True)
    assert parse_order({"body_model": "asc"}) == Order(column=columns["model"], descending=False)
    assert parse_order({"properties": {"A": "desc"}}) == Order(column=columns["properties"], key="a", descending=True)
    assert parse_order({"properties": {"Helicone-Session-Id": "asc"}}).column == columns["session_id"]
    assert parse_order({"random": True}).column is None


@pytest.mark.parametrize(
    "json",
    [{"x": "asc"}, {"cost": "up"}, {"cost": []}, {"random": 1}, {"properties": {}}, {"cost": "asc", "latency": "asc"}],
)
def test_another_order_is_refused(json: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        parse_order(json)


def test_groups_are_by_columns_with_values_and_by_properties() -> None:
    assert group_by_column("user_id") == ByColumn(REQUEST_RESPONSE.columns["user_id"])
    assert group_by_property("UserTier") == ByProperty("usertier")
    assert group_by_property("Helicone-Session-Name") == ByColumn(REQUEST_RESPONSE.columns["session_name"])
    for name in ("properties", "request_body", "scores", "country_code", "property_key", "nothing"):
        assert name not in groupable_columns()
        with pytest.raises(InvalidRequest, match=name):
            group_by_column(name)


def test_every_kind_has_operators_and_a_type_to_bind() -> None:
    assert set(OPERATORS) == set(PARAM_TYPES) == set(Kind)
    for table in TABLES.values():
        for column in table.columns.values():
            assert column.param_type == PARAM_TYPES[column.kind]
