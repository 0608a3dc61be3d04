"""Responses that leave open what only the request states."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.event import ExchangeEvent
from schemas.price import CostState
from schemas.record import RequestRecord
from services.domain.enrich import to_record
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event

BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
VERTEX = (
    "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5"
)
FLAT = {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 1000}
FOR_AN_HOUR = {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}


def _event(provider: str, url: str, requested: dict[str, Any], response: dict[str, Any]) -> ExchangeEvent:
    return an_event(
        provider=provider,
        target_url=url,
        request_body=json.dumps(requested).encode(),
        response_body=json.dumps(response).encode(),
    )


def _row(event: ExchangeEvent) -> RequestRecord:
    return to_record(event, ShippedPrices())[0]


def _claude(usage: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "model": "claude-sonnet-4-5-20250929", "content": [], "usage": usage}


WRITES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "anthropic": ("ANTHROPIC", "https://api.anthropic.com/v1/messages", FOR_AN_HOUR, _claude(FLAT)),
    "bedrock": ("BEDROCK", f"{BEDROCK}/invoke", FOR_AN_HOUR, _claude(FLAT)),
    "vertex": ("VERTEX", f"{VERTEX}:rawPredict", FOR_AN_HOUR, _claude(FLAT)),
    "converse": (
        "BEDROCK",
        f"{BEDROCK}/converse",
        {"system": [{"text": "x"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]},
        {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 1015, "cacheWriteInputTokens": 1000}},
    ),
    "openrouter": (
        "OPENROUTER",
        "https://openrouter.ai/api/v1/chat/completions",
        FOR_AN_HOUR,
        {
            "model": "anthropic/claude-sonnet-4.5",
            "usage": {
                "prompt_tokens": 1010, "completion_tokens": 5, "total_tokens": 1015,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 1000},
            },
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
def test_cache_writes_that_may_last_an_hour_are_unknown_where_the_response_does_not_report_it(name: str) -> None:
    row = _row(_event(*WRITES[name]))
    assert (row.cost_state, row.cost_usd, row.usage_incomplete) == (CostState.PARTIAL, None, True)
    assert row.prompt_cache_write_5m_tokens == 1000


@pytest.mark.parametrize("name", WRITES)
def test_cache_writes_last_five_minutes_unless_the_request_names_another_lifetime(name: str) -> None:
    provider, url, requested, response = WRITES[name]
    said = json.dumps(requested)  # a text that only speaks of it
    event = _event(provider, url, {"messages": [{"role": "user", "content": said}]}, response)
    assert _row(event).cost_state is CostState.PRICED


@pytest.mark.parametrize(
    "usage",
    [
        FLAT | {"cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 0}},
        FLAT | {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1000}},
    ],
)
def test_cache_writes_whose_lifetime_the_response_reports_are_priced(usage: dict[str, Any]) -> None:
    event = _event("ANTHROPIC", "https://api.anthropic.com/v1/messages", FOR_AN_HOUR, _claude(usage))
    assert _row(event).cost_state is CostState.PRICED


def test_bedrock_reports_the_lifetime_in_a_list() -> None:
    provider, url, requested, response = WRITES["converse"]
    details = [{"ttl": "1h", "inputTokens": 400}, {"ttl": "5m", "inputTokens": 600}]
    row = _row(_event(provider, url, requested, {"usage": response["usage"] | {"cacheDetails": details}}))
    assert (row.cost_state, row.prompt_cache_write_1h_tokens) == (CostState.PRICED, 400)


def test_what_a_truncated_request_requested_is_unknown() -> None:
    event = _event("BEDROCK", f"{BEDROCK}/invoke", {"messages": []}, _claude(FLAT))
    cut = msgspec.structs.replace(event, request=msgspec.structs.replace(event.request, body_bytes=10**7))
    assert (_row(event).cost_state, _row(cut).cost_state) == (CostState.PRICED, CostState.PARTIAL)


PERPLEXITY = "https://api.perplexity.ai/chat/completions"


@pytest.mark.parametrize(
    ("reported", "requested", "tier", "cost_usd"),
    [
        ({}, {"web_search_options": {"search_context_size": "low"}}, "search-low", Decimal("0.00502")),
        ({}, {"web_search_options": {"search_context_size": "HIGH"}}, "search-high", Decimal("0.01202")),
        ({"search_context_size": "medium"}, {"web_search_options": {"search_context_size": "low"}}, "search-medium",
         Decimal("0.00802")),
        ({}, {}, "search-unknown", None),
        ({}, {"web_search_options": {}}, "search-unknown", None),
        ({}, {"web_search_options": {"search_context_size": 3}}, "search-unknown", None),
        ({}, {"web_search_options": {"search_context_size": "abyssal"}}, "search-unknown", None),
    ],
)  # fmt: skip
def test_perplexitys_fee_depends_on_the_depth_that_the_response_or_else_the_request_names(
    reported: dict[str, Any], requested: dict[str, Any], tier: str, cost_usd: Decimal | None
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    row = _row(_event("PERPLEXITY", PERPLEXITY, requested, {"model": "sonar", "usage": usage | reported}))
    assert (row.service_tier, row.cost_usd) == (tier, cost_usd)
    assert row.cost_state is (CostState.PRICED if cost_usd else CostState.PARTIAL)


def test_what_has_no_fee_by_the_request_needs_no_depth() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    row = _row(_event("PERPLEXITY", PERPLEXITY, {}, {"model": "r1-1776", "usage": usage}))
    assert (row.cost_state, row.cost_usd) == (CostState.PRICED, Decimal("0.0001"))


def test_others_have_no_depth_that_decides_a_price() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    requested = {"web_search_options": {"search_context_size": "high"}}
    row = _row(
        _event("OPENAI", "https://api.openai.com/v1/chat/completions", requested, {"model": "gpt-5", "usage": usage})
    )
    assert (row.service_tier, row.cost_state) == ("", CostState.PRICED)
