"""Claude as LiteLLM's Helicone callback logs it: cached tokens are in the input, and it is unknown how many."""

import json
from decimal import Decimal
from typing import Any

import pytest

from schemas.price import CostState
from schemas.record import RequestRecord
from services.domain.enrich import to_record
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event

PRICES = ShippedPrices()

# 3600 tokens of input, of which 2000 were read from the cache: really 0.0054 dollars less.
LITELLMS: dict[str, Any] = {
    "id": "chatcmpl-6d1f0a5e", "type": "message", "role": "assistant", "model": "claude-sonnet-4-20250514",
    "content": [{"type": "text", "text": "Hello!"}], "stop_reason": "stop", "stop_sequence": None,
    "usage": {"input_tokens": 3600, "output_tokens": 300},
}  # fmt: skip
CACHED: dict[str, Any] = {"type": "text", "text": "A long book", "cache_control": {"type": "ephemeral"}}
# 3600 x 3.00 + 300 x 15.00 dollars per million, https://www.anthropic.com/pricing
FULL_USD = Decimal("0.0153")


def a_row(response: dict[str, Any], content: object) -> RequestRecord:
    requested = {"model": "claude-sonnet-4-20250514", "messages": [{"role": "user", "content": content}]}
    event = an_event(
        provider="ANTHROPIC",
        target_url="https://api.anthropic.com/v1/messages",
        request_body=json.dumps(requested).encode(),
        response_body=json.dumps(response).encode(),
        logged=True,
    )
    return to_record(event, PRICES)[0]


@pytest.mark.parametrize("own", [{}, {"stop_reason": "end_turn"}, {"id": "msg_1"}])
def test_a_cached_prompt_that_is_all_counted_as_input_has_no_known_cost(own: dict[str, Any]) -> None:
    row = a_row(LITELLMS | own, [CACHED])
    assert (row.usage_mismatch, row.cost_usd, row.cost_state) == (True, None, CostState.PARTIAL)
    assert (row.prompt_tokens, row.completion_tokens) == (3600, 300)


@pytest.mark.parametrize(
    ("response", "content"),
    [
        (LITELLMS, "Hello!"),  # nothing was to be cached
        (LITELLMS | {"id": "msg_1", "stop_reason": "end_turn"}, [CACHED]),  # as Anthropic says it
    ],
)
def test_what_may_be_cached_is_distinguished_from_what_is_not(response: dict[str, Any], content: object) -> None:
    row = a_row(response, content)
    assert (row.usage_mismatch, row.cost_usd, row.cost_state) == (False, FULL_USD, CostState.PRICED)


def test_counts_that_name_what_was_cached_are_charged_by() -> None:
    usage = {"input_tokens": 1600, "cache_read_input_tokens": 2000, "output_tokens": 300}
    row = a_row(LITELLMS | {"usage": usage}, [CACHED])
    # 1600 x 3.00 + 2000 x 0.30 + 300 x 15.00 dollars per million
    assert (row.usage_mismatch, row.cost_usd) == (False, Decimal("0.0099"))
