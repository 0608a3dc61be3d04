"""Bedrock's regions: priced where the data has their price, and unknown elsewhere."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from genai_prices.data_snapshot import get_snapshot

from schemas.price import CostState
from schemas.record import RequestRecord
from services.domain.enrich import to_record
from services.domain.pricing.price_book import LayeredPrices
from services.domain.providers.aws import AWS
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event, an_operator_price

BOOK = ShippedPrices()
RESPONSE = json.dumps({"usage": {"inputTokens": 1000, "outputTokens": 200, "totalTokens": 1200}}).encode()
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PRIVATE = "vpce-0a1b2c3d-4e5f"
PROFILE = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/"


def row_of(region: str, model: str, book: Any = BOOK, provider: str = "AWS", **event: Any) -> RequestRecord:
    url = f"https://bedrock-runtime.{region}.amazonaws.com/model/{quote(model, safe='')}/converse"
    return to_record(
        an_event(provider=provider, response_body=RESPONSE, **({"target_url": url, "request_body": b"{}"} | event)),
        book,
    )[0]


@pytest.mark.parametrize(
    ("region", "model"),
    [
        ("us-east-1", "amazon.nova-pro-v1:0"),
        ("us-west-2", "us.amazon.nova-pro-v1:0"),
        ("us-east-2", "meta.llama3-3-70b-instruct-v1:0"),
        ("eu-central-1", f"eu.{SONNET}"),
        ("eu-central-1", f"global.{SONNET}"),
        ("ap-northeast-1", f"jp.{SONNET}"),
        ("eu-west-3", SONNET),
        ("eu-central-1", f"{PROFILE}eu.{SONNET}"),
        ("sa-east-1", "writer.palmyra-x5-v1:0"),
        ("eu-north-1", "eu.amazon.nova-2-lite-v1:0"),
    ],
)
def test_a_region_whose_price_is_known_has_it(region: str, model: str) -> None:
    row = row_of(region, model)
    assert (row.cost_state, row.service_tier) == (CostState.PRICED, "")


@pytest.mark.parametrize(
    ("region", "model", "tier"),
    [
        ("eu-central-1", "amazon.nova-pro-v1:0", "region-eu-central-1"),
        ("eu-central-1", "eu.amazon.nova-pro-v1:0", "region-eu-central-1"),
        ("ap-southeast-2", "apac.amazon.nova-lite-v1:0", "region-ap-southeast-2"),
        ("eu-west-3", "mistral.mistral-large-2402-v1:0", "region-eu-west-3"),
        ("eu-central-1", f"{PROFILE}eu.amazon.nova-pro-v1:0", "region-eu-central-1"),
        ("us-gov-west-1", f"us-gov.{SONNET}", "region-us-gov-west-1"),
        ("us-gov-west-1", "amazon.nova-pro-v1:0", "region-us-gov-west-1"),
        ("us-west-1", "amazon.nova-pro-v1:0", "region-us-west-1"),
    ],
)
def test_a_region_whose_price_is_not_known_is_not_charged_as_the_us(region: str, model: str, tier: str) -> None:
    row = row_of(region, model)
    assert (row.cost_usd, row.cost_state, row.service_tier) == (None, CostState.PARTIAL, tier)


@pytest.mark.parametrize(
    ("url", "model", "tier"),
    [
        ("https://example.org/log", "eu.amazon.nova-pro-v1:0", "region-eu"),
        ("https://example.org/log", "bedrock/eu.amazon.nova-pro-v1:0", "region-eu"),
        ("https://example.org/log", "bedrock/eu-west-1/amazon.nova-pro-v1:0", "region-eu-west-1"),
        ("https://example.org/log", f"{PROFILE}eu.amazon.nova-pro-v1:0", "region-eu-central-1"),
        ("https://example.org/log", "us.amazon.nova-pro-v1:0", ""),
        ("https://example.org/log", "amazon.nova-pro-v1:0", ""),
        ("https://bedrock-runtime-fips.us-gov-east-1.amazonaws.com/x", "amazon.nova-pro-v1:0", "region-us-gov-east-1"),
        ("https://bedrock-mantle.eu-west-1.api.aws/v1/chat/completions", "openai.gpt-oss-120b-1:0", "region-eu-west-1"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/x", "openai.gpt-oss-120b-1:0", ""),
        (
            f"https://{PRIVATE}.bedrock-runtime.eu-west-1.vpce.amazonaws.com/x",
            "amazon.nova-pro-v1:0",
            "region-eu-west-1",
        ),
        (f"https://{PRIVATE}.bedrock-runtime.us-east-1.vpce.amazonaws.com/x", "amazon.nova-pro-v1:0", ""),
    ],
)
@pytest.mark.parametrize("provider", ["AWS", "BEDROCK"])
def test_a_region_is_named_by_the_url_or_by_the_model(url: str, model: str, tier: str, provider: str) -> None:
    requested = json.dumps({"model": model}).encode()
    assert row_of("", "", provider=provider, target_url=url, request_body=requested).service_tier == tier


def test_a_region_can_have_a_price_of_the_operators_own() -> None:
    own = an_operator_price(model="amazon.nova-pro*", provider="AWS", tier="region-eu-central-1")
    row = row_of("eu-central-1", "amazon.nova-pro-v1:0", LayeredPrices(BOOK, [own]))
    assert (row.cost_state, row.price_id) == (CostState.PRICED, f"operator/{own.id}")


def test_other_providers_have_no_regions_of_bedrock() -> None:
    row = to_record(an_event(target_url="https://bedrock-runtime.eu-central-1.amazonaws.com/x"), BOOK)[0]
    assert row.service_tier == ""


def test_models_with_a_price_for_every_region_are_those_that_the_data_lists_by_region() -> None:
    """Or says to cost the same everywhere. The next release of the data shows what is new."""
    assert AWS.prices is not None
    assert AWS.prices.regions is not None
    (bedrock,) = (provider for provider in get_snapshot().providers if provider.id == "aws")
    for model in bedrock.models:
        has_both = model.id.startswith(("global.", "regional."))
        is_flat = "flat across regions" in (model.price_comments or "")
        assert AWS.prices.regions.holds("eu-west-9", model.id) is (has_both or is_flat), model.id
