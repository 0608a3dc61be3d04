"""Azure: OpenAI's models as Azure OpenAI, and the models of others as Azure AI Foundry."""

from typing import Final

from services.domain.providers.openai import BILLED_AS, MANAGEMENT_PATHS, REALTIME
from services.domain.providers.price_list import PriceList
from services.domain.providers.record import Provider, Quirk, api_paths

_PRICES: Final = PriceList(seller="azure", billed_as=BILLED_AS, resells=frozenset({"openai", "anthropic"}))

_REQUEST_IDS: Final = ("apim-request-id", "x-request-id", "x-ms-request-id")

AZURE: Final = Provider(
    name="AZURE",
    title="Azure OpenAI",
    aliases=("AZURE_OPENAI", "AZURE_AI_OPENAI", "AZ_AI_OPENAI"),
    otel_name="azure.ai.openai",
    paths_like_routes=("anthropic",),
    label="azure",  # each client has a server of its own, so there is no base URL
    hosts=r"[a-z0-9-]+\.(?:openai\.azure|cognitiveservices\.azure|services\.ai\.azure)\.com|[a-z0-9-]+\.azure-api\.net",
    chat_path="/openai/v1/chat/completions",
    credential_headers=("api-key", "Authorization"),
    credential_parameters=("api-key",),
    stream_usage_paths=("/completions",),
    stream_usage_unknown=r"(?:.*&)?api-version=(?:202[23]-|2024-0[1-8])",
    request_id_headers=_REQUEST_IDS,
    quirks=frozenset({Quirk.ALL_FEES_REPORTED}),
    unbilled_paths=api_paths(*MANAGEMENT_PATHS),
    prices=_PRICES,
    realtime=REALTIME,
)
AZURE_AI: Final = Provider(
    name="AZURE_AI",
    title="Azure AI Foundry",
    aliases=("AZURE_AI_INFERENCE", "AZ_AI_INFERENCE", "AZURE_AI_FOUNDRY"),
    otel_name="azure.ai.inference",
    credential_headers=("api-key", "Authorization"),
    request_id_headers=_REQUEST_IDS,
    prices=_PRICES,
)
