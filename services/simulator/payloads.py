"""What a provider responds with, in OpenAI's and Anthropic's own shapes, from a text and a usage. Pure."""

import base64
import struct
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from schemas.usage import Usage

Json = dict[str, Any]

SNAPSHOTS = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "o4-mini": "o4-mini-2025-04-16",
    "claude-sonnet-5": "claude-sonnet-5",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is written, by which model, and what it used; the shape is chosen by the function that is given it."""

    serial: str  # hexadecimal; the part of the id that differs from response to response
    model: str  # the snapshot that wrote it
    text: str
    usage: Usage
    created: int  # unix seconds


def openai_usage(usage: Usage) -> Json:
    """OpenAI counts cached tokens inside the prompt and reasoning inside the completion."""
    prompt = usage.prompt_tokens + usage.prompt_cache_read_tokens
    completion = usage.completion_tokens + usage.reasoning_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": usage.prompt_cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def responses_usage(usage: Usage) -> Json:
    """The same counts under the names of OpenAI's responses API."""
    prompt = usage.prompt_tokens + usage.prompt_cache_read_tokens
    output = usage.completion_tokens + usage.reasoning_tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": usage.prompt_cache_read_tokens},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": prompt + output,
    }


def anthropic_usage(usage: Usage) -> Json:
    """Anthropic counts cached tokens beside the input, and thinking inside the output."""
    five_minutes, one_hour = usage.prompt_cache_write_5m_tokens, usage.prompt_cache_write_1h_tokens
    return {
        "input_tokens": usage.prompt_tokens,
        "cache_creation_input_tokens": five_minutes + one_hour,
        "cache_read_input_tokens": usage.prompt_cache_read_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": one_hour},
        "output_tokens": usage.completion_tokens + usage.reasoning_tokens,
        "service_tier": "standard",
    }


def chat_completion(content: Content) -> Json:
    return {
        "id": f"chatcmpl-{content.serial}",
        "object": "chat.completion",
        "created": content.created,
        "model": content.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content.text, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": openai_usage(content.usage),
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def chat_stream(content: Content, *, include_usage: bool) -> Iterator[bytes]:
    """The events of a streamed chat completion; its usage comes last, and only when it was requested."""
    head: Json = {
        "id": f"chatcmpl-{content.serial}",
        "object": "chat.completion.chunk",
        "created": content.created,
        "model": content.model,
        "system_fingerprint": "fp_simulated",
    }
    tail: Json = {"usage": None} if include_usage else {}

    def chunk(delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event({**head, "choices": [choice], **tail})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    yield from (chunk({"content": part}) for part in _chunks(content.text))
    yield chunk({}, "stop")
    if include_usage:
        yield _event({**head, "choices": [], "usage": openai_usage(content.usage)})
    yield b"data: [DONE]\n\n"


def response(content: Content) -> Json:
    return _response(content, "completed", [_output(content)], responses_usage(content.usage))


def response_stream(content: Content) -> Iterator[bytes]:
    """The events of a streamed response, numbered as OpenAI numbers them."""
    started = _response(content, "in_progress", [], None)
    empty = {**_output(content), "status": "in_progress", "content": []}
    place = {"item_id": f"msg_{content.serial}", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": content.text, "annotations": [], "logprobs": []}
    events: list[tuple[str, Json]] = [
        ("response.created", {"response": started}),
        ("response.in_progress", {"response": started}),
        ("response.output_item.added", {"output_index": 0, "item": empty}),
        ("response.content_part.added", {**place, "part": {**part, "text": ""}}),
        *(("response.output_text.delta", {**place, "delta": text, "logprobs": []}) for text in _chunks(content.text)),
        ("response.output_text.done", {**place, "text": content.text, "logprobs": []}),
        ("response.content_part.done", {**place, "part": part}),
        ("response.output_item.done", {"output_index": 0, "item": _output(content)}),
        ("response.completed", {"response": response(content)}),
    ]
    for number, (kind, facts) in enumerate(events):
        yield _event({"type": kind, "sequence_number": number, **facts}, kind)


def _response(content: Content, status: str, output: list[Json], usage: Json | None) -> Json:
    return {
        "id": f"resp_{content.serial}",
        "object": "response",
        "created_at": content.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": content.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage,
    }


def _output(content: Content) -> Json:
    return {
        "id": f"msg_{content.serial}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": content.text, "annotations": [], "logprobs": []}],
    }


def embeddings(content: Content, *, count: int, dimensions: int, as_base64: bool) -> Json:
    """`count` vectors of the same made-up figures."""
    vector = [0.01] * dimensions
    shown = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode() if as_base64 else vector
    prompt = content.usage.prompt_tokens
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": shown} for index in range(count)],
        "model": content.model,
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt},
    }


def message(content: Content) -> Json:
    return {
        "id": f"msg_{content.serial}",
        "type": "message",
        "role": "assistant",
        "model": content.model,
        "content": [{"type": "text", "text": content.text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": anthropic_usage(content.usage),
    }


def message_stream(content: Content) -> Iterator[bytes]:
    """The events of a streamed message: input counts come first, the output count at the end, cumulative."""
    usage = anthropic_usage(content.usage)
    empty = {**message(content), "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[Json] = [
        {"type": "message_start", "message": empty},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}
            for part in _chunks(content.text)
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": usage["output_tokens"]},
        },
        {"type": "message_stop"},
    ]
    yield from (_event(event, event["type"]) for event in events)


def model_list() -> Json:
    """The models on offer, with the fields that both providers' SDKs look for."""
    models = [
        {"id": name, "object": "model", "type": "model", "display_name": name, "created": 0, "owned_by": "simulated"}
        for name in SNAPSHOTS
    ]
    return {"object": "list", "data": models, "has_more": False}


def openai_error(status: int, text: str) -> Json:
    kinds = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}
    kind = "invalid_request_error" if status < 429 else "requests" if status == 429 else "server_error"
    return {"error": {"message": text, "type": kind, "param": None, "code": kinds.get(status)}}


def anthropic_error(status: int, text: str) -> Json:
    kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": text}}


def _chunks(text: str) -> Iterator[str]:
    """`text` cut after each word, as tokens come."""
    words = text.split(" ")
    yield from (word + " " for word in words[:-1])
    yield words[-1]


def _event(facts: Json, kind: str | None = None) -> bytes:
    """One server-sent event; OpenAI's chat streams leave its kind away."""
    name = f"event: {kind}\n".encode() if kind else b""
    return name + b"data: " + orjson.dumps(facts) + b"\n\n"
