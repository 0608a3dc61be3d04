"""Claude's answers as LiteLLM's Helicone callback logs them: in Anthropic's shape, with OpenAI's figures in it.

Its `input_tokens` are LiteLLM's `prompt_tokens`, which hold what was read from and written to the cache, and what
would tell how much is left out: charged as input, a cached prompt would cost several times too much. Such a message
has an id, or a reason to stop, that only OpenAI's answers have. Where its request asked for caching nobody can tell
what it cost; where it did not, nothing was cached.
Source: https://github.com/BerriAI/litellm/blob/main/litellm/integrations/helicone.py
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from schemas.undecodable import UNDECODABLE
from schemas.usage import ParsedResponse
from services.domain.exchange.body import Body
from services.domain.usage.request.hints import Hints

_OPENAIS_STOPS: Final = ("stop", "length", "tool_calls", "function_call", "content_filter")
_OPENAIS_ID: Final = "chatcmpl-"


class _Message(msgspec.Struct):
    type: Any = None
    id: Any = None
    stop_reason: Any = None


_messages = msgspec.json.Decoder(_Message)


def flag_folded_cache(reading: ParsedResponse, hints: Hints, answer: Body) -> ParsedResponse:
    """`reading`, marked as contradicting itself where what was cached is counted as input and cannot be told apart."""
    if reading.usage is None or '"input_tokens"' not in reading.usage_block or "cache" in reading.usage_block:
        return reading
    if not hints.may_be_cached:
        return reading
    return replace(reading, consistent=False) if _is_litellms(answer.content) else reading


def _is_litellms(content: bytes) -> bool:
    try:
        message = _messages.decode(content)
    except UNDECODABLE:
        return False
    has_openais_id = isinstance(message.id, str) and message.id.startswith(_OPENAIS_ID)
    return message.type == "message" and (has_openais_id or message.stop_reason in _OPENAIS_STOPS)
