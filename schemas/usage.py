"""Tokens by disjoint class: the sum of the classes is what the provider counted, and no token is in two of them."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Final

import msgspec


class UsageSource(StrEnum):
    """Where a row's token figures come from."""

    NONE = "none"  # nobody told: tokens are unknown, not zero
    PROVIDER = "provider"  # the provider's own usage block
    DRAINED = "drained"  # the provider's, read after the client had gone
    ESTIMATED = "estimated"  # of a stream that never said: worked out by us from what passed, and never money


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one exchange used. Every count is zero or more, and disjoint from the others.

    `prompt_tokens` is text input that was neither read from nor written to a prompt cache;
    `completion_tokens` is text output without reasoning. Read from a cache is text unless its class says otherwise.
    """

    prompt_tokens: int = 0
    prompt_cache_read_tokens: int = 0
    prompt_cache_read_audio_tokens: int = 0
    prompt_cache_write_5m_tokens: int = 0
    prompt_cache_write_1h_tokens: int = 0
    prompt_audio_tokens: int = 0
    prompt_image_tokens: int = 0
    prompt_audio_seconds: int = 0  # where audio is counted by its length
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    completion_audio_tokens: int = 0
    completion_image_tokens: int = 0
    citation_tokens: int = 0  # output that quotes what was searched, where it has a price of its own
    web_searches: int = 0
    file_searches: int = 0


USAGE_CLASSES: Final = Usage.__struct_fields__
TOKEN_CLASSES: Final = tuple(name for name in USAGE_CLASSES if name.endswith("_tokens"))
# Helicone counts every modality as prompt or completion, and leaves cache tokens out of the total.
PROMPT: Final = ("prompt_tokens", "prompt_audio_tokens", "prompt_image_tokens")
COMPLETION: Final = ("completion_tokens", "completion_audio_tokens", "completion_image_tokens")
CACHE_READ: Final = ("prompt_cache_read_tokens", "prompt_cache_read_audio_tokens")
CACHE_WRITE: Final = ("prompt_cache_write_5m_tokens", "prompt_cache_write_1h_tokens")
TOTAL: Final = (*PROMPT, *COMPLETION, "reasoning_tokens", "citation_tokens")
INPUT: Final = (*PROMPT, *CACHE_READ, *CACHE_WRITE)  # cached or not

_ADDED: Final = {
    "total_tokens": TOTAL,
    "prompt_tokens": PROMPT,
    "completion_tokens": COMPLETION,
    "prompt_cache_read_tokens": CACHE_READ,
    "prompt_cache_write_tokens": CACHE_WRITE,
}
# What clients are shown and may ask for, and the classes in each: what is added up, and every other class as it is, so
# that a cost can be worked out again from what is shown.
COUNTS: Final[Mapping[str, tuple[str, ...]]] = _ADDED | {name: (name,) for name in USAGE_CLASSES if name not in _ADDED}

_input_counts: Final = attrgetter(*INPUT)


def context_tokens(usage: Usage) -> int:
    """The size of the prompt, cached or not, by which context tiers are chosen."""
    return sum(_input_counts(usage))


class RequestInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request asks for. '' where it does not say."""

    model: str = ""
    user: str = ""
    stream: bool = False
    tier: str = ""  # of the service, lower case; '' also for the standard one
    billed_model: str = ""  # where the path alone says what is billed, whatever the response calls it


class RequestHints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request's body says that decides a charge: names, settings and counts, and none of its texts."""

    info: RequestInfo = RequestInfo()
    may_use_hour_cache: bool = False  # what is written to the prompt cache, as far as the request says
    may_use_cache: bool = False  # it asks for prompt caching, as far as it says
    search_depth: str = ""  # that it asks for; "untold" when nobody can say
    may_run_paid_tools: bool = False  # a provider may run tools for it that are charged by the call
    text_characters: int = 0  # of all that was put in as text, for an estimate


class ParsedResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a response says about itself."""

    model: str = ""  # '' when it names none
    usage: Usage | None = None  # None when it does not say, or says nonsense
    usage_block: str = ""  # the provider's own figures, as JSON text
    consistent: bool = True  # False: the provider's own totals and the classes of `usage` contradict each other
    complete: bool = True  # False: something was used that no class of `usage` holds
    final: bool = True  # False: a stream's figures from before its end, or a stream that has none
    truncated: bool = False  # True: the figures are not in what was kept of a large response, or may not be all of them
    tier: str = ""  # service tier the provider says it billed, lower case; '' for the standard one
    names_tier: bool = False  # whether it says, so that '' is the standard one for sure
    cost_usd: Decimal | None = None  # what the provider says that it costs
    streamed: bool = False
    failed: bool = False  # a stream that ended in an error event
    output_characters: int = 0  # of text and calls that a stream without final figures put out
    reasoning_characters: int = 0  # and of its reasoning
