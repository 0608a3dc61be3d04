"""What besides the model decides a price."""

import pytest

from services.domain.tiers import tier_of, with_region


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
    ],
)
def test_a_tier_names_everything_that_is_billed_apart(said: str, block: dict[str, object], tier: str) -> None:
    assert tier_of(said, block) == tier


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
    assert with_region("", url, model) == tier


def test_a_region_comes_on_top_of_another_tier() -> None:
    assert with_region("flex", "https://us.api.openai.com/v1/responses", "gpt-5.4") == "flex+regional"
