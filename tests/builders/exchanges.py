"""Made-up exchanges that look like real ones: several providers, plain and streamed, compressed or not, some failed."""

import gzip
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from schemas.event import ExchangeEvent, Outcome, RequestTags
from tests.builders.records import ORGANIZATION, TIMESTAMP, an_event

_WORDS = ("cost", "users", "billing", "token", "reply", "because", "the", "of", "feature", "please", "session", "a")


def some_exchanges(count: int, *, seed: int = 1, organization_id: str = ORGANIZATION) -> Iterator[ExchangeEvent]:
    """`count` exchanges of about 3 KB, the same for the same seed."""
    draw = random.Random(seed)
    for number in range(count):
        shape = draw.choices((_chat, _chat_stream, _message, _message_stream, _refused), (50, 25, 12, 8, 5))[0]
        event = shape(draw)
        request = msgspec.structs.replace(
            event.request,
            organization_id=organization_id,
            request_id=str(uuid.UUID(int=draw.getrandbits(128), version=4)),
            created_at=TIMESTAMP + timedelta(milliseconds=37 * number),
            tags=_tags(draw),
        )
        recorded_at = request.created_at + timedelta(milliseconds=event.response.latency_ms)
        yield msgspec.structs.replace(event, request=request, recorded_at=recorded_at)


def _tags(draw: random.Random) -> RequestTags:
    return RequestTags(
        user_id=f"user-{draw.randrange(500)}",
        session_id=f"session-{draw.randrange(200)}" if draw.random() < 0.3 else None,
        properties={
            "Feature": draw.choice(("chat", "search", "summary", "support")),
            "Environment": draw.choice(("production", "staging", "development")),
            "UserTier": draw.choice(("free", "premium", "enterprise")),
        },
    )


def _words(draw: random.Random, characters: int) -> str:
    words: list[str] = []
    while characters > 0:
        words.append(draw.choice(_WORDS))
        characters -= len(words[-1]) + 1
    return " ".join(words)


def _question(draw: random.Random, model: str, *, stream: bool = False) -> bytes:
    messages = [
        {"role": "system", "content": _words(draw, 500)},
        {"role": "user", "content": _words(draw, draw.randrange(200, 1000))},
    ]
    return json.dumps({"model": model, "messages": messages, "stream": stream, "temperature": 0.7}).encode()


def _chat_usage(draw: random.Random) -> dict[str, object]:
    prompt, completion = draw.randrange(200, 3000), draw.randrange(20, 900)
    reasoning = draw.randrange(completion) if draw.random() < 0.2 else 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": draw.choice((0, prompt // 2)), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
    }


def _chat(draw: random.Random) -> ExchangeEvent:
    model = draw.choice(("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "gpt-5-2025-08-07"))
    message = {"role": "assistant", "content": _words(draw, draw.randrange(300, 1500)), "refusal": None}
    reply = {
        "id": f"chatcmpl-{draw.randrange(10**9)}",
        "object": "chat.completion",
        "created": 1793534400,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _chat_usage(draw),
        "service_tier": "default",
    }
    body = json.dumps(reply, indent=2).encode()
    if draw.random() < 0.3:
        return an_event(
            request_body=_question(draw, model), response_body=gzip.compress(body, 1), content_encoding="gzip"
        )
    return an_event(request_body=_question(draw, model), response_body=body)


def _chat_stream(draw: random.Random) -> ExchangeEvent:
    model = "gpt-4o-mini-2024-07-18"
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1793534400, "model": model}
    chunks: list[dict[str, object]] = [
        base | {"choices": [{"index": 0, "delta": {"content": _words(draw, 8)}, "finish_reason": None}], "usage": None}
        for _ in range(draw.randrange(4, 16))
    ]
    if draw.random() < 0.8:
        chunks.append(base | {"choices": [], "usage": _chat_usage(draw)})
    return an_event(
        request_body=_question(draw, "gpt-4o-mini", stream=True),
        response_body=_sse(chunks, named=False) + b"data: [DONE]\n\n",
        content_type="text/event-stream; charset=utf-8",
        first_byte_ms=draw.randrange(100, 700),
    )


def _message_usage(draw: random.Random) -> dict[str, object]:
    return {
        "input_tokens": draw.randrange(50, 3000),
        "cache_creation_input_tokens": draw.choice((0, 0, 700)),
        "cache_read_input_tokens": draw.choice((0, 2000)),
        "output_tokens": draw.randrange(20, 900),
    }


def _message(draw: random.Random) -> ExchangeEvent:
    reply = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-20250514",
        "content": [{"type": "text", "text": _words(draw, draw.randrange(300, 1500))}],
        "stop_reason": "end_turn",
        "usage": _message_usage(draw),
    }
    return _anthropic(draw, json.dumps(reply).encode())


def _message_stream(draw: random.Random) -> ExchangeEvent:
    usage = _message_usage(draw)
    start = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-20250514", "content": []}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": start | {"usage": usage | {"output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _words(draw, 20)}}
        for _ in range(draw.randrange(3, 15))
    ]
    events += [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": usage["output_tokens"]},
        },
        {"type": "message_stop"},
    ]
    return _anthropic(draw, _sse(events, named=True), content_type="text/event-stream; charset=utf-8", stream=True)


def _anthropic(
    draw: random.Random, body: bytes, *, content_type: str = "application/json", stream: bool = False
) -> ExchangeEvent:
    return an_event(
        provider="ANTHROPIC",
        target_url="https://api.anthropic.com/v1/messages",
        request_body=_question(draw, "claude-sonnet-4-20250514", stream=stream),
        response_body=body,
        content_type=content_type,
        first_byte_ms=draw.randrange(100, 700),
    )


def _refused(draw: random.Random) -> ExchangeEvent:
    return an_event(
        request_body=_question(draw, "gpt-4o-mini"),
        response_body=b'{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}',
        outcome=Outcome.PROVIDER_ERROR,
        status=429,
    )


def _sse(events: Sequence[dict[str, object]], *, named: bool) -> bytes:
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(event)}\n\n")
    return "".join(lines).encode()
