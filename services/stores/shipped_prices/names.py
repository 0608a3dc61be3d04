"""What clients call providers and models -> whose list of the package that is, and which model in it."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from genai_prices.data_snapshot import get_snapshot

from services.domain.providers.catalog import PROVIDERS, known_provider, spelling_of

# Seller in the package -> the name that clients say: that of our record, else the package's own.
NAMES: Final[Mapping[str, str]] = {one.id: spelling_of(one.id) for one in get_snapshot().providers} | {
    provider.prices.seller: provider.name for provider in reversed(PROVIDERS) if provider.prices is not None
}
# Sellers without a record of ours: the name -> the id.
UNRECORDED: Final = {name: seller for seller, name in NAMES.items() if known_provider(name) is None}

_ALIASES: Final = {
    (provider.prices.seller, alias.name): alias
    for provider in PROVIDERS
    if provider.prices is not None
    for alias in provider.prices.aliases
}

# Behind `bedrock/` in LiteLLM's names: a region, or the call.
_ROUTE: Final = re.compile(r"^(?:[a-z]{2}(?:-[a-z]+)+-\d/)?(?:converse/|invoke/)?")


@lru_cache(maxsize=1024)
def seller_of(provider: str) -> str | None:
    """Whose list of the package has the prices of `provider`, in any spelling of its name; None when none has."""
    known = known_provider(provider)
    if known is not None:
        return None if known.prices is None else known.prices.seller
    return UNRECORDED.get(spelling_of(provider))


def model_meant(seller: str | None, model: str, timestamp: datetime) -> str:
    """The model that a moving alias stands for at `timestamp`; any other name as it is."""
    alias = _ALIASES.get((seller or "", model.rpartition("/")[2]))
    return alias.model if alias is not None and timestamp >= alias.since else model


def without_vendor(model: str, seller: str | None) -> str:
    """`model` without what LiteLLM and Google put before it: `groq/`, `bedrock/eu-west-1/`, `models/`; '' for no more.

    Of a call logged without a provider, what stands there names the vendor, as in `openai/gpt-4o`.
    """
    first, slash, rest = model.partition("/")
    named = seller_of(first)
    is_prefix = first == "models" or (named is not None and (seller is None or named == seller))
    if slash and is_prefix:
        return _ROUTE.sub("", rest)
    return ""
