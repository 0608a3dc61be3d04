"""Calls as Helicone's clients log them, byte for byte where it matters, with responses of real shapes."""

import json
from typing import Any

STARTED_S = 1_793_534_400  # the timestamp of the builders, 2026-11-01T12:00:00Z

CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 200,
        "total_tokens": 1200,
        "prompt_tokens_details": {"cached_tokens": 400},
    },
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-20250514",
    "content": [{"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 1000,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 600,
        "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 100},
        "output_tokens": 300,
    },
}
GENERATED: dict[str, Any] = {
    "candidates": [{"content": {"parts": [{"text": "Hello!"}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 100,
        "thoughtsTokenCount": 50,
        "totalTokenCount": 1150,
    },
    "modelVersion": "gemini-2.5-flash",
}
_CHUNK: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o-mini-2024-07-18"}
CHUNKS: list[dict[str, Any]] = [
    _CHUNK | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}, "finish_reason": None}]},
    _CHUNK | {"choices": [{"index": 0, "delta": {"content": "lo!"}, "finish_reason": None}]},
    _CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    _CHUNK | {"choices": [], "usage": CHAT["usage"]},
]
MESSAGE_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": MESSAGE | {"usage": MESSAGE["usage"] | {"output_tokens": 1}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello!"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 300}},
    {"type": "message_stop"},
]


def as_lines(chunks: list[dict[str, Any]]) -> str:
    """As Helicone's npm client joins the chunks of any SDK's stream."""
    return "".join(json.dumps(chunk, separators=(",", ":")) + "\n" for chunk in chunks)


def as_events(chunks: list[dict[str, Any]]) -> str:
    """As the provider sent them."""
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def a_log(
    *,
    requested: Any = None,
    response: Any = None,
    text: str | None = None,
    status: Any = 200,
    meta: dict[str, Any] | None = None,
    started: Any = None,
    ended: Any = None,
    first_token_ms: Any = None,
    url: str = "custom-model-nopath",
    **top: Any,
) -> dict[str, Any]:
    """A chat completion that took 850 ms, as the npm client logs it, unless reported otherwise."""
    plain = CHAT if response is None and text is None else response
    return {
        "providerRequest": {
            "url": url,
            "json": {"model": "gpt-4o-mini", "messages": []} if requested is None else requested,
            "meta": meta or {},
        },
        "providerResponse": {
            "headers": {},
            "status": status,
            "json": plain or {},
            **({} if text is None else {"textBody": text}),
        },
        "timing": {
            "startTime": {"seconds": STARTED_S, "milliseconds": 123} if started is None else started,
            "endTime": {"seconds": STARTED_S, "milliseconds": 973} if ended is None else ended,
            **({} if first_token_ms is None else {"timeToFirstToken": first_token_ms}),
        },
        **top,
    }
