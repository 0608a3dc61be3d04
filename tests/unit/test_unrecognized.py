"""A count under a name that its format does not know makes the cost unknown, and never wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.price import CostState
from services.domain.enrich import to_record
from services.domain.usage.formats.unrecognized import counts_more
from services.domain.usage.parse import parse_response
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event

OPENAI = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
ANTHROPIC = {"input_tokens": 10, "output_tokens": 5}
GOOGLE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
INTERACTION = {"total_input_tokens": 10, "total_output_tokens": 5, "total_tokens": 15}
CONVERSE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
COHERE = {"billed_units": {"input_tokens": 10, "output_tokens": 5}}
PYDANTIC = ANTHROPIC | {"cache_read_tokens": 0}


def _held(usage: dict[str, Any], **response: Any) -> bool:
    return parse_response(json.dumps({"model": "m", "usage": usage, **response}).encode(), "CUSTOM").complete


@pytest.mark.parametrize(
    "usage",
    [
        OPENAI | {"video_tokens": 1},
        OPENAI | {"audio_tokens": 7},  # known in the details, and read nowhere else
        OPENAI | {"prompt_tokens_details": {"gesture_tokens": 3}},
        OPENAI | {"completion_tokens_details": {"reasoning_tokens": 1, "tool_calls": 2.5}},
        OPENAI | {"input_token_details": {"priority_cache_read": 3}},
        OPENAI | {"connector_tokens": 30},
        OPENAI | {"connectors": {"web_search": 0, "code_interpreter": 1}},
        OPENAI | {"new_details": {"deeper": {"searches": 1}}},
        OPENAI | {"steps": [{"requests": 0}, {"requests": 1}]},
        OPENAI | {"a": {"b": {"c": {"d": {"e": {"f": {"tokens": 0}}}}}}},  # nobody looks that deep
        ANTHROPIC | {"prompt_cache_hit_tokens": 3},
        ANTHROPIC | {"server_tool_use": {"web_search_requests": 0, "code_execution_requests": 1}},
        ANTHROPIC | {"cache_creation_input_tokens": 3, "cache_creation": {"ephemeral_1d_input_tokens": 3}},
        GOOGLE | {"liveTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}]},
        INTERACTION | {"grounding_tool_count": [{"type": "google_search", "count": 2}]},
        INTERACTION | {"raw_prompt_token": 11},
        CONVERSE | {"serverToolUsage": {"searches": 1}},
        COHERE | {"billed_units": {"input_tokens": 10, "image_tokens": 4}},
        PYDANTIC | {"web_searches": 1},
        CONVERSE | {"cachedInputTokens": 0, "outputTokenDetails": {"audioTokens": 5}},
        {"seconds": 3, "type": "duration", "characters": 9},
        {"total_tokens": 10, "output_characters": 900},
        {"total_tokens": 10, "reasoning_tokens": 4},
    ],
)
def test_a_count_under_a_unknown_name_is_held_by_no_class(usage: dict[str, Any]) -> None:
    assert not _held(usage)


@pytest.mark.parametrize(
    "usage",
    [
        OPENAI | {"queue_time": 0.1, "prompt_time": 0.2, "completion_time": 0.2, "total_time": 0.5},
        OPENAI | {"cost": 0.1, "cost_details": {"upstream_inference_prompt_cost": 0.2}, "is_byok": True},
        OPENAI | {"cost": {"input_tokens_cost": 0.1, "total_cost": 0.1}, "search_context_size": "low"},
        OPENAI | {"time_to_first_token": 0.1, "completion_tokens_after_first_per_sec": 90.5, "acceptance_rate": 0.4},
        OPENAI
        | {"tokensPerSecond": 12, "latencyMs": 90, "total_duration": 8, "request_id": 7, "is_last_response": True},
        OPENAI | {"video_tokens": 0, "new_details": {"searches": None, "requests": []}, "unit": "tokens"},
        OPENAI | {"completion_tokens_details": {"accepted_prediction_tokens": 2, "rejected_prediction_tokens": 1}},
        ANTHROPIC
        | {"server_tool_use": {"web_fetch_requests": 3, "tool_search_requests": 1}, "service_tier": "standard"},
        INTERACTION | {"raw_prompt_token": 10, "model_invocation_token_counts": [{"tokens": 10}]},
        COHERE | {"tokens": {"input_tokens": 70, "output_tokens": 5}, "cached_tokens": 16},
        PYDANTIC | {"requests": 1, "tool_calls": 2, "details": {"cache_read_input_tokens": 3}},
        CONVERSE | {"raw": {"prompt_tokens": 10}, "reasoningTokens": 0},
        {"total_tokens": 10},
    ],
)
def test_what_is_not_billed_leaves_the_cost_known(usage: dict[str, Any]) -> None:
    assert _held(usage)


def test_a_total_alone_is_the_prompt_of_embeddings_and_of_nothing_that_was_generated() -> None:
    assert _held({"total_tokens": 10}, data=[{"embedding": [0.5]}])
    assert not _held({"total_tokens": 10}, choices=[{"message": {"content": "Hi"}}])
    assert not _held({"prompt_tokens": 10}, output=[{"type": "message"}])


def test_the_cost_of_what_is_not_read_is_unknown() -> None:
    response = {"model": "gpt-4o-mini", "choices": [], "usage": OPENAI | {"holograms_tokens": 5}}
    row = to_record(an_event(response_body=json.dumps(response).encode()), ShippedPrices())[0]
    assert (row.cost_usd, row.cost_state, row.usage_incomplete) == (None, CostState.PARTIAL, True)


@pytest.mark.parametrize(("provider", "complete"), [("OPENAI", True), ("ANTHROPIC", False), ("AWS", False)])
def test_the_fifth_ai_sdk_says_of_claude_neither_what_was_written_nor_where_the_read_is_counted(
    provider: str, complete: bool
) -> None:
    usage = {"inputTokens": 3000, "outputTokens": 50, "totalTokens": 3050, "cachedInputTokens": 2000}
    assert parse_response(json.dumps({"usage": usage}).encode(), provider).complete is complete


@pytest.mark.parametrize(
    "usage",
    [
        {"inputTokens": 100, "outputTokens": 5, "totalTokens": 105, "cachedInputTokens": 101},
        {"inputTokens": 100, "outputTokens": 5, "totalTokens": 99, "cachedInputTokens": 1},
        {"inputTokens": 100, "outputTokens": 5, "reasoningTokens": 6},
        {"input_tokens": 100, "output_tokens": 5, "cache_read_tokens": 101},
        {"input_tokens": 100, "output_tokens": 5, "cache_read_tokens": 1, "details": {"reasoning_tokens": 6}},
    ],
)
def test_words_of_libraries_that_contradict_each_other_are_marked(usage: dict[str, Any]) -> None:
    assert not parse_response(json.dumps({"usage": usage}).encode(), "OPENAI").consistent


def test_reasoning_beside_the_output_is_recognized_by_the_total() -> None:
    usage = {"inputTokens": 100, "outputTokens": 5, "totalTokens": 112, "reasoningTokens": 7}
    parsed = parse_response(json.dumps({"usage": usage}).encode(), "GOOGLE")
    assert parsed.usage is not None
    assert (parsed.usage.completion_tokens, parsed.usage.reasoning_tokens, parsed.consistent) == (5, 7, True)


@pytest.mark.parametrize(
    ("details", "written"),
    [
        ({"cache_read": 2000, "cache_creation": 600}, (600, 0)),
        ({"cache_read": 2000, "cache_creation": 0, "ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 100},
         (500, 100)),
        ({"cache_read": 2000, "cache_creation": 600, "ephemeral_1h_input_tokens": 100}, (500, 100)),
        ({"cached_tokens": 2000, "cache_creation_input_tokens": 600,
          "cache_creation": {"ephemeral_5m_input_tokens": 600}}, (600, 0)),
    ],
)  # fmt: skip
def test_what_was_written_to_the_cache_is_read_in_langchains_words(
    details: dict[str, Any], written: tuple[int, int]
) -> None:
    usage = {"input_tokens": 3600, "output_tokens": 300, "total_tokens": 3900, "input_token_details": details}
    parsed = parse_response(json.dumps({"usage": usage}).encode(), "ANTHROPIC")
    assert parsed.usage is not None
    assert (parsed.usage.prompt_tokens, parsed.usage.prompt_cache_read_tokens) == (1000, 2000)
    assert (parsed.usage.prompt_cache_write_5m_tokens, parsed.usage.prompt_cache_write_1h_tokens) == written
    assert (parsed.consistent, parsed.complete) == (True, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("tokens", "x_details")), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=12), json_values), st.integers(1, 2**31))
def test_nothing_that_a_block_may_hold_hides_a_count_that_stands_beside_it(block: dict[str, Any], count: int) -> None:
    assert counts_more(block | {"new_tokens": count}, {})
    assert not counts_more(block | {"new_tokens": count}, {"": frozenset((*block, "new_tokens"))})
