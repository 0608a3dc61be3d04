"""Claude's responses as LiteLLM's Helicone callback logs them: in Anthropic's format, with OpenAI's counts in it.

Its `input_tokens` are LiteLLM's `prompt_tokens`, which include cache reads and writes, and the fields that would state
those are left out: charged as input, a cached prompt would cost several times too much. Such a message has an id, or a
stop reason, that only OpenAI's responses have. If its request asked for caching the cost is unknown; if not, nothing
was cached.
Source: https://github.com/BerriAI/litellm/blob/main/litellm/integrations/helicone.py
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse
from services.domain.exchange.body import Body
from services.domain.usage.request.hints import Hints

_OPENAI_STOP_REASONS: Final = ("stop", "length", "tool_calls", "function_call", "content_filter")
_OPENAI_ID_PREFIX: Final = "chatcmpl-"


class _Message(msgspec.Struct):
    type: Any = None
    id: Any = None
    stop_reason: Any = None


_messages = msgspec.json.Decoder(_Message)


def flag_folded_cache(parsed: ParsedResponse, hints: Hints, body: Body) -> ParsedResponse:
    """`parsed`, marked as inconsistent where cached tokens are counted as input and cannot be separated."""
    if parsed.usage is None or '"input_tokens"' not in parsed.usage_block or "cache" in parsed.usage_block:
        return parsed
    if not hints.may_use_cache:
        return parsed
    return replace(parsed, consistent=False) if _is_from_litellm(body.content) else parsed


def _is_from_litellm(content: bytes) -> bool:
    try:
        message = _messages.decode(content)
    except UNDECODABLE:
        return False
    has_openais_id = isinstance(message.id, str) and message.id.startswith(_OPENAI_ID_PREFIX)
    return message.type == "message" and (has_openais_id or message.stop_reason in _OPENAI_STOP_REASONS)
