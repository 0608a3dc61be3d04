"""Perplexity. Source: https://docs.perplexity.ai/getting-started/pricing"""

from decimal import Decimal
from typing import Final

from services.domain.providers.price_list import PriceList
from services.domain.providers.record import Provider, Quirk

# The package lists the fee for a thousand requests that search deeply; these are for all depths.
_SEARCH_FEES: Final = {
    Decimal(12): {"low": Decimal(5), "medium": Decimal(8), "high": Decimal(12)},
    Decimal(14): {"low": Decimal(6), "medium": Decimal(10), "high": Decimal(14)},
}

PERPLEXITY: Final = Provider(
    name="PERPLEXITY",
    title="Perplexity",
    label="perplexity",
    base_url="https://api.perplexity.ai",
    chat_path="/chat/completions",
    hosts=r"api\.perplexity\.ai",
    credential_headers=("Authorization",),
    quirks=frozenset(
        {Quirk.REASONING_BESIDE_COMPLETION, Quirk.ALL_FEES_REPORTED, Quirk.FEE_BY_SEARCH_DEPTH},
    ),
    prices=PriceList(seller="perplexity", search_fees=_SEARCH_FEES),
)
