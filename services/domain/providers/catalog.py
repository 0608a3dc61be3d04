"""All providers, and the one of a stored name."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from services.domain.providers.anthropic import ANTHROPIC
from services.domain.providers.aws import AWS
from services.domain.providers.azure import AZURE, AZURE_AI
from services.domain.providers.deepseek import DEEPSEEK
from services.domain.providers.google import GOOGLE
from services.domain.providers.groq import GROQ
from services.domain.providers.mistral import MISTRAL
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
    MISTRAL,
    OPENROUTER,
    PERPLEXITY,
    XAI,
    *OTHERS,
    CUSTOM,
)
ROUTED: Final = tuple(provider for provider in PROVIDERS if provider.label)

# What libraries put behind a provider's name: openai.chat, amazon-bedrock.converse, vertex_ai_beta.
_OPERATIONS: Final = re.compile(
    r"_(?:CHAT|RESPONSES|MESSAGES|COMPLETIONS?|EMBEDDINGS?|TEXT|IMAGE|TRANSCRIPTION|SPEECH|CONVERSE|BETA)$"
)
_BY_SELLER: Final[Mapping[str, PriceList]] = {
    provider.prices.seller: provider.prices for provider in PROVIDERS if provider.prices is not None
}


def spelling_of(name: str) -> str:
    """`name` as all spellings of it come out: upper case, with _ for dots, dashes and spaces."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")


_BY_SPELLING: Final[Mapping[str, Provider]] = {
    spelling_of(name): provider for provider in PROVIDERS for name in provider.names
}


def provider_spelled(name: str) -> Provider | None:
    """The provider of exactly this name, in any spelling."""
    return _BY_SPELLING.get(spelling_of(name))


@lru_cache(maxsize=1024)
def known_provider(name: str) -> Provider | None:
    """The provider of a name in any spelling, with or without the operation that a library adds to it."""
    spelling = spelling_of(name)
    while spelling not in _BY_SPELLING:
        shorter = _OPERATIONS.sub("", spelling)
        if shorter == spelling:
            return None
        spelling = shorter
    return _BY_SPELLING[spelling]


def provider_named(name: str) -> Provider:
    """The provider of a name as it is stored; for any other name one of which nothing is known."""
    return known_provider(name) or Provider(name=name)


_BY_HOST: Final = tuple((re.compile(provider.hosts), provider) for provider in PROVIDERS if provider.hosts)


def provider_of_host(host: str) -> Provider | None:
    """The provider whose server has the name `host`, in lower case; None for one of which nothing is known."""
    return next((provider for hosts, provider in _BY_HOST if hosts.fullmatch(host)), None)


def is_same_provider(one: str, other: str) -> bool:
    """Whether both are names of one provider, in whatever spelling; of one that is unknown, ignoring case."""
    return provider_named(one).name.casefold() == provider_named(other).name.casefold()


def has_quirk(name: str, quirk: Quirk) -> bool:
    known = known_provider(name)
    return known is not None and quirk in known.quirks


def price_list_of(seller: str) -> PriceList:
    """The list of `seller`, an id in the price package; one without details for a seller that is in no record."""
    return _BY_SELLER.get(seller) or PriceList(seller=seller)
