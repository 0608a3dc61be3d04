"""Tokens by disjoint class: the sum of the classes is what the provider counted, and no token is in two of them."""

from enum import StrEnum

import msgspec


class UsageSource(StrEnum):
    """Where a row's token figures come from."""

    NONE = "none"  # nobody told: tokens are unknown, not zero
    PROVIDER = "provider"  # the provider's own usage block
    DRAINED = "drained"  # the provider's, read after the caller had gone
    ESTIMATED = "estimated"  # worked out by us from what passed


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one exchange used. Every count is zero or more, and disjoint from the others.

    `prompt_tokens` is text input that was neither read from nor written to a prompt cache;
    `completion_tokens` is text output without reasoning.
    """

    prompt_tokens: int = 0
    prompt_cache_read_tokens: int = 0
    prompt_cache_write_5m_tokens: int = 0
    prompt_cache_write_1h_tokens: int = 0
    prompt_audio_tokens: int = 0
    prompt_image_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    completion_audio_tokens: int = 0
    completion_image_tokens: int = 0
    web_searches: int = 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says about itself."""

    model: str = ""  # '' when it names none
    usage: Usage | None = None  # None when it does not say, or says nonsense
    usage_block: str = ""  # the provider's own figures, as JSON text
    complete: bool = True  # False: something was used that `usage` does not hold, or the figures contradict each other
    tier: str = ""  # service tier the provider says it billed, lower case; '' for the standard one
    streamed: bool = False
    failed: bool = False  # a stream that ended in an error event
