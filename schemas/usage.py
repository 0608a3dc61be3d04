"""Tokens by disjoint class: the sum of the classes is what the provider counted, and no token is in two of them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Final

import msgspec


class UsageSource(StrEnum):
    """Where a row's token figures come from."""

    NONE = "none"  # not reported: tokens are unknown, not zero
    PROVIDER = "provider"  # the provider's own usage object
    DRAINED = "drained"  # the provider's, read after the client disconnected
    ESTIMATED = "estimated"  # of a stream without usage: computed by us from its output, and never charged
    REQUEST = "request"  # what is billed was counted in the request: a text that was spoken


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one exchange used. Every count is zero or more, and disjoint from the others.

    `prompt_tokens` is text input that was neither read from nor written to a prompt cache;
    `completion_tokens` is text output without reasoning. Read from a cache is text unless its class says otherwise.
    Cache writes of `5m` are those of the shortest lifetime that is sold: half an hour at OpenAI.
    """

    prompt_tokens: int = 0
    prompt_cache_read_tokens: int = 0
    prompt_cache_read_audio_tokens: int = 0
    prompt_cache_read_image_tokens: int = 0
    prompt_cache_write_5m_tokens: int = 0
    prompt_cache_write_1h_tokens: int = 0
    prompt_cache_write_12h_tokens: int = 0
    prompt_audio_tokens: int = 0
    prompt_image_tokens: int = 0
    prompt_video_tokens: int = 0
    prompt_audio_ms: int = 0  # where audio is counted by its length
    prompt_characters: int = 0  # of a text that is spoken, where the request is what is billed
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    completion_audio_tokens: int = 0
    completion_image_tokens: int = 0
    completion_video_tokens: int = 0
    citation_tokens: int = 0  # output that quotes what was searched, where it has a price of its own
    web_searches: int = 0
    file_searches: int = 0
    document_pages: int = 0  # that were read
    annotated_pages: int = 0  # that were read and annotated


USAGE_CLASSES: Final = Usage.__struct_fields__
TOKEN_CLASSES: Final = tuple(name for name in USAGE_CLASSES if name.endswith("_tokens"))
# Helicone counts every modality as prompt or completion, and leaves cache tokens out of the total.
PROMPT: Final = ("prompt_tokens", "prompt_audio_tokens", "prompt_image_tokens", "prompt_video_tokens")
COMPLETION: Final = (
    "completion_tokens",
    "completion_audio_tokens",
    "completion_image_tokens",
    "completion_video_tokens",
)
CACHE_READ: Final = ("prompt_cache_read_tokens", "prompt_cache_read_audio_tokens", "prompt_cache_read_image_tokens")
CACHE_WRITE: Final = ("prompt_cache_write_5m_tokens", "prompt_cache_write_1h_tokens", "prompt_cache_write_12h_tokens")
TOTAL: Final = (*PROMPT, *COMPLETION, "reasoning_tokens", "citation_tokens")
INPUT: Final = (*PROMPT, *CACHE_READ, *CACHE_WRITE)  # cached or not

_ADDED: Final = {
    "total_tokens": TOTAL,
    "prompt_tokens": PROMPT,
    "completion_tokens": COMPLETION,
    "prompt_cache_read_tokens": CACHE_READ,
    "prompt_cache_write_tokens": CACHE_WRITE,
}
# What clients may query, and the classes in each: sums, and every other class as it is, so that a cost can be computed
# again from what is shown.
COUNTS: Final[Mapping[str, tuple[str, ...]]] = _ADDED | {name: (name,) for name in USAGE_CLASSES if name not in _ADDED}

_input_counts: Final = attrgetter(*INPUT)


def context_tokens(usage: Usage) -> int:
    """The size of the prompt, cached or not, by which context tiers are chosen."""
    return sum(_input_counts(usage))


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What another model than the billed one used within a request: one that advised, or one that drew for it."""

    model: str  # '' where nothing names it
    usage: Usage


def usage_of_all(usage: Usage, others: Iterable[Usage]) -> Usage:
    """`usage` and the `others`, class by class."""
    counts = zip(*map(msgspec.structs.astuple, (usage, *others)), strict=True)
    return Usage(**dict(zip(USAGE_CLASSES, map(sum, counts), strict=True)))


class RequestInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request asks for. '' where it names nothing."""

    model: str = ""
    user: str = ""
    stream: bool = False
    tier: str = ""  # of the service, lower case; '' also for the standard one
    billed_model: str = ""  # where only the path names the billed model, whatever the response names


class RequestHints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What in a request's body decides a charge: names, options and counts, and none of its texts."""

    info: RequestInfo = RequestInfo()
    may_use_hour_cache: bool = False  # cache writes may last an hour, as far as the request shows
    may_use_cache: bool = False  # it may ask for prompt caching
    cache_lifetime: str = ""  # of OpenAI's cache writes, such as 12h; '' when it states none
    search_depth: str = ""  # low, medium or high; "unknown" when it names none
    may_run_paid_tools: bool = False  # a provider may run tools for it that are charged beside its own tokens
    may_run_uncounted_tools: bool = False  # and others than those whose use OpenAI counts in the response
    spoken_characters: int = 0  # of a text to be spoken by a model that is billed by them
    annotates_pages: bool | None = False  # whether it asks for annotations of pages; None when that is unknown
    text_characters: int = 0  # of all that was put in as text, for an estimate
    image_model: str = ""  # that is to draw for the requested one; '' when it names none
    fingerprint: str = ""  # of the whole body; '' where that was not at hand


class ParsedResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was parsed of a response."""

    model: str = ""  # '' when it names none
    response_id: str = ""  # '' when it has none
    usage: Usage | None = None  # of the billed model; None when it is missing or invalid
    other_models: tuple[ModelUsage, ...] = ()  # what others used for it: in none of the counts of `usage`
    usage_block: str = ""  # the provider's own usage object, as JSON text
    largest_prompt_tokens: int = 0  # of one turn, where `usage` is that of several; 0 where none are listed
    consistent: bool = True  # False: the provider's own totals contradict the classes of `usage`
    complete: bool = True  # False: something was used that no class of `usage` counts
    final: bool = True  # False: a stream's usage from before its end, or a stream without usage
    truncated: bool = False  # True: the usage of a large response was cut off, or may not be all of it
    tier: str = ""  # service tier that the provider reports as billed, lower case; '' for the standard one
    names_tier: bool = False  # whether it names a tier, so that '' is certainly the standard one
    cost_usd: Decimal | None = None  # reported by the provider
    cost_is_whole: bool = False  # `cost_usd` is all that was billed: not by a key of the client's own elsewhere
    streamed: bool = False
    failed: bool = False  # a stream that ended in an error event
    output_characters: int = 0  # of text and tool calls in a stream without final usage
    reasoning_characters: int = 0  # and of its reasoning
