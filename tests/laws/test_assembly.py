"""However a provider cuts its stream into pieces, and wherever it breaks off, the same response comes of it."""

import json
from itertools import pairwise
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.assembly.stream import TRUNCATED, assembled
from services.domain.exchange.sse import looks_like_events
from tests.golden.cases import GOLDEN_CASES, GoldenCase
from tests.golden.test_assembly import MESSAGE, REASONED, TOOL_CALLS, TOOL_USE, chat, sse

CASES = [case for case in GOLDEN_CASES if case.streamed and looks_like_events(case.body) and assembled(case.body)]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
cuts = st.sets(st.integers(1, 29))


def _pieces(text: str, places: set[int]) -> list[str]:
    ends = [0, *sorted(place for place in places if place < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def _chat(pieces: list[str]) -> bytes:
    return sse(chat(role="assistant", content=""), *(chat(content=one) for one in pieces), chat(finish_reason="stop"))


def _message(pieces: list[str]) -> bytes:
    deltas = ({"type": "text_delta", "text": one} for one in pieces)
    return sse(
        {"type": "message_start", "message": MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "message_stop"},
    )


def _response(pieces: list[str]) -> bytes:
    event = {"type": "response.output_text.delta", "output_index": 2, "content_index": 0}
    return sse(*REASONED, *(event | {"delta": one} for one in pieces))


def _generated(pieces: list[str]) -> bytes:
    return sse(
        *({"candidates": [{"index": 0, "content": {"parts": [{"text": one}], "role": "model"}}]} for one in pieces),
        {"candidates": [{"index": 0, "finishReason": "STOP"}]},
    )


@pytest.mark.parametrize("stream", [_chat, _message, _response, _generated])
@given(text=texts, places=cuts)
def test_a_text_cut_elsewhere_is_the_same_text(stream: Any, text: str, places: set[int]) -> None:
    found = assembled(stream(_pieces(text, places)))
    assert found == assembled(stream([text]))
    assert json.dumps(text)[1:-1] in json.dumps(json.loads(found or b""))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_other_line_ends_and_comments_change_nothing(case: GoldenCase) -> None:
    for end in (b"\r\n", b"\r"):
        assert assembled(case.body.replace(b"\n", end)) == assembled(case.body)
    assert assembled(b": hello\n\n" + case.body) == assembled(case.body)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stream_cut_anywhere_makes_what_there_is_of_it_and_says_so(case: GoldenCase) -> None:
    whole = json.loads(assembled(case.body) or b"")
    ended = False
    for end in range((len(case.body) - 1) % 7, len(case.body), 7):
        found = assembled(case.body[:end])
        if found is None:
            assert not ended
            continue
        reply = json.loads(found)
        assert reply.get(TRUNCATED) is True or set(reply) <= set(whole)
        assert not (ended and reply.get(TRUNCATED))
        ended = TRUNCATED not in reply
    assert ended != whole.get(TRUNCATED, False)


def _is_object_or_none(response: bytes | None) -> bool:
    return response is None or isinstance(json.loads(response), dict)


@pytest.mark.parametrize("stream", [TOOL_CALLS, sse(*TOOL_USE), sse(*REASONED)])
def test_a_tool_call_cut_anywhere_is_json_all_the_same(stream: bytes) -> None:
    for end in range(0, len(stream), 3):
        assert _is_object_or_none(assembled(stream[:end]))


KINDS = [
    *("response.output_text.delta", "response.output_item.added", "response.output_item.done", "response.completed"),
    *("response.function_call_arguments.delta", "response.reasoning_summary_text.delta", "response.created"),
    *("content_block_start", "content_block_delta", "message_start", "message_delta", "message_stop"),
    *("error", "text_delta", "citations_delta", "input_json_delta", "output_text", "chat.completion.chunk", "x"),
]
# Every name that one of the formats reads.
NAMES = [
    *("choices", "candidates", "item", "output_index", "content_index", "summary_index", "index", "delta", "output"),
    *("content_block", "message", "response", "usage", "usageMetadata", "promptFeedback", "blockReason", "object"),
    *("text", "thought", "content", "parts", "summary", "tool_calls", "function", "arguments", "logprobs", "error"),
    *("finish_reason", "finishReason", "citations", "citation", "partial_json", "thinking", "role", "id", "name"),
]
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(0, 1) | st.sampled_from(["", "x", *KINDS]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", *NAMES]), inner, max_size=4),
    max_leaves=8,
)
events = st.lists(
    st.builds(
        lambda kind, fields: {"type": kind} | fields,
        st.sampled_from(KINDS) | junk,
        st.dictionaries(st.sampled_from(NAMES), junk | st.lists(junk, max_size=2), max_size=4),
    ),
    max_size=5,
)
OPENINGS = [{"choices": []}, {"type": "response.created"}, {"type": "message_start"}, {"candidates": []}]


@pytest.mark.parametrize(
    "found",
    [
        [{"choices": [{"delta": "x"}]}],
        [{"choices": [{"delta": [1]}]}],
        [{"type": "response.created"}, {"type": ["response.completed"]}],
        [{"type": "response.created"}, {"type": {}}],
        [{"candidates": [{"content": 3}, {"content": {"parts": [{"text": "x"}]}}]}],
        [{"candidates": [{"content": {"parts": [{"text": 3}, {"text": "x"}]}}]}],
        [
            {"type": "message_start", "message": {"content": 3}},
            {"type": "content_block_delta", "index": 0, "delta": {}},
        ],
    ],
)
def test_what_no_provider_sends_is_json_or_no_response(found: list[dict[str, Any]]) -> None:
    assert _is_object_or_none(assembled(sse(*found)))


@given(st.sampled_from(OPENINGS), events)
def test_whatever_follows_the_opening_of_a_stream_it_is_json_or_no_response(
    opening: dict[str, Any], found: list[dict[str, Any]]
) -> None:
    assert _is_object_or_none(assembled(sse(opening, *found)))


@given(events)
def test_whatever_stands_in_a_stream_it_is_json_or_no_response(found: list[dict[str, Any]]) -> None:
    assert _is_object_or_none(assembled(sse(*found)))


@pytest.mark.parametrize("stream", [_chat, _message, _response, _generated])
def test_a_stream_of_eight_times_as_many_pieces_takes_about_eight_times_as_long(stream: Any) -> None:
    short, long = (stream(["word "] * count) for count in (2_000, 16_000))

    def seconds(body: bytes) -> float:
        start = thread_time()
        assembled(body)
        return thread_time() - start

    base = min(seconds(short) for _ in range(3))
    assert min(seconds(long) for _ in range(3)) < 3 * 8 * base + 0.1
