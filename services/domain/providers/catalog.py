"""All providers, and the one of a stored name."""

from collections.abc import Mapping
from typing import Final

from services.domain.providers.anthropic import ANTHROPIC
from services.domain.providers.aws import AWS
from services.domain.providers.azure import AZURE, AZURE_AI
from services.domain.providers.deepseek import DEEPSEEK
from services.domain.providers.google import GOOGLE
from services.domain.providers.groq import GROQ
from services.domain.providers.openai import OPENAI
from services.domain.providers.openrouter import OPENROUTER
from services.domain.providers.others import CUSTOM, OTHERS
from services.domain.providers.perplexity import PERPLEXITY
from services.domain.providers.price_list import PriceList
from services.domain.providers.record import Provider, Quirk
from services.domain.providers.xai import XAI

PROVIDERS: Final = (
    OPENAI,
    ANTHROPIC,
    GROQ,
    GOOGLE,
    AZURE,
    AZURE_AI,
    AWS,
    DEEPSEEK,
    OPENROUTER,
    PERPLEXITY,
    XAI,
    *OTHERS,
    CUSTOM,
)
ROUTED: Final = tuple(provider for provider in PROVIDERS if provider.base_url)

_BY_NAME: Final[Mapping[str, Provider]] = {name: provider for provider in PROVIDERS for name in provider.names}
_BY_SELLER: Final[Mapping[str, PriceList]] = {
    provider.prices.seller: provider.prices for provider in PROVIDERS if provider.prices is not None
}


def provider_named(name: str) -> Provider:
    """The provider of a stored name or an alias; for any other name one of which nothing is known."""
    return _BY_NAME.get(name) or Provider(name=name)


def has_quirk(name: str, quirk: Quirk) -> bool:
    known = _BY_NAME.get(name)
    return known is not None and quirk in known.quirks


def price_list_of(seller: str) -> PriceList:
    """The list of `seller`, an id in the price package; one without details for a seller that is in no record."""
    return _BY_SELLER.get(seller) or PriceList(seller=seller)
