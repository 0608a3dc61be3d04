"""Azure: OpenAI's models as Azure OpenAI, and the models of others as Azure AI Foundry."""

from typing import Final

from services.domain.providers.openai import BILLED_AS, MANAGEMENT_PATHS
from services.domain.providers.price_list import PriceList
from services.domain.providers.record import Provider, Quirk, api_paths

_PRICES: Final = PriceList(seller="azure", billed_as=BILLED_AS, resells=frozenset({"openai", "anthropic"}))

AZURE: Final = Provider(
    name="AZURE",
    title="Azure OpenAI",
    credential_headers=("Authorization", "api-key"),
    quirks=frozenset({Quirk.ALL_FEES_REPORTED}),
    unbilled_paths=api_paths(*MANAGEMENT_PATHS),
    prices=_PRICES,
)
AZURE_AI: Final = Provider(name="AZURE_AI", title="Azure AI Foundry", prices=_PRICES)
