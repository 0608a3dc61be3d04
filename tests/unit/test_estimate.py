"""The estimate for a stream without usage: four characters are a token, rounded up."""

import json
from typing import Any

import pytest

from schemas.usage import ParsedResponse, Usage
from services.domain.exchange.body import read_body
from services.domain.usage.estimate import estimated_usage, output_characters
from services.domain.usage.parse import parse_response
from services.domain.usage.request.hints import BodyHints
from services.domain.usage.request.prompt_text import MAX_BRACKETS


def _hints(request_body: bytes) -> BodyHints:
    return BodyHints(read_body(request_body, "", "", len(request_body)), "OPENAI")


def _stream(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks)


def _delta(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (_delta(role="assistant", content="Hi"), (2, 0)),
        (_delta(content="日本語"), (3, 0)),
        (_delta(content=None, reasoning_content="Hm"), (0, 2)),
        (_delta(reasoning="Hm", reasoning_content="Hm", reasoning_details=[{"text": "Hm"}]), (0, 2)),
        (_delta(refusal="No"), (2, 0)),
        (_delta(tool_calls=[{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{"a":1}'}}]), (7, 0)),
        ({"choices": [{"text": "Once"}]}, (4, 0)),
        ({"choices": [{"delta": {"content": "o"}, "message": {"content": "Hello"}}]}, (1, 0)),
        ({"type": "response.output_text.delta", "delta": "Hi"}, (2, 0)),
        ({"type": "response.output_text.done", "text": "Hi"}, (0, 0)),
        ({"type": "response.reasoning_summary_text.delta", "delta": "Hm"}, (0, 2)),
        ({"type": "response.audio.delta", "delta": "UklGRg=="}, (0, 0)),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}}, (2, 0)),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "Hm"}}, (0, 2)),
        ({"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "EqQB"}}, (0, 0)),
        ({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": '{"a"'}}, (4, 0)),
        ({"candidates": [{"content": {"parts": [{"text": "Hm", "thought": True}, {"text": "Hello"}]}}]}, (5, 2)),
        ({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]}}]}, (7, 0)),
        ({"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm"}}}, (0, 2)),
        ({"contentBlockIndex": 0, "delta": {"toolUse": {"input": '{"a"'}}}, (4, 0)),
        ({"type": "content-delta", "delta": {"message": {"content": {"text": "Hi"}}}}, (2, 0)),
        ({"event_type": "text-generation", "text": "Hi"}, (2, 0)),
        ({"event_type": "stream-end", "text": "Hi", "response": {"text": "Hi"}}, (0, 0)),
    ],
)
def test_the_new_text_of_a_chunk_is_counted_once(chunk: dict[str, Any], expected: tuple[int, int]) -> None:
    assert output_characters([json.dumps(chunk).encode()]) == expected


@pytest.mark.parametrize("chunk", [b"null", b"3", b"{", b"\xff", b'{"choices":[null,3,{"delta":[]}]}', b"[" * 5000])
def test_chunks_of_any_kind_put_out_nothing_at_worst(chunk: bytes) -> None:
    assert output_characters([chunk]) == (0, 0)


@pytest.mark.parametrize(
    ("requested", "tokens"),
    [
        ({"messages": [{"role": "user", "content": "Hello"}]}, 2),
        ({"messages": [{"content": [{"type": "text", "text": "Hello"}, {"image_url": {"url": "data:..."}}]}]}, 2),
        ({"model": "m", "system": "Hell", "messages": [{"content": "o"}]}, 2),
        ({"input": "Hello", "instructions": "Be brief."}, 4),
        ({"prompt": ["Hell", "o"]}, 2),
        ({"contents": [{"parts": [{"text": "Hello"}, {"inlineData": {"data": "AAAA"}}]}]}, 2),
        ({"model": "m"}, 0),
        ([1], 0),
    ],
)
def test_the_text_of_a_request_is_what_was_sent(requested: object, tokens: int) -> None:
    usage = estimated_usage(ParsedResponse(output_characters=1), _hints(json.dumps(requested).encode()))
    assert usage == Usage(prompt_tokens=tokens, completion_tokens=1)


@pytest.mark.parametrize(("brackets", "tokens"), [(MAX_BRACKETS, 2), (MAX_BRACKETS + 1, 0)])
def test_a_request_of_more_lists_than_anybody_means_counts_nothing(brackets: int, tokens: int) -> None:
    requested = b'[{"content":"Hello"},' + b"[]," * (brackets - 2) + b"1]"
    assert estimated_usage(ParsedResponse(output_characters=1), _hints(requested)) == Usage(
        prompt_tokens=tokens, completion_tokens=1
    )


def test_a_request_that_cannot_be_read_counts_nothing() -> None:
    assert estimated_usage(ParsedResponse(output_characters=1), _hints(b'{"messages":[{"con')) == Usage(
        completion_tokens=1
    )


def test_what_put_out_nothing_has_no_estimate() -> None:
    parsed = parse_response(_stream(_delta(role="assistant", content="")), "OPENAI")
    assert estimated_usage(parsed, _hints(b'{"messages":[{"content":"Hello"}]}')) is None


def test_running_counts_count_before_the_rule_of_four() -> None:
    running = _delta(content="Hello there, everybody") | {"usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    parsed = parse_response(_stream(running), "OPENAI")
    assert estimated_usage(parsed, _hints(b"{}")) == Usage(prompt_tokens=7, completion_tokens=2)


def test_the_opening_reports_the_prompt_and_the_text_what_was_put_out() -> None:
    opening = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}
    said = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}}
    parsed = parse_response(_stream(opening, said), "ANTHROPIC")
    assert estimated_usage(parsed, _hints(b'{"messages":[{"content":"Hello"}]}')) == Usage(
        prompt_tokens=9, completion_tokens=2
    )


def test_a_message_that_has_not_stopped_has_no_final_counts() -> None:
    opening = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}
    midway = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 5}}
    assert not parse_response(_stream(opening, midway), "ANTHROPIC").final
