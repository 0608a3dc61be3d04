"""The ways in which usage is counted, told apart by the names in a block, not by the provider: many speak several."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from services.domain.usage.formats.anthropic import ANTHROPIC_NAMES, anthropic_usage
from services.domain.usage.formats.bedrock_cohere import COHERE_NAMES, CONVERSE_NAMES, cohere_usage, converse_usage
from services.domain.usage.formats.fields import ParsedUsage, UsageObject
from services.domain.usage.formats.google import GOOGLE_NAMES, INTERACTION_NAMES, google_usage, interaction_usage
from services.domain.usage.formats.openai import DURATION_NAMES, OPENAI_NAMES, duration_usage, openai_usage
from services.domain.usage.formats.sdk_formats import AI_SDK_NAMES, PYDANTIC_NAMES, ai_sdk_usage, pydantic_usage
from services.domain.usage.formats.top_level import BARE_NAMES, bare_usage
from services.domain.usage.formats.unrecognized import Names


class Family(NamedTuple):
    """How a block is read, and the names that are read in it."""

    read: Callable[[UsageObject, str], ParsedUsage]
    names: Names


OPENAI: Final = Family(openai_usage, OPENAI_NAMES)
_ANTHROPIC: Final = Family(anthropic_usage, ANTHROPIC_NAMES)
_PYDANTIC: Final = Family(pydantic_usage, PYDANTIC_NAMES)
_GOOGLE: Final = Family(google_usage, GOOGLE_NAMES)
_AI_SDK: Final = Family(ai_sdk_usage, AI_SDK_NAMES)
_BARE: Final = Family(bare_usage, BARE_NAMES)
_FAMILIES: Final[Sequence[tuple[str, Family]]] = (
    ("prompt_tokens", OPENAI),
    ("completion_tokens", OPENAI),  # also beside input_tokens
    ("input_tokens_details", OPENAI),
    ("input_token_details", OPENAI),
    ("cache_read_input_tokens", _ANTHROPIC),  # also with a total that somebody added
    ("cache_creation_input_tokens", _ANTHROPIC),
    ("cache_read_tokens", _PYDANTIC),
    ("cache_write_tokens", _PYDANTIC),
    ("total_input_tokens", Family(interaction_usage, INTERACTION_NAMES)),
    ("total_tokens", OPENAI),
    ("input_tokens", _ANTHROPIC),
    ("promptTokenCount", _GOOGLE),
    ("totalTokenCount", _GOOGLE),
    ("cachedInputTokens", _AI_SDK),
    ("reasoningTokens", _AI_SDK),
    ("inputTokenDetails", _AI_SDK),
    ("outputTokenDetails", _AI_SDK),
    ("inputTokens", Family(converse_usage, CONVERSE_NAMES)),
    ("billed_units", Family(cohere_usage, COHERE_NAMES)),
    ("seconds", Family(duration_usage, DURATION_NAMES)),
    ("prompt_token_count", _BARE),
    ("inputTextTokenCount", _BARE),
    ("token_count", _BARE),
)
# Every name that is read in a usage block of any family, and those of the objects in it.
KNOWN_NAMES: Final = frozenset(
    name for _, family in _FAMILIES for place, names in family.names.items() for name in (place, *names) if name
)
WRAPPED: Final = "raw"  # from the sixth on the AI SDK keeps the provider's own block in its own


def family_of(block: UsageObject) -> Family | None:
    """None for a block that nobody here can read."""
    return next((family for name, family in _FAMILIES if name in block), None)


def wrapped_in(block: UsageObject) -> UsageObject | None:
    """The provider's own block inside of one that a library made of it; None without one that can be read.

    What is billed stands in it as the provider counts, and the library's has no names for all of that.
    """
    inner = block.get(WRAPPED)
    return inner if isinstance(inner, dict) and family_of(inner) is not None else None
