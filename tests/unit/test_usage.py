"""Answers that no golden file holds: nonsense, contradictions, and shapes at the edge."""

import json
from base64 import b64encode

import pytest

from schemas.usage import Reading, Usage
from services.domain.usage import read_answer


def _chat(**usage: object) -> bytes:
    return json.dumps({"model": "m", "choices": [], "usage": usage}).encode()


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": "12", "completion_tokens": 1},
        {"prompt_tokens": 10**30, "completion_tokens": 1},
        {"prompt_tokens": 2**31, "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": [1], "completion_tokens": {}},
        {"input_tokens": -5, "output_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": -1}},
    ],
)
def test_figures_that_nobody_can_mean_are_no_usage_but_are_kept_as_they_came(usage: dict[str, object]) -> None:
    reading = read_answer(_chat(**usage), "OPENAI")
    assert reading.usage is None
    assert json.loads(reading.usage_block) == json.loads(json.dumps(usage))


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 11}},
        {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}},
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 16},
        {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 3,
         "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 2}},
        {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 99},
        {"inputTokens": 10, "outputTokens": 5, "totalTokens": 99},
    ],
)  # fmt: skip
def test_figures_that_contradict_each_other_are_marked(usage: dict[str, object]) -> None:
    reading = read_answer(_chat(**usage), "OPENAI")
    assert reading.usage is not None
    assert (reading.adds_up, reading.held) == (False, True)


@pytest.mark.parametrize(
    ("provider", "usage"),
    [
        ("X", {"prompt_tokens": 10, "completion_tokens": 5, "num_sources_used": 3}),
        ("X", {"prompt_tokens": 10, "completion_tokens": 5, "num_server_side_tools_used": 1}),
        ("ANTHROPIC", {"input_tokens": 10, "output_tokens": 5,
                       "iterations": [{"type": "message"}, {"type": "compaction", "input_tokens": 900}]}),
        ("OPENAI", {"input_tokens": 10, "output_tokens": 5, "input_token_details": {
            "cached_tokens": 6, "image_tokens": 6, "cached_tokens_details": {"image_tokens": 6}}}),
        ("GOOGLE", {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15,
                    "candidatesTokensDetails": [{"modality": "VIDEO", "tokenCount": 5}]}),
        ("COHERE", {"billed_units": {"input_tokens": 10, "search_units": 1}}),
    ],
)  # fmt: skip
def test_what_no_class_holds_is_marked_apart_from_what_does_not_add_up(provider: str, usage: dict[str, object]) -> None:
    reading = read_answer(_chat(**usage), provider)
    assert reading.usage is not None
    assert (reading.adds_up, reading.held) == (True, False)


@pytest.mark.parametrize("usage", [None, {}, [], "much", 3, {"prompt_tokens": 0, "completion_tokens": 0}])
def test_an_empty_usage_says_nothing(usage: object) -> None:
    body = json.dumps({"model": "m", "usage": usage}).encode()
    assert read_answer(body, "OPENAI").usage is None


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"3", b'"x"', b"{", b"<html>", b"\xff\xfe", b'{"usage":' + b"[" * 10_000, b"data: {\n\n",
     b"\0\0\0\x10\0\0\0\0\0\0\0\0junk", b'{"model":"\\ud800"}', b'{"model":7}'],
)  # fmt: skip
def test_bytes_that_are_no_answer_have_an_empty_reading(body: bytes) -> None:
    reading = read_answer(body, "OPENAI")
    assert (reading.usage, reading.model) == (None, "")


def test_whole_numbers_may_be_written_with_a_point() -> None:
    reading = read_answer(b'{"usage":{"prompt_tokens":12.0,"completion_tokens":3.0}}', "OPENAI")
    assert reading.usage == Usage(prompt_tokens=12, completion_tokens=3)


def test_an_absurdly_long_usage_block_is_read_but_not_kept() -> None:
    reading = read_answer(_chat(prompt_tokens=1, completion_tokens=2, padding="x" * 20_000), "OPENAI")
    assert (reading.usage, reading.usage_block) == (Usage(prompt_tokens=1, completion_tokens=2), "")


def test_running_figures_of_a_stream_that_did_not_end_are_not_the_whole_usage() -> None:
    chunk = {"model": "m", "choices": [{"delta": {}, "finish_reason": None}],
             "usage": {"prompt_tokens": 9, "completion_tokens": 1}}  # fmt: skip
    assert not read_answer(b"data: " + json.dumps(chunk).encode() + b"\n\n", "OPENAI").final


def test_a_stream_that_is_an_array_is_read_as_one() -> None:
    chunks = [
        {"candidates": [{"content": {}}], "modelVersion": "gemini-2.5-pro"},
        {"candidates": [{"finishReason": "STOP"}], "modelVersion": "gemini-2.5-pro",
         "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}},
    ]  # fmt: skip
    reading = read_answer(json.dumps(chunks).encode(), "GOOGLE")
    assert (reading.usage, reading.streamed) == (Usage(prompt_tokens=5, completion_tokens=2), True)


def _frame(payload: bytes) -> bytes:
    total = 12 + len(payload) + 4
    return total.to_bytes(4, "big") + bytes(8) + payload + bytes(4)


def test_amazons_binary_stream_is_read_whole_or_cut() -> None:
    body = _frame(b'{"contentBlockIndex":0,"delta":{"text":"Hi"}}') + _frame(
        b'{"metrics":{"latencyMs":5},"usage":{"inputTokens":10,"outputTokens":4,"totalTokens":14}}'
    )
    assert read_answer(body, "AWS").usage == Usage(prompt_tokens=10, completion_tokens=4)
    assert read_answer(body[:-1], "AWS") == Reading(streamed=True, final=False, passed_characters=2)


def test_anthropic_wrapped_by_bedrock_is_read_as_anthropic() -> None:
    start = {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 7, "output_tokens": 1}}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    body = b"".join(_frame(json.dumps({"bytes": _base64(part)}).encode()) for part in (start, end))
    reading = read_answer(body, "AWS")
    assert (reading.model, reading.usage) == ("claude", Usage(prompt_tokens=7, completion_tokens=9))
    assert reading.final


def _base64(part: object) -> str:
    return b64encode(json.dumps(part).encode()).decode()
