"""How `include_usage` is set in requests for streams, and how the extra chunk is stripped again."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.exchange.usage_injection import UsageRemoval, with_usage_requested

ASKING = b'"stream_options":{"include_usage":true}'
REQUESTED = {
    "plain": (b'{"model":"m","stream":true}', b'{"model":"m","stream":true,' + ASKING + b"}"),
    "spaced": (b' {\n "stream" : true , "a": 1 }\n', b' {\n "stream" : true,' + ASKING + b' , "a": 1 }\n'),
    "without options": (b'{"stream":true,"stream_options":null}', b'{"stream":true,' + ASKING + b"}"),
    "with none": (b'{"stream":true,"stream_options":{ }}', b'{"stream":true,"stream_options":{"include_usage":true }}'),
    "with others": (
        b'{"stream_options": {"include_obfuscation":false},"stream":true}',
        b'{"stream_options": {"include_usage":true,"include_obfuscation":false},"stream":true}',
    ),
    "with a no": (
        b'{"stream_options":{"a":[{}], "include_usage": false},"stream":true}',
        b'{"stream_options":{"a":[{}], "include_usage": true},"stream":true}',
    ),
    "named within": (
        b'{"tools":[{"stream":false}],"messages":"\\"stream\\":1","stream":true}',
        b'{"tools":[{"stream":false}],"messages":"\\"stream\\":1","stream":true,"stream_options":{"include_usage":true}}',
    ),
    "beyond ASCII": (
        '{"café \\"é\\\\":"ü","stream":true}'.encode(),
        '{"café \\"é\\\\":"ü","stream":true,"stream_options":{"include_usage":true}}'.encode(),
    ),
}

UNTOUCHED = {
    "no stream": b'{"model":"m"}',
    "no stream wanted": b'{"stream":false}',
    "a stream of another kind": b'{"stream":"true"}',
    "streams only within": b'{"tools":[{"stream":true}]}',
    "set already": b'{"stream":true,"stream_options":{"include_usage":true}}',
    "nonsense as options": b'{"stream":true,"stream_options":[]}',
    "nonsense as header_option": b'{"stream":true,"stream_options":{"include_usage":"yes"}}',
    "a name that comes twice": b'{"stream":true,"a":1,"stream":true}',
    "a name that comes twice, with as long a value": b'{"stream":false,"stream_options":{},"stream":true,"x":0}',
    "a name that comes twice in two spellings": b'{"stream":true,"str\\u0065am":true}',
    "options that come twice": b'{"stream":true,"stream_options":{},"stream_options":null}',
    "an option that comes twice": b'{"stream":true,"stream_options":{"include_usage":false,"include_usage":false}}',
    "no JSON": b'{"stream":true',
    "no object": b'["stream",true]',
    "two objects": b'{"stream":true}{}',
    "no text": b'{"stream":true,"\xff":1}',
    "too deep": b'{"stream":true,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("name", REQUESTED)
def test_the_option_is_set_and_nothing_else_changes(name: str) -> None:
    body, requesting = REQUESTED[name]
    assert with_usage_requested(body) == requesting
    assert with_usage_requested(requesting) is None


@pytest.mark.parametrize("name", UNTOUCHED)
def test_a_body_that_needs_no_option_or_is_ambiguous_is_not_changed(name: str) -> None:
    assert with_usage_requested(UNTOUCHED[name]) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.just('"stream":true,"stream_options":{'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
options = st.none() | st.dictionaries(st.sampled_from(["include_usage", "include_obfuscation"]), st.booleans())
bodies = st.fixed_dictionaries(
    {}, optional={"stream": st.booleans(), "stream_options": options, "messages": values, "é": values}
)


@given(bodies, st.sampled_from([None, 0, 2]), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_a_body_with_the_option_has_the_same_content_otherwise(
    body: dict[str, Any], indent: int | None, ascii_only: bool, order: Any
) -> None:
    members = list(body.items())
    order.shuffle(members)
    sent = json.dumps(dict(members), indent=indent, ensure_ascii=ascii_only).encode()
    requesting = with_usage_requested(sent)
    options = body.get("stream_options") or {}
    if body.get("stream") is True and options.get("include_usage") is not True:
        assert requesting is not None
        assert json.loads(requesting) == body | {"stream_options": options | {"include_usage": True}}
    else:
        assert requesting is None


USAGE = b'data: {"id":"1","choices":[],"usage":{"prompt_tokens":3,"total_tokens":3}}'
DELTA = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null}'
DELTA_LEFT = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hi"}}]}'
KEPT = [
    b"data: [DONE]",
    b": comment",
    b"event: x\ndata: 1",
    b'data: {"choices":[{"delta":{}}],"usage":{"total_tokens":9}}',
    b'data: {"choices":[],"prompt_filter_results":[]}',
    b'data: {"error":{"message":"\\"choices\\":[],\\"usage\\":{}"}}',
    b'data: {"choices":[{"delta":{"content":",\\"usage\\":null"}}]}',
    b'data: {"choices":[{"x":{"a":1,"usage":null}}],"usage":null}',
    b'data: {"choices":[],"usage":7}',
    b'data: {"choices":[],\ndata: "usage":{}}',
    b'data: {"choices":[],"usage":{"large":"' + b"x" * 70_000 + b'"}}',
    b'data: not JSON with "usage"',
    b"",
]
CHANGED = {
    USAGE: b"",
    USAGE.replace(b"data: ", b"data:").replace(b":[]", b" : [ ]"): b"",
    b": comment\n" + USAGE: b": comment",
    DELTA: DELTA_LEFT,
    DELTA.replace(b',"usage":null', b', "usage": null'): DELTA_LEFT,
    b'data: {"choices":[],"filter":[],"usage":null,"x":1}': b'data: {"choices":[],"filter":[],"x":1}',
}
EVENTS = CHANGED | dict(zip(KEPT, KEPT, strict=True))


def _removed(*chunks: bytes) -> bytes:
    removal = UsageRemoval()
    return b"".join([*map(removal.feed, chunks), removal.close()])


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("number", range(len(EVENTS)))
def test_of_an_event_only_the_usage_that_was_requested_for_us_is_stripped(number: int, line_end: bytes) -> None:
    event, left = list(EVENTS.items())[number]
    sent, got = ((text + b"\n\n").replace(b"\n", line_end) for text in (event, left))
    assert _removed(sent) == (got if left or not event else b"")


streams = st.lists(
    st.tuples(st.sampled_from([*EVENTS, USAGE, DELTA]), st.sampled_from([b"\n", b"\r\n"])), min_size=1, max_size=6
)


@given(streams, st.lists(st.integers(0, 1_000_000), max_size=12), st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_however_a_stream_is_split_the_client_gets_the_same(
    events: list[tuple[bytes, bytes]], places: list[int], missing: int
) -> None:
    sent, wanted = b"", b""
    for event, line_end in events:
        left = EVENTS[event]
        sent += (event + b"\n\n").replace(b"\n", line_end)
        wanted += (left + b"\n\n").replace(b"\n", line_end) if left or not event else b""
    edges = [0, *sorted({place % len(sent) for place in places} - {0}), len(sent)]
    assert _removed(*(sent[start:stop] for start, stop in pairwise(edges))) == _removed(sent) == wanted
    broken = sent[: len(sent) - missing]
    edges = [0, *sorted({place % len(sent) for place in places if place % len(sent) < len(broken)} - {0}), len(broken)]
    assert _removed(*(broken[start:stop] for start, stop in pairwise(edges))) == _removed(broken)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"a", USAGE, DELTA, b"data:"]), max_size=12))
@settings(max_examples=300, deadline=None)
def test_byte_by_byte_is_the_same_as_at_once_whatever_the_bytes_are(parts: list[bytes]) -> None:
    sent = b"".join(parts)
    assert _removed(*(bytes([byte]) for byte in sent)) == _removed(sent)


def test_an_event_passes_as_soon_as_it_is_whole_and_none_is_held_back_for_ever() -> None:
    removal = UsageRemoval()
    assert removal.feed(DELTA + b"\n") == b""
    assert removal.feed(b"\n" + USAGE) == DELTA_LEFT + b"\n\n"
    assert removal.feed(b"\n\ndata: [DONE]\n\n") == b"data: [DONE]\n\n"
    large = b"data: " + b"x" * 100_000
    assert len(removal.feed(large)) > 99_000
    assert removal.feed(b"\n\n" + USAGE + b"\n\n").strip(b"x") == b"\n\n"
    assert removal.close() == b""


@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n", b"\r"])
def test_a_last_event_that_no_blank_line_ended_is_judged_too(line_end: bytes) -> None:
    assert _removed(DELTA + b"\n\n" + USAGE + line_end) == DELTA_LEFT + b"\n\n"
    assert _removed(b"data: [DONE]" + line_end) == b"data: [DONE]" + line_end
