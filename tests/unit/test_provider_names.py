"""Every seller of the price data can be named, in the spellings of OpenTelemetry, LiteLLM, LangChain and the AI SDK."""

from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot

from services.domain.enrich import to_record
from services.domain.providers.catalog import has_quirk, known_provider
from services.domain.providers.record import Quirk
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.shipped_prices.names import NAMES, seller_of
from tests.builders.records import TIMESTAMP, an_event, chat_response

BOOK = ShippedPrices()


@pytest.mark.parametrize("seller", [provider.id for provider in get_snapshot().providers])
def test_every_list_of_prices_has_a_name_that_clients_can_say(seller: str) -> None:
    assert seller_of(NAMES[seller]) == seller
    assert seller_of(NAMES[seller].lower().replace("_", "-")) == seller
    assert seller_of(seller.upper()) == seller


@pytest.mark.parametrize(
    ("name", "seller"),
    [
        # https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ (gen_ai.provider.name, gen_ai.system)
        *[("anthropic", "anthropic"), ("aws.bedrock", "aws"), ("azure.ai.inference", "azure")],
        *[("azure.ai.openai", "azure"), ("az.ai.openai", "azure"), ("az.ai.inference", "azure"), ("cohere", "cohere")],
        *[("deepseek", "deepseek"), ("gcp.gemini", "google"), ("gcp.gen_ai", "google"), ("gcp.vertex_ai", "google")],
        *[("groq", "groq"), ("mistral_ai", "mistral"), ("openai", "openai"), ("perplexity", "perplexity")],
        *[("x_ai", "x-ai"), ("xai", "x-ai")],
        # LiteLLM
        *[("azure", "azure"), ("azure_ai", "azure"), ("bedrock", "aws"), ("bedrock_converse", "aws")],
        *[("vertex_ai", "google"), ("vertex_ai_beta", "google"), ("vertex_ai-anthropic_models", "google")],
        *[("gemini", "google"), ("mistral", "mistral"), ("text-completion-openai", "openai")],
        *[("together_ai", "together"), ("fireworks_ai", "fireworks"), ("cohere_chat", "cohere")],
        *[("openrouter", "openrouter"), ("voyage", "voyageai"), ("cerebras", "cerebras"), ("zai", "zai")],
        *[("databricks", "databricks"), ("github_copilot", "github-copilot"), ("meta_llama", "meta")],
        *[("ovhcloud", "ovhcloud"), ("elevenlabs", "elevenlabs"), ("moonshot", "moonshotai"), ("minimax", "minimax")],
        # LangChain
        *[("azure_openai", "azure"), ("google_genai", "google"), ("google_vertexai", "google")],
        *[("mistralai", "mistral"), ("amazon_bedrock", "aws"), ("anthropic_bedrock", "aws")],
        # Vercel's AI SDK
        *[("openai.chat", "openai"), ("openai.responses", "openai"), ("anthropic.messages", "anthropic")],
        *[("google.generative-ai", "google"), ("google.vertex.chat", "google"), ("amazon-bedrock", "aws")],
        *[("azure-openai.chat", "azure"), ("mistral.chat", "mistral"), ("xai.chat", "x-ai"), ("groq.chat", "groq")],
    ],
)
def test_a_library_s_name_of_a_provider_means_it(name: str, seller: str) -> None:
    assert seller_of(name.upper()) == seller


@pytest.mark.parametrize("name", ["", "CHAT", "ACME", "ACME.CHAT", "OPENAICHAT", "LOCAL", "CUSTOM"])
def test_a_name_that_nobody_has_means_nobody(name: str) -> None:
    assert seller_of(name) is None


def test_what_is_known_of_a_provider_holds_in_every_spelling_of_its_name() -> None:
    assert known_provider("AWS.BEDROCK") is known_provider("AWS")
    assert has_quirk("AWS.BEDROCK", Quirk.CACHE_BESIDE_INPUT)
    assert has_quirk("OPENROUTER.CHAT", Quirk.BILL_IN_RESPONSE)


@pytest.mark.parametrize(
    ("provider", "model", "listed"),
    [
        ("OPENAI", "openai/gpt-4o", "gpt-4o"),
        ("ANTHROPIC", "anthropic/claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("GROQ", "groq/llama-3.3-70b-versatile", "llama-3.3-70b-versatile"),
        ("GEMINI", "gemini/gemini-2.5-pro", "gemini-2.5-pro"),
        ("GOOGLE_GENAI", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("X_AI", "xai/grok-4", "grok-4"),
        ("AZURE_OPENAI", "azure/gpt-4o", "gpt-4o"),
        ("OPENROUTER", "openrouter/openai/gpt-4o", "openai/gpt-4o"),
        ("AWS.BEDROCK", "bedrock/us-east-1/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("BEDROCK", "bedrock/converse/anthropic.claude-sonnet-5", "anthropic.claude-sonnet-5"),
        ("MISTRALAI", "mistral/mistral-large-latest", "mistral-large-2512"),
        ("CUSTOM", "openai/gpt-4o", "gpt-4o"),
    ],
)
def test_the_vendor_before_a_model_s_name_is_no_part_of_it(provider: str, model: str, listed: str) -> None:
    price = BOOK.price_at(provider, model, TIMESTAMP)
    assert price is not None
    assert price == BOOK.price_at(provider, listed, TIMESTAMP)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("ANTHROPIC", "bedrock/claude-sonnet-5"),
        ("OPENAI", "azure/gpt-4o"),
        ("CUSTOM", "groq/llama-3.3-70b-versatile"),  # a gateway may have called anybody
        ("CUSTOM", "acme/gpt-4o"),
        ("ACME", "openai/gpt-4o"),
        ("OPENAI", "openai/"),
        ("OPENAI", "openai/openai/no-such-model"),
    ],
)
def test_another_vendor_before_a_model_s_name_is_not_passed_over(provider: str, model: str) -> None:
    assert BOOK.price_at(provider, model, TIMESTAMP) is None


def test_a_logged_call_is_charged_under_its_library_s_name_of_the_provider() -> None:
    row = to_record(an_event(provider="AZURE.AI.OPENAI", response_body=chat_response()), BOOK)[0]
    assert row.cost_usd == Decimal("0.00024")


@pytest.mark.parametrize(
    ("provider", "model", "named"),
    [
        ("CUSTOM", "groq/llama-3.3-70b-versatile", "GROQ"),
        ("LOCAL", "llama-3.3-70b-versatile", "GROQ"),
        ("MY-GATEWAY", "gpt-4o-mini", "OPENAI, GITHUB_COPILOT"),
    ],
)
def test_where_the_provider_is_not_known_the_advice_names_those_to_say(provider: str, model: str, named: str) -> None:
    assert BOOK.why_unpriced(provider, model, TIMESTAMP).endswith(f"under the one that was called: {named}.")


def test_where_nobody_sells_a_model_there_is_no_name_to_say() -> None:
    assert BOOK.why_unpriced("LOCAL", "acme-7b", TIMESTAMP) == ""
    assert BOOK.why_unpriced("OPENAI", "acme-7b", TIMESTAMP) == ""
