"""The cost of a response that providers report themselves."""

from decimal import Decimal

import pytest

from services.domain.usage.response.reported_cost import reported_cost, storable_usd


@pytest.mark.parametrize(
    ("block", "usd"),
    [
        (b'{"cost":0.1}', "0.1"),
        (b'{"cost":0.1,"cost_details":{"upstream_inference_cost":0.2}}', "0.1"),
        (b'{"cost":1e-7}', "0.0000001"),
        (b'{"cost":0.1234567890125}', "0.123456789012"),
        (b'{"cost":0.1000000000000000055511151231257827}', "0.1"),
        (b'{"cost":0}', "0"),
        (b'{"cost":{"input_tokens_cost":0.1,"total_cost":0.3}}', "0.3"),
        (b'{"cost_in_usd_ticks":37756000}', "0.0037756"),
        (b'{"estimated_cost":0.0000268}', "0.0000268"),
        (b'{"total_cost":0.5}', "0.5"),
    ],
)
def test_a_reported_cost_is_read_digit_by_digit(block: bytes, usd: str) -> None:
    assert reported_cost(block).usd == Decimal(usd)


@pytest.mark.parametrize(
    "block",
    [
        b'{"prompt_tokens":1}',
        b'{"cost":null}',
        b'{"cost":-1}',
        b'{"cost":"much"}',
        b'{"cost":1e9}',
        b'{"cost":1e400}',
        b'{"cost":true}',
        b'{"cost":[1]}',
        b'{"cost":{}}',
        b'{"cost_details":{}}',
        b'["cost"]',
        b"cost",
        b"",
    ],
)
def test_what_is_no_cost_is_none(block: bytes) -> None:
    assert reported_cost(block).usd is None


@pytest.mark.parametrize("reported", ["NaN", "-Infinity", "sNaN", "-0.1", "1000000"])
def test_what_no_column_can_hold_is_not_kept(reported: str) -> None:
    assert storable_usd(Decimal(reported)) is None
