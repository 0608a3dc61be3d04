"""An error about an unknown name lists the known ones, and first the one that was probably meant."""

import pytest

from schemas.errors import InvalidFilter
from services.sql.parse import parse_filter
from services.sql.values import known_names


@pytest.mark.parametrize(
    ("unknown", "text"),
    [
        ("modle", "did you mean 'model'? Known are cost_usd, model, status"),
        ("cost", "did you mean 'cost_usd'? Known are cost_usd, model, status"),
        ("colour", "known are cost_usd, model, status"),
        ("m" * 8192, "known are cost_usd, model, status"),
        ("", "known are cost_usd, model, status"),
    ],
)
def test_the_nearest_name_is_named_first(unknown: str, text: str) -> None:
    assert known_names(unknown, {"status", "model", "cost_usd"}) == text


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        ({"modle": {"equals": "x"}}, "unknown column 'modle' of request_response_rmt: did you mean 'model'?"),
        (
            {"model": {"not_equals": "x"}},
            "unknown operator 'not_equals' of request_response_rmt.model, a text column: did you mean 'not-equals'?",
        ),
        (
            {"properties": {"Feature": {"gt": 3}}},
            "unknown operator 'gt' of request_response_rmt.properties.'Feature', a text map column: known are",
        ),
    ],
)
def test_an_error_about_a_filter_says_what_was_probably_meant(conditions: object, text: str) -> None:
    with pytest.raises(InvalidFilter) as error:
        parse_filter({"request_response_rmt": conditions})
    assert str(error.value).startswith(text)
