"""Stored streams -> the JSON of one response, as in `assembled.json`; null where the format is not assembled."""

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message
from openai.types import Completion
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from services.domain.assembly.stream import TRUNCATED, assembled
from tests.golden.cases import GOLDEN_CASES, GoldenCase

EXPECTED = json.loads((Path(__file__).parent / "assembled.json").read_text())
STREAMED = [case for case in GOLDEN_CASES if case.streamed]


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_a_recorded_stream_becomes_the_response_that_was_reviewed(case: GoldenCase) -> None:
    found = assembled(case.body)
    assert (None if found is None else json.loads(found)) == EXPECTED[case.name]


def test_every_reviewed_response_has_its_stream_and_every_format_one() -> None:
    assert set(EXPECTED) == {case.name for case in STREAMED}
    kinds = {
        response.get("object") or response.get("type") or next(iter(response))
        for response in EXPECTED.values()
        if response
    }
    assert kinds == {"chat.completion", "response", "message", "candidates"}


@pytest.mark.parametrize("case", [case for case in GOLDEN_CASES if not case.streamed], ids=lambda case: case.name)
def test_a_whole_response_is_no_stream(case: GoldenCase) -> None:
    assert assembled(case.body) is None


def sse(*events: object) -> bytes:
    return b"".join(
        b"data: %s\n\n" % (json.dumps(event).encode() if event != "[DONE]" else b"[DONE]") for event in events
    )


def chat(**delta: Any) -> dict[str, Any]:
    reason = delta.pop("finish_reason", None)
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    return head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}


def call(index: int, arguments: str, **named: Any) -> dict[str, Any]:
    name = named.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function} | named


TOOL_CALLS = sse(
    chat(role="assistant", content=None),
    chat(tool_calls=[call(0, "", id="call_a", type="function", name="weather")]),
    chat(tool_calls=[call(0, '{"city":')]),
    chat(tool_calls=[call(1, '{"city": "Oslo"}', id="call_b", type="function", name="weather")]),
    chat(tool_calls=[call(0, ' "Bergen"}', id="", name="")]),
    chat(finish_reason="tool_calls"),
    "[DONE]",
)
COMPLETION = sse(
    *(
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "gpt-3.5-turbo-instruct",
            "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}],
        }
        for text, reason in (("One", None), (", two", None), ("", "stop"))
    ),
    "[DONE]",
)
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "output": [], "status": "in_progress",
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
}  # fmt: skip
REASONED = [
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_item.added", "output_index": 0,
     "item": {"id": "rs_1", "type": "reasoning", "summary": []}},
    {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0,
     "part": {"type": "summary_text", "text": ""}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "Look "},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "it up."},
    {"type": "response.output_item.added", "output_index": 1,
     "item": {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "weather", "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"city": '},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '"Oslo"}'},
]  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
    "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 1},
}  # fmt: skip
TOOL_USE = [
    {"type": "message_start", "message": MESSAGE},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Ask."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
    {"type": "content_block_start", "index": 1,
     "content_block": {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"city": '}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '"Oslo"}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 30}},
    {"type": "message_stop"},
]  # fmt: skip


def read(stream: bytes) -> dict[str, Any]:
    found = assembled(stream)
    assert found is not None
    response: dict[str, Any] = json.loads(found)
    return response


def test_tool_calls_in_pieces_become_whole_ones() -> None:
    response = read(TOOL_CALLS)
    assert response["choices"][0]["message"]["tool_calls"] == [
        {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bergen"}'}},
        {"id": "call_b", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
    ]
    assert (response["object"], response["choices"][0]["finish_reason"]) == ("chat.completion", "tool_calls")


def test_an_older_completion_has_its_text() -> None:
    assert read(COMPLETION)["choices"] == [{"index": 0, "text": "One, two", "logprobs": None, "finish_reason": "stop"}]


def test_a_tool_use_has_its_input_as_json_and_thinking_its_signature() -> None:
    response = read(sse(*TOOL_USE))
    assert response["content"] == [
        {"type": "thinking", "thinking": "Ask.", "signature": "c2ln"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
    ]
    assert (response["stop_reason"], response["usage"]) == ("tool_use", {"input_tokens": 5, "output_tokens": 30})
    assert TRUNCATED not in response


def test_a_response_that_broke_off_has_the_output_until_there() -> None:
    response = read(sse(*REASONED))
    assert response["output"] == [
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Look it up."}]},
        {
            "id": "fc_1",
            "type": "function_call",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city": "Oslo"}',
        },
    ]
    assert (response["status"], response[TRUNCATED]) == ("in_progress", True)


def test_googles_array_is_read_too_whole_or_cut() -> None:
    pieces = [
        {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "Think.", "thought": True}]}}]},
        {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "Osl"}]}}]},
        {
            "candidates": [{"content": {"parts": [{"text": "o"}], "role": "model"}, "finishReason": "STOP"}],
            "usageMetadata": {"totalTokenCount": 3},
        },
    ]
    text = json.dumps(pieces, indent=1).encode()
    response = read(text)
    assert response["candidates"][0]["content"]["parts"] == [{"text": "Think.", "thought": True}, {"text": "Oslo"}]
    assert (response["candidates"][0]["finishReason"], response["usageMetadata"]) == ("STOP", {"totalTokenCount": 3})
    cut = read(text[: text.index(b'"o"')])
    assert cut["candidates"][0]["content"]["parts"][-1] == {"text": "Osl"}
    assert cut[TRUNCATED] is True


def test_every_digit_of_a_number_is_kept() -> None:
    digits = (
        b'data: {"choices": [{"index": 0, "finish_reason": "stop"}], "usage": {"cost": 0.12345678901234567890}}\n\n'
    )
    assert b"0.12345678901234567890" in (assembled(digits) or b"")


def test_the_sdks_take_what_was_assembled_for_a_response() -> None:
    """All but the usage, to which they add required figures from release to release."""
    for response in EXPECTED.values():
        match response and (response.get("object") or response.get("type")):
            case "chat.completion" if "created" in response:
                ChatCompletion.model_validate(response)
            case "response" if response["status"] == "completed":
                Response.model_validate(response | {"tool_choice": "auto", "tools": [], "usage": None})
            case "message" if TRUNCATED not in response:
                Message.model_validate(response | {"usage": MESSAGE["usage"]})
    ChatCompletion.model_validate(read(TOOL_CALLS))
    Completion.model_validate(read(COMPLETION))
    Message.model_validate(read(sse(*TOOL_USE)))
    Response.model_validate(read(sse(*REASONED)))
