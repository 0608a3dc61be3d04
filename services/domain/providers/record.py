"""What is known of one provider."""

from enum import Enum
from typing import Final

import msgspec

from services.domain.providers.price_list import PriceList

ID: Final = "[^/]+"  # one segment of a path
REST: Final = "(?:/[^/]+)*"  # whatever follows
_VERSION: Final = r"/(?:v\d[a-z0-9]*|openai)/"


class Quirk(Enum):
    """How a provider's figures differ from what their format says."""

    REASONING_BESIDE_COMPLETION = "reasoning tokens are no part of the completion tokens"
    CACHE_BESIDE_INPUT = "cached tokens are no part of the input tokens, also where an SDK reports them"
    TIER_IN_EVERY_RESPONSE = "every generated response names its service tier, beside the usage"
    ALL_FEES_REPORTED = "fees by the call stand in the usage or in the output items"
    FEE_BY_SEARCH_DEPTH = "each request pays a fee that depends on the search context size"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. Only `name` is needed; each default is what holds for a provider of which nothing is known.

    Paths are regular expressions, searched in URLs without their query. Those of the API (`api_paths`) begin behind its
    version and reach to the end of the URL, since a host or a gateway may put any path before them.
    """

    name: str  # as requests are stored, in upper case
    title: str = ""  # for people
    aliases: tuple[str, ...] = ()  # other names under which clients log calls
    label: str = ""  # /LABEL/* of the proxy leads to `base_url`, /LABEL/v1/log takes calls logged afterwards
    base_url: str = ""  # the default of the setting; '' for a provider without a route
    sdk_path: str = ""  # behind the label, of the base URL that the provider's SDK is given
    credential_headers: tuple[str, ...] = ()  # of a request; forwarded untouched
    stream_usage_paths: tuple[str, ...] = ()  # ends of paths whose streams report usage only if `include_usage` is set
    quirks: frozenset[Quirk] = frozenset()
    paths_are_known: bool = True  # False: a path says nothing about what is billed
    unbilled_paths: str = ""  # POST requests that this provider bills nobody for
    shared_unbilled_paths: str = ""  # the same, of an API that others copy: unbilled whoever the provider is
    shared_repeat_paths: str = ""  # POST requests that return something made earlier, with its usage, also at others
    regional_urls: str = ""  # URLs, from their beginning, of endpoints with a regional surcharge
    models_without_surcharge: str = ""  # beginnings of models that cost the same at regional endpoints
    prices: PriceList | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)

    @property
    def setting(self) -> str:
        """The field of the settings that holds the base URL; its variable is FAREBOX_ and this in upper case."""
        return f"{self.name.lower()}_url"


def api_paths(*patterns: str) -> str:
    """One expression for `patterns` of what follows the version of an API, each up to the end of the path."""
    return rf"{_VERSION}(?:{'|'.join(patterns)})/?$"


def any_of(*patterns: str) -> str:
    """One expression for those of `patterns` that are not empty."""
    return "|".join(f"(?:{pattern})" for pattern in patterns if pattern)
