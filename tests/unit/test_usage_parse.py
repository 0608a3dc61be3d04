"""Responses that no golden file has: invalid or inconsistent usage, and rare formats."""

import json
from base64 import b64encode

import msgspec
import pytest

from schemas.usage import ParsedResponse, Usage
from services.domain.usage.parse import parse_response


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
def test_counts_that_are_implausible_are_no_usage_but_are_kept_as_they_came(usage: dict[str, object]) -> None:
    parsed = parse_response(_chat(**usage), "OPENAI")
    assert parsed.usage is None
    assert json.loads(parsed.usage_block) == json.loads(json.dumps(usage))


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
def test_counts_that_contradict_each_other_are_marked(usage: dict[str, object]) -> None:
    parsed = parse_response(_chat(**usage), "OPENAI")
    assert parsed.usage is not None
    assert (parsed.consistent, parsed.complete) == (False, True)


@pytest.mark.parametrize(
    ("provider", "usage"),
    [
        ("X", {"prompt_tokens": 10, "completion_tokens": 5, "num_sources_used": 3}),
        ("X", {"prompt_tokens": 10, "completion_tokens": 5, "num_server_side_tools_used": 1}),
        ("ANTHROPIC", {"input_tokens": 10, "output_tokens": 5,
                       "iterations": [{"type": "message", "model": "another", "input_tokens": 900}]}),
        ("ANTHROPIC", {"input_tokens": 10, "output_tokens": 5,
                       "iterations": [{"type": "compaction", "input_tokens": 900, "frames": 3}]}),
        ("ANTHROPIC", {"input_tokens": 10, "output_tokens": 5, "fallback_credit": {"status": {"type": "redeemed"}}}),
        ("COHERE", {"billed_units": {"input_tokens": 10, "search_units": 1}}),
    ],
)  # fmt: skip
def test_what_no_class_holds_is_marked_apart_from_what_does_not_add_up(provider: str, usage: dict[str, object]) -> None:
    parsed = parse_response(_chat(**usage), provider)
    assert parsed.usage is not None
    assert (parsed.consistent, parsed.complete) == (True, False)


@pytest.mark.parametrize("usage", [None, {}, [], "much", 3, {"prompt_tokens": 0, "completion_tokens": 0}])
def test_an_empty_usage_reports_nothing(usage: object) -> None:
    body = json.dumps({"model": "m", "usage": usage}).encode()
    assert parse_response(body, "OPENAI").usage is None


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"3", b'"x"', b"{", b"<html>", b"\xff\xfe", b'{"usage":' + b"[" * 10_000, b"data: {\n\n",
     b"\0\0\0\x10\0\0\0\0\0\0\0\0junk", b'{"model":"\\ud800"}', b'{"model":7}'],
)  # fmt: skip
def test_bytes_that_are_no_response_have_an_empty_parsed_response(body: bytes) -> None:
    parsed = parse_response(body, "OPENAI")
    assert (parsed.usage, parsed.model) == (None, "")


def test_whole_numbers_may_be_written_with_a_point() -> None:
    parsed = parse_response(b'{"usage":{"prompt_tokens":12.0,"completion_tokens":3.0}}', "OPENAI")
    assert parsed.usage == Usage(prompt_tokens=12, completion_tokens=3)


def test_an_absurdly_long_usage_block_is_read_but_not_kept() -> None:
    parsed = parse_response(_chat(prompt_tokens=1, completion_tokens=2, padding="x" * 20_000), "OPENAI")
    assert (parsed.usage, parsed.usage_block) == (Usage(prompt_tokens=1, completion_tokens=2), "")


def test_running_counts_of_a_stream_that_did_not_end_are_not_the_whole_usage() -> None:
    chunk = {"model": "m", "choices": [{"delta": {}, "finish_reason": None}],
             "usage": {"prompt_tokens": 9, "completion_tokens": 1}}  # fmt: skip
    assert not parse_response(b"data: " + json.dumps(chunk).encode() + b"\n\n", "OPENAI").final


def test_a_stream_that_is_an_array_is_read_as_one() -> None:
    chunks = [
        {"candidates": [{"content": {}}], "modelVersion": "gemini-2.5-pro"},
        {"candidates": [{"finishReason": "STOP"}], "modelVersion": "gemini-2.5-pro",
         "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}},
    ]  # fmt: skip
    parsed = parse_response(json.dumps(chunks).encode(), "GOOGLE")
    assert (parsed.usage, parsed.streamed) == (Usage(prompt_tokens=5, completion_tokens=2), True)


def _frame(payload: bytes) -> bytes:
    total = 12 + len(payload) + 4
    return total.to_bytes(4, "big") + bytes(8) + payload + bytes(4)


def test_amazons_binary_stream_is_read_whole_or_cut() -> None:
    body = _frame(b'{"contentBlockIndex":0,"delta":{"text":"Hi"}}') + _frame(
        b'{"metrics":{"latencyMs":5},"usage":{"inputTokens":10,"outputTokens":4,"totalTokens":14}}'
    )
    assert parse_response(body, "AWS").usage == Usage(prompt_tokens=10, completion_tokens=4)
    assert parse_response(body[:-1], "AWS") == ParsedResponse(streamed=True, final=False, output_characters=2)


def test_anthropic_wrapped_by_bedrock_is_read_as_anthropic() -> None:
    start = {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 7, "output_tokens": 1}}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    body = b"".join(_frame(json.dumps({"bytes": _base64(part)}).encode()) for part in (start, end))
    parsed = parse_response(body, "AWS")
    assert (parsed.model, parsed.usage) == ("claude", Usage(prompt_tokens=7, completion_tokens=9))
    assert parsed.final


def _base64(part: object) -> str:
    return b64encode(json.dumps(part).encode()).decode()


CLAUDE = {"prompt_tokens": 3600, "completion_tokens": 300, "total_tokens": 3900,
          "cache_creation_input_tokens": 600, "cache_read_input_tokens": 2000}  # fmt: skip
CLAUDE_READ = Usage(
    prompt_tokens=1000, prompt_cache_read_tokens=2000, prompt_cache_write_5m_tokens=600, completion_tokens=300
)
CLAUDE_READ_1H = msgspec.structs.replace(
    CLAUDE_READ, prompt_cache_write_5m_tokens=500, prompt_cache_write_1h_tokens=100
)
SPLIT = {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 100}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (CLAUDE | {"prompt_tokens_details": {"cached_tokens": 2000, "cache_creation_tokens": 600}}, CLAUDE_READ),
        (CLAUDE | {"prompt_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 600,
                                             "cache_creation_tokens": 600, "text_tokens": 1000}}, CLAUDE_READ),
        (CLAUDE | {"prompt_tokens_details": {"cached_tokens": 2000, "cache_creation_tokens": 600,
                                             "cache_creation_token_details": SPLIT}}, CLAUDE_READ_1H),
        (CLAUDE | {"prompt_tokens": 1000}, CLAUDE_READ),
        (CLAUDE | {"prompt_tokens": 1000, "cache_creation": SPLIT}, CLAUDE_READ_1H),
        ({"prompt_tokens": 3000, "completion_tokens": 300, "total_tokens": 3300, "cache_creation_input_tokens": 0,
          "cache_read_input_tokens": 2000, "prompt_tokens_details": {"cached_tokens": 2000}},
         msgspec.structs.replace(CLAUDE_READ, prompt_cache_write_5m_tokens=0)),
        ({"input_tokens": 1000, "output_tokens": 300, "total_tokens": 3900,
          "cache_creation_input_tokens": 600, "cache_read_input_tokens": 2000}, CLAUDE_READ),
        ({"input_tokens": 1000, "completion_tokens": 300, "total_tokens": 3900,
          "cache_creation_input_tokens": 600, "cache_read_input_tokens": 2000}, CLAUDE_READ),
    ],
)  # fmt: skip
def test_claude_in_openais_words_counts_what_was_cached_once(usage: dict[str, object], expected: Usage) -> None:
    for provider in ("ANTHROPIC", "CUSTOM", "OPENAI"):
        parsed = parse_response(_chat(**usage), provider)
        assert parsed.usage == expected
        assert (parsed.consistent, parsed.complete) == (True, True)


@pytest.mark.parametrize(
    "usage",
    [
        CLAUDE,  # versions differ on whether the prompt holds what was written
        CLAUDE | {"prompt_tokens_details": {"cached_tokens": 2000}},
        CLAUDE | {"prompt_tokens_details": {"cached_tokens": 2000, "cache_creation_tokens": 500}},
        CLAUDE | {"prompt_tokens_details": {"cached_tokens": 1000, "cache_creation_tokens": 600}},
        CLAUDE | {"prompt_tokens": 1000, "total_tokens": 1300, "prompt_tokens_details": {"cache_creation_tokens": 600}},
        {"input_tokens": 1000, "output_tokens": 300, "total_tokens": 2000, "cache_read_input_tokens": 2000},
        {"prompt_tokens": 10, "input_tokens": 12, "completion_tokens": 5},
        {"prompt_tokens": 10, "output_tokens": 7, "completion_tokens": 5},
        {"completion_tokens": 5, "total_tokens": 15},
    ],
)
def test_what_may_be_read_in_two_ways_does_not_add_up(usage: dict[str, object]) -> None:
    parsed = parse_response(_chat(**usage), "CUSTOM")
    assert parsed.usage is not None
    assert not parsed.consistent


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 10, "completion_tokens": 5},
        {"prompt_tokens": 10, "output_tokens": 5},
        {"prompt_tokens": None, "input_tokens": 10, "completion_tokens": 0, "output_tokens": 5},
        {"prompt_tokens": 10, "input_tokens": 10, "completion_tokens": 5, "output_tokens": 5, "total_tokens": 15},
        {"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 10, "output_tokens": 5},
    ],
)
def test_names_of_both_families_are_read_in_one_block(usage: dict[str, object]) -> None:
    for provider in ("OPENAI", "ANTHROPIC", "CUSTOM"):
        parsed = parse_response(_chat(**usage), provider)
        assert parsed.usage == Usage(prompt_tokens=10, completion_tokens=5)
        assert (parsed.consistent, parsed.complete) == (True, True)


def test_a_completion_without_a_prompt_is_not_all_that_was_used() -> None:
    assert not parse_response(_chat(completion_tokens=5), "CUSTOM").complete
    assert parse_response(_chat(prompt_tokens=0, completion_tokens=5), "CUSTOM").complete


@pytest.mark.parametrize(
    ("provider", "usage", "completion"),
    [
        ("LOCAL", {"reasoning_tokens": 30}, 20),
        ("LOCAL", {"reasoning_tokens": 30, "total_tokens": 60}, 20),
        ("CUSTOM", {"reasoning_tokens": 30, "completion_tokens_details": {"reasoning_tokens": 30}}, 20),
        ("LOCAL", {"reasoning_tokens": 30, "total_tokens": 90}, 50),
        ("X", {"completion_tokens_details": {"reasoning_tokens": 30}, "total_tokens": 90}, 50),
        ("PERPLEXITY", {"reasoning_tokens": 30, "total_tokens": 60}, 50),
        ("CUSTOM", {"reasoning_tokens": 30, "total_tokens": 60, "search_context_size": "low"}, 50),
    ],
)
def test_reasoning_is_inside_the_completion_unless_the_provider_counts_it_beside(
    provider: str, usage: dict[str, object], completion: int
) -> None:
    parsed = parse_response(_chat(prompt_tokens=10, completion_tokens=50, **usage), provider)
    assert parsed.usage == Usage(prompt_tokens=10, completion_tokens=completion, reasoning_tokens=30)
    assert parsed.consistent


def test_more_reasoning_than_completion_does_not_add_up() -> None:
    assert not parse_response(_chat(prompt_tokens=10, completion_tokens=5, reasoning_tokens=6), "LOCAL").consistent


@pytest.mark.parametrize("detail", ["web_search_requests", "google_maps_grounding_requests"])
def test_searches_that_a_gateway_counts_in_the_prompt_are_held_by_no_class(detail: str) -> None:
    details = {"cached_tokens": 0, detail: 1}
    parsed = parse_response(_chat(prompt_tokens=10, completion_tokens=5, prompt_tokens_details=details), "CUSTOM")
    assert (parsed.consistent, parsed.complete) == (True, False)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"serviceTier": {"type": "default"}, "performanceConfig": {"latency": "standard"}}, ""),
        ({"serviceTier": {"type": "flex"}}, "flex"),
        ({"serviceTier": {"type": "reserved"}}, "reserved"),
        ({"performanceConfig": {"latency": "optimized"}}, "optimized-latency"),
        ({"serviceTier": None, "performanceConfig": []}, ""),
        ({"service_tier": 3}, ""),
    ],
)
def test_bedrock_names_its_tiers_in_objects(said: dict[str, object], tier: str) -> None:
    response = {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, **said}
    assert parse_response(json.dumps(response).encode(), "AWS").tier == tier


@pytest.mark.parametrize(
    ("response", "expected", "complete"),
    [
        ({"data": [{"b64_json": "aGk="}]}, Usage(prompt_tokens=5, completion_image_tokens=9), True),
        ({"type": "image_edit.completed"}, Usage(prompt_tokens=5, completion_image_tokens=9), True),
        ({"data": [{"b64_json": "aGk="}], "svg_usage": None}, Usage(prompt_tokens=5, completion_image_tokens=9), True),
        ({"data": [{}], "svg_usage": {"model": "m"}}, Usage(prompt_tokens=5, completion_image_tokens=9), False),
        ({"type": "message"}, Usage(prompt_tokens=5, completion_tokens=9), True),
    ],
)
def test_the_output_of_responses_of_images_is_image(
    response: dict[str, object], expected: Usage, complete: bool
) -> None:
    parsed = parse_response(
        json.dumps(response | {"usage": {"input_tokens": 5, "output_tokens": 9}}).encode(), "OPENAI"
    )
    assert (parsed.usage, parsed.complete) == (expected, complete)


@pytest.mark.parametrize("made", [{"image_tokens": 6, "text_tokens": 3}, None])
def test_details_of_the_output_tell_its_images_apart_from_its_text(made: dict[str, int] | None) -> None:
    details = {"text_tokens": 2, "image_tokens": 3}
    usage = {"input_tokens": 5, "output_tokens": 9, "input_tokens_details": details, "output_tokens_details": made}
    parsed = parse_response(json.dumps({"usage": usage}).encode(), "OPENAI")
    text, images = (3, 6) if made else (0, 9)
    assert parsed.usage == Usage(
        prompt_tokens=2, prompt_image_tokens=3, completion_tokens=text, completion_image_tokens=images
    )


@pytest.mark.parametrize(
    ("item", "complete"),
    [
        ({"type": "shell_call", "environment": {"type": "local"}}, True),
        ({"type": "shell_call", "environment": {"type": "container_auto"}}, False),
        ({"type": "shell_call", "environment": None}, False),
        ({"type": "local_shell_call"}, True),
        ({"type": "code_interpreter_call"}, False),
    ],
)
def test_a_shell_of_the_providers_own_is_held_by_no_class(item: dict[str, object], complete: bool) -> None:
    usage = {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14}
    assert parse_response(json.dumps({"output": [item], "usage": usage}).encode(), "OPENAI").complete is complete


@pytest.mark.parametrize(
    ("split", "written", "consistent"),
    [
        ({"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 0}, (600, 0), True),
        ({"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 400}, (0, 600), True),
        ({"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, (600, 0), True),
        ({"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 100}, (500, 100), False),
        (None, (600, 0), True),
    ],
)
def test_cache_writes_beside_their_split_last_as_long_as_the_split_ones(
    split: dict[str, int] | None, written: tuple[int, int], consistent: bool
) -> None:
    usage = {"input_tokens": 5, "output_tokens": 9, "cache_creation_input_tokens": 600, "cache_creation": split}
    parsed = parse_response(_chat(**usage), "ANTHROPIC")
    assert parsed.usage is not None
    assert (parsed.usage.prompt_cache_write_5m_tokens, parsed.usage.prompt_cache_write_1h_tokens) == written
    assert parsed.consistent is consistent


def _claude_stream(start: dict[str, object], end: dict[str, object]) -> bytes:
    chunks = [
        {"type": "message_start", "message": {"type": "message", "model": "m", "usage": start}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (
            {"input_tokens": 10, "cache_read_input_tokens": 500, "output_tokens": 1},
            {"input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 5},
            Usage(prompt_tokens=10, prompt_cache_read_tokens=500, completion_tokens=5),
        ),
        (
            {"input_tokens": 9, "cache_creation_input_tokens": 8, "cache_creation": {"ephemeral_1h_input_tokens": 8}},
            {"input_tokens": 0, "cache_creation": {"ephemeral_1h_input_tokens": 0}, "output_tokens": 5},
            Usage(prompt_tokens=9, prompt_cache_write_1h_tokens=8, completion_tokens=5),
        ),
        (  # counted anew: what the start took for input was all read from the cache
            {"input_tokens": 1000, "output_tokens": 1},
            {"input_tokens": 0, "cache_read_input_tokens": 1000, "output_tokens": 5},
            Usage(prompt_cache_read_tokens=1000, completion_tokens=5),
        ),
        (
            {"input_tokens": 1000, "output_tokens": 1},
            {"input_tokens": 900, "output_tokens": 5},
            Usage(prompt_tokens=900, completion_tokens=5),
        ),
    ],
)
def test_zeros_at_the_end_of_a_stream_do_not_undo_what_its_start_counted(
    start: dict[str, object], end: dict[str, object], expected: Usage
) -> None:
    assert parse_response(_claude_stream(start, end), "ANTHROPIC").usage == expected


@pytest.mark.parametrize(
    "response",
    [
        {"prompt_token_count": -1, "generation_token_count": 5},
        {"inputTextTokenCount": 5, "results": [{"tokenCount": 9, "outputText": "Hello"}]},
        {"predictions": [{"embeddings": {"statistics": {"token_count": 1.5}}}]},
        {"predictions": [{"bytesBase64Encoded": "AAAA"}]},
        {"custom_id": "1", "response": {"status_code": 400, "body": {"error": {"message": "no"}}}},
        {"custom_id": "1", "response": {"status_code": 500, "body": "no"}},
        {"custom_id": "1", "response": None, "error": {"code": "batch_expired"}},
    ],
)
def test_responses_whose_counts_cannot_be_read_have_no_usage(response: dict[str, object]) -> None:
    assert parse_response(json.dumps(response).encode(), "OPENAI").usage is None


@pytest.mark.parametrize(
    ("parts", "details", "complete"),
    [
        ([{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}], [], False),
        ([{"text": "Here:"}, {"inlineData": {"mimeType": "audio/L16", "data": "AAAA"}}], [], False),
        ([{"inlineData": {"mimeType": "image/png"}}], [{"modality": "IMAGE", "tokenCount": 1290}], True),
        ([{"text": 'One writes {"inlineData": {}} for it.'}], [], True),
    ],
)
def test_images_and_sounds_that_google_does_not_count_apart_from_text_are_held_by_no_class(
    parts: list[object], details: list[object], complete: bool
) -> None:
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 1290, "totalTokenCount": 1300}
    response: dict[str, object] = {
        "candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}],
        "usageMetadata": usage | ({"candidatesTokensDetails": details} if details else {}),
    }
    parsed, streamed = (parse_response(body, "GOOGLE") for body in (json.dumps(response).encode(), _events(response)))
    assert (parsed.complete, streamed.complete) == (complete, complete)


def _events(response: dict[str, object]) -> bytes:
    """The same as a stream, whose figures come last and alone."""
    last = {"usageMetadata": response["usageMetadata"]}
    return b"".join(
        b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in (response | {"usageMetadata": None}, last)
    )


def test_langchain_names_its_block_otherwise() -> None:
    usage = {"input_tokens": 1010, "output_tokens": 5, "total_tokens": 1015}
    response = {"content": "Hi", "usage_metadata": usage | {"input_token_details": {"cache_creation": 1000}}}
    parsed = parse_response(json.dumps(response).encode(), "ANTHROPIC")
    assert parsed.usage == Usage(prompt_tokens=10, prompt_cache_write_5m_tokens=1000, completion_tokens=5)
    assert (parsed.consistent, parsed.complete) == (True, True)


def test_the_details_of_a_prompt_may_be_named_in_the_singular() -> None:
    details = {"cached_tokens": 400}
    usage = {"prompt_tokens": 1000, "completion_tokens": 5, "total_tokens": 1005, "prompt_token_details": details}
    for block in (usage, usage | {"prompt_tokens_details": details}):
        parsed = parse_response(_chat(**block), "MISTRAL")
        assert parsed.usage == Usage(prompt_tokens=600, prompt_cache_read_tokens=400, completion_tokens=5)
        assert parsed.complete
