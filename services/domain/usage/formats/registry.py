"""The formats of usage, recognized by the names in an object, not by the provider: many use several."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from services.domain.usage.formats.anthropic import ANTHROPIC_NAMES, anthropic_usage
from services.domain.usage.formats.bedrock_cohere import COHERE_NAMES, CONVERSE_NAMES, cohere_usage, converse_usage
from services.domain.usage.formats.documents import DOCUMENT_NAMES, document_usage
from services.domain.usage.formats.fields import ParsedUsage, UsageObject
from services.domain.usage.formats.google import GOOGLE_NAMES, INTERACTION_NAMES, google_usage, interaction_usage
from services.domain.usage.formats.openai import DURATION_NAMES, OPENAI_NAMES, duration_usage, openai_usage
from services.domain.usage.formats.sdk_formats import AI_SDK_NAMES, PYDANTIC_NAMES, ai_sdk_usage, pydantic_usage
from services.domain.usage.formats.top_level import BARE_NAMES, bare_usage
from services.domain.usage.formats.unrecognized import Names


class UsageFormat(NamedTuple):
    """How a usage object of one format is parsed, and the names that are known in it."""

    parse: Callable[[UsageObject, str], ParsedUsage]
    names: Names


OPENAI: Final = UsageFormat(openai_usage, OPENAI_NAMES)
_ANTHROPIC: Final = UsageFormat(anthropic_usage, ANTHROPIC_NAMES)
_PYDANTIC: Final = UsageFormat(pydantic_usage, PYDANTIC_NAMES)
_GOOGLE: Final = UsageFormat(google_usage, GOOGLE_NAMES)
_AI_SDK: Final = UsageFormat(ai_sdk_usage, AI_SDK_NAMES)
_BARE: Final = UsageFormat(bare_usage, BARE_NAMES)
_FORMATS: Final[Sequence[tuple[str, UsageFormat]]] = (
    ("prompt_tokens", OPENAI),
    ("completion_tokens", OPENAI),  # also beside input_tokens
    ("input_tokens_details", OPENAI),
    ("input_token_details", OPENAI),
    ("output_token_details", OPENAI),
    ("cache_read_input_tokens", _ANTHROPIC),  # also with a total that a gateway added
    ("cache_creation_input_tokens", _ANTHROPIC),
    ("cache_read_tokens", _PYDANTIC),
    ("cache_write_tokens", _PYDANTIC),
    ("total_input_tokens", UsageFormat(interaction_usage, INTERACTION_NAMES)),
    ("total_tokens", OPENAI),
    ("input_tokens", _ANTHROPIC),
    ("promptTokenCount", _GOOGLE),
    ("totalTokenCount", _GOOGLE),
    ("cachedInputTokens", _AI_SDK),
    ("reasoningTokens", _AI_SDK),
    ("inputTokenDetails", _AI_SDK),
    ("outputTokenDetails", _AI_SDK),
    ("inputTokens", UsageFormat(converse_usage, CONVERSE_NAMES)),
    ("billed_units", UsageFormat(cohere_usage, COHERE_NAMES)),
    ("seconds", UsageFormat(duration_usage, DURATION_NAMES)),
    ("pages_processed", UsageFormat(document_usage, DOCUMENT_NAMES)),
    ("prompt_token_count", _BARE),
    ("inputTextTokenCount", _BARE),
    ("token_count", _BARE),
)
# Every known name in a usage object of any format, and in the objects in it.
KNOWN_NAMES: Final = frozenset(
    name
    for _, usage_format in _FORMATS
    for place, names in usage_format.names.items()
    for name in (place, *names)
    if name
)
WRAPPED: Final = "raw"  # from version 6 on the AI SDK has the provider's own object in its own


def format_of(block: UsageObject) -> UsageFormat | None:
    """None for a usage object of no known format."""
    return next((usage_format for name, usage_format in _FORMATS if name in block), None)


def wrapped_in(block: UsageObject) -> UsageObject | None:
    """The provider's own usage object inside of a library's; None without one of a known format.

    It has all that is billed as the provider counts it, and the library's has no names for some of that.
    """
    inner = block.get(WRAPPED)
    return inner if isinstance(inner, dict) and format_of(inner) is not None else None
