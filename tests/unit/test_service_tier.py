"""What besides the model decides a price."""

import json
from typing import Any

import msgspec
import pytest

from schemas.price import CostState
from services.domain.enrich import to_record
from services.domain.usage.service_tier import names_tier, service_tier_of, with_region
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event


@pytest.mark.parametrize(
    ("said", "block", "tier"),
    [
        ("", {}, ""),
        ("default", {}, ""),
        ("flex", {}, "flex"),
        ("Priority", {}, "priority"),
        ("", {"service_tier": "standard", "inference_geo": "global"}, ""),
        ("", {"service_tier": "batch"}, "batch"),
        ("", {"service_tier": "priority", "inference_geo": "us"}, "priority+geo-us"),
        ("", {"speed": "fast", "inference_geo": "not_available"}, "fast"),
        ("", {"inference_geo": None, "speed": 3, "service_tier": []}, ""),
        ("default", {"search_context_size": "low"}, "search-low"),
        ("", {"trafficType": "ON_DEMAND"}, ""),
        ("", {"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, ""),
        ("", {"trafficType": "ON_DEMAND_FLEX"}, "flex"),
        ("", {"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ("", {"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned_throughput"),
        ("", {"trafficType": "SOMETHING_NEW"}, "something_new"),
        ("", {"serviceTier": "flex"}, "flex"),
        ("", {"serviceTier": "SERVICE_TIER_PRIORITY"}, "priority"),
        ("", {"serviceTier": "standard", "trafficType": "ON_DEMAND"}, ""),
        ("", {"serviceTier": "SERVICE_TIER_UNSPECIFIED"}, ""),
    ],
)
def test_a_tier_names_everything_that_is_billed_apart(said: str, block: dict[str, object], tier: str) -> None:
    assert service_tier_of(said, block) == tier


@pytest.mark.parametrize(
    ("url", "model", "tier"),
    [
        ("https://api.openai.com/v1/chat/completions", "gpt-5.4", ""),
        ("https://eu.api.openai.com/v1/chat/completions", "gpt-5.4", "regional"),
        ("https://eu.api.openai.com/v1/chat/completions", "gpt-5-mini", ""),
        ("https://eu.api.openai.com/v1/chat/completions", "gpt-4o", ""),
        ("https://eu.api.openai.com/v1/chat/completions", "gpt-6", "regional"),
        ("https://us-east5-aiplatform.googleapis.com/v1/p/anthropic/models/m:rawPredict", "claude-opus-5", "regional"),
        ("https://us-east5-aiplatform.googleapis.com/v1/p/anthropic/models/m:rawPredict", "claude-sonnet-4", ""),
        ("https://us-east5-aiplatform.googleapis.com/v1/p/anthropic/models/m:rawPredict", "claude-opus-4-1", ""),
        ("https://aiplatform.us.rep.googleapis.com/v1/p/anthropic/models/m:rawPredict", "claude-opus-5", "regional"),
        ("https://aiplatform.googleapis.com/v1/p/anthropic/models/m:rawPredict", "claude-opus-5", ""),
        ("https://us-east5-aiplatform.googleapis.com/v1/p/google/models/m:generateContent", "gemini-2.5-pro", ""),
    ],
)
def test_a_region_is_a_tier_where_it_costs_more(url: str, model: str, tier: str) -> None:
    assert with_region("", "OPENAI", url, model) == tier


def test_a_region_comes_on_top_of_another_tier() -> None:
    assert with_region("flex", "OPENAI", "https://us.api.openai.com/v1/responses", "gpt-5.4") == "flex+regional"


@pytest.mark.parametrize(
    ("said", "block", "tells"),
    [
        ("", {}, False),
        ("auto", {}, False),
        ("default", {}, True),
        ("flex", {}, True),
        ("", {"service_tier": "standard"}, True),
        ("", {"serviceTier": "standard"}, True),
        ("", {"trafficType": "ON_DEMAND"}, True),
        ("", {"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, False),
        ("auto", {"service_tier": None, "inference_geo": "us"}, False),
    ],
)
def test_a_tier_is_named_when_the_response_names_one_and_does_not_leave_it_open(
    said: str, block: dict[str, object], tells: bool
) -> None:
    assert names_tier(said, block) is tells


USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


def _billed(requested: dict[str, Any], response: dict[str, Any], provider: str = "OPENAI") -> tuple[str, CostState]:
    event = an_event(
        provider=provider,
        target_url="https://example.org/v1/chat",
        request_body=json.dumps({"model": "gpt-5", **requested}).encode(),
        response_body=json.dumps({"model": "gpt-5", "usage": USAGE, **response}).encode(),
    )
    row = to_record(event, ShippedPrices())[0]
    return row.service_tier, row.cost_state


@pytest.mark.parametrize(
    ("requested", "response", "billed"),
    [
        ({"service_tier": "flex"}, {}, ("flex", CostState.PRICED)),
        ({"serviceTier": "PRIORITY"}, {}, ("priority", CostState.PRICED)),
        ({"serviceTier": {"type": "reserved"}}, {}, ("reserved", CostState.PARTIAL)),
        ({"service_tier": "scale"}, {"service_tier": "auto"}, ("scale", CostState.PARTIAL)),
        ({"service_tier": "flex"}, {"service_tier": "default"}, ("", CostState.PRICED)),
        ({"service_tier": "flex"}, {"service_tier": "priority"}, ("priority", CostState.PRICED)),
        ({"service_tier": "batch"}, {"service_tier": "default"}, ("batch", CostState.PRICED)),
        ({"service_tier": "batch"}, {"service_tier": "priority"}, ("priority", CostState.PRICED)),
        ({"service_tier": "auto"}, {}, ("", CostState.PRICED)),
        ({"service_tier": "standard_only"}, {}, ("", CostState.PRICED)),
        ({"service_tier": ["flex"]}, {}, ("", CostState.PRICED)),
        ({"service_tier": "flex"}, {"usage": USAGE | {"inference_geo": "us"}}, ("flex+geo-us", CostState.PARTIAL)),
        ({"service_tier": "flex"}, {"usage": None}, ("", CostState.NO_USAGE)),
    ],
)
def test_where_the_response_is_silent_the_tier_that_was_requested_counts(
    requested: dict[str, Any], response: dict[str, Any], billed: tuple[str, CostState]
) -> None:
    assert _billed(requested, response) == billed


@pytest.mark.parametrize(
    ("usage", "billed"), [({}, ("flex", CostState.PARTIAL)), ({"serviceTier": "standard"}, ("", CostState.PRICED))]
)
def test_gemini_says_whether_the_tier_that_was_requested_was_given(
    usage: dict[str, str], billed: tuple[str, CostState]
) -> None:
    counts = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}
    response = {"model": "gemini-2.5-flash", "usage": None, "usageMetadata": counts | usage}
    assert _billed({"serviceTier": "flex"}, response, "GOOGLE") == billed


def test_a_request_that_was_cut_may_still_name_its_tier_at_the_start() -> None:
    response = json.dumps({"model": "gpt-5", "usage": USAGE}).encode()
    event = an_event(request_body=b'{"model":"gpt-5","service_tier":"flex","messages":[', response_body=response)
    request = msgspec.structs.replace(event.request, body_bytes=10**7)
    row = to_record(msgspec.structs.replace(event, request=request), ShippedPrices())[0]
    assert (row.service_tier, row.cost_state) == ("flex", CostState.PRICED)
