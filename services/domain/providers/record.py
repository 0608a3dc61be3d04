"""What is known of one provider."""

from enum import Enum
from typing import Final

import msgspec

from services.domain.providers.price_list import PriceList
from services.domain.providers.realtime import RealtimeApi

ID: Final = "[^/]+"  # one segment of a path
REST: Final = "(?:/[^/]+)*"  # whatever follows
_VERSION: Final = r"/(?:v\d[a-z0-9]*|openai)/"


class Quirk(Enum):
    """How a provider's figures differ from what their format says."""

    REASONING_BESIDE_COMPLETION = "reasoning tokens are no part of the completion tokens"
    CACHE_BESIDE_INPUT = "cached tokens are no part of the input tokens, also where an SDK reports them"
    REASONING_IN_TOTAL_ALONE = (
        "in OpenAI's format reasoning tokens are counted in the total, and may stand nowhere else"
    )
    TIER_IN_EVERY_RESPONSE = "every generated response names its service tier, beside the usage"
    DURATION_IS_BILLED = "transcriptions report no usage: the duration in a verbose one is billed"
    ALL_FEES_REPORTED = "fees by the call stand in the usage or in the output items"
    BILL_IN_RESPONSE = "the cost in the usage is what is charged, unless a key of the client's own was used"
    STREAM_OPTIONS_REFUSED = "chat completions with stream_options are refused, and streams report usage without them"
    FEE_BY_SEARCH_DEPTH = "each request pays a fee that depends on the search context size"


class RequestSigning(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are signed, by Signature Version 4, and with which headers clients bring the key."""

    service: str
    region_in_host: str  # names of its servers, whole: the group is the region
    key_header: str
    secret_header: str
    token_header: str  # of a temporary key

    @property
    def headers(self) -> tuple[str, str, str]:
        return self.key_header, self.secret_header, self.token_header


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. Only `name` is needed; each default is what holds for a provider of which nothing is known.

    Paths are regular expressions, searched in URLs without their query. Those of the API (`api_paths`) begin behind its
    version and reach to the end of the URL, since a host or a gateway may put any path before them.
    """

    name: str  # as requests are stored, in upper case
    title: str = ""  # for people
    aliases: tuple[str, ...] = ()  # other names under which clients log calls, such as OpenTelemetry's and LiteLLM's
    otel_name: str = ""  # that OpenTelemetry has for it; its own in lower case when empty
    # What requests do, by OpenTelemetry's names, with the paths that do it, whoever the provider is. All else is chat.
    operations: tuple[tuple[str, str], ...] = ()
    label: str = (
        ""  # /LABEL/* of the proxy, and any host whose name begins with LABEL., lead to `base_url`; '': no route
    )
    log_label: str = ""  # /LABEL/v1/log takes calls logged afterwards
    base_url: str = ""  # the default of the setting; '' where each client has a server of its own
    hosts: str = ""  # names of its servers, whole: a regular expression, by which a custom target is recognized
    region_in_path: str = ""  # the beginning of paths that name a region as their group, for `{region}` in `base_url`
    paths_like_routes: tuple[str, ...] = ()  # labels of others that are first segments of its own paths
    chat_path: str = ""  # of chat completions in OpenAI's words, with a key as bearer token; '': there are none
    sdk_path: str = ""  # behind the label, of the base URL that the provider's SDK is given
    credential_headers: tuple[str, ...] = ("Authorization",)  # of a request; forwarded untouched
    credential_parameters: tuple[str, ...] = ()  # of a URL's query, likewise
    signing: RequestSigning | None = None  # where requests can be signed instead
    signed_credentials: str = ""  # credentials of signed requests: the group is the id of the key
    organization_headers: tuple[str, ...] = ()  # of a request and its response: whose account it is
    project_headers: tuple[str, ...] = ()  # likewise, and for which part of it
    project_paths: str = ""  # URLs that name the project, as the group of this expression
    request_id_headers: tuple[str, ...] = ("x-request-id", "request-id", "cf-ray")  # of a response
    stream_usage_paths: tuple[str, ...] = ()  # ends of paths whose streams report usage only if `include_usage` is set
    stream_usage_unknown: str = ""  # queries, from their beginning, of versions of the API that do not know that option
    quirks: frozenset[Quirk] = frozenset()
    models_by_character: str = ""  # models that are billed by the characters that they speak
    paths_are_known: bool = True  # False: a path says nothing about what is billed
    unbilled_paths: str = ""  # POST requests that this provider bills nobody for
    shared_unbilled_paths: str = ""  # the same, of an API that others copy: unbilled whoever the provider is
    shared_repeat_paths: str = ""  # POST requests that return something made earlier, with its usage, also at others
    regional_urls: str = ""  # URLs, from their beginning, of endpoints with a regional surcharge
    models_without_surcharge: str = ""  # beginnings of models that cost the same at regional endpoints
    prices: PriceList | None = None
    realtime: RealtimeApi | None = None  # sessions over WebSockets; None where there are none, or none that we can read

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
