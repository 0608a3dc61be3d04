"""Responses too large to be stored whole: the usage at their end counts, or the row is truncated."""

import gzip
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import ExchangeEvent, Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.domain.exchange.capture import TAIL_BYTES, beginning_and_end
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event

PRICES = ShippedPrices()
LIMIT = 5000
LONG = 'a response, "model":"none", {"usage": {}}, ' * 10_000  # far above the limit, and quoted on the wire
USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
COST = (Decimal("0.00027"), CostState.PRICED)  # of USAGE, by gpt-4o-mini: 1000 at 0.15, 200 at 0.60 a million
CUT = (None, CostState.TRUNCATED)
REQUESTED = {"model": "gpt-4o-mini", "messages": []}


def kept(body: bytes, *, requested: Any = None, **reported: Any) -> ExchangeEvent:
    """The event of an exchange whose response was `body`, of which `LIMIT` bytes and the end were kept."""
    request = requested if isinstance(requested, bytes) else json.dumps(requested or REQUESTED).encode()
    beginning, end = beginning_and_end(body, LIMIT)
    assert len(beginning) + len(end) < len(body)
    return of_size(an_event(request_body=request, response_body=beginning, body_tail=end, **reported), len(body))


def of_size(event: ExchangeEvent, body_bytes: int) -> ExchangeEvent:
    return msgspec.structs.replace(event, response=msgspec.structs.replace(event.response, body_bytes=body_bytes))


def a_row(body: bytes, **reported: Any) -> RequestRecord:
    return to_record(kept(body, **reported), PRICES)[0]


def cost(row: RequestRecord) -> tuple[Decimal | None, CostState]:
    return row.cost_usd, row.cost_state


def chat(**more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": LONG}, "finish_reason": "stop"}
    reply = {"id": "1", "model": "gpt-4o-mini", "choices": [choice], "usage": USAGE, "service_tier": "default"}
    return json.dumps(reply | more).encode()


def stream(*last: Any, end: str = "\n\n") -> bytes:
    choice = {"index": 0, "delta": {"content": LONG[:50]}}
    delta = {"model": "gpt-4o-mini", "service_tier": "default", "choices": [choice], "usage": None}
    chunks = [delta] * 2000 + list(last)
    return b"".join(event(chunk, end) for chunk in chunks) + b"data: [DONE]\n\n"


def event(chunk: Any, end: str = "\n\n") -> bytes:
    return f"data: {json.dumps(chunk)}{end}".encode()


def lines(said: bytes) -> bytes:
    """The chunks of a stream as Helicone's client logs them."""
    return said.replace(b"data: [DONE]\n\n", b"").replace(b"data: ", b"").replace(b"\n\n", b"\n")


LAST = {"model": "gpt-4o-mini", "choices": [], "usage": USAGE}
SSE: dict[str, Any] = {"content_type": "text/event-stream"}
RESPONSE = {
    "type": "response.completed",
    "response": {
        "id": "resp_1",
        "model": "gpt-4o-mini",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": LONG}]}],
        "service_tier": "default",
        "tools": [],
        "usage": {"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200},
        "metadata": {},
    },
}
EMBEDDINGS = {
    "object": "list",
    "data": [{"object": "embedding", "index": number, "embedding": [0.25] * 1000} for number in range(40)],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 1000, "total_tokens": 1000},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-3-5-haiku-20241022",
    "content": [{"type": "text", "text": LONG}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1000, "output_tokens": 200},
}
MESSAGES = [
    {
        "type": "message_start",
        "message": MESSAGE | {"content": [], "usage": {"input_tokens": 1000, "output_tokens": 1}},
    },
    *[{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": LONG[:50]}}] * 1000,
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 200}},
]
PICTURE = {
    "candidates": [{"content": {"parts": [{"inlineData": {"data": "iVBO" * 50_000}}]}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 1000, "candidatesTokenCount": 200, "totalTokenCount": 1200,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 200}],
    },
    "modelVersion": "gemini-2.5-flash-image",
}  # fmt: skip
MISSING_PICTURE = PICTURE | {
    "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 200, "totalTokenCount": 1200}
}
IMAGE = {
    "created": 1713833628,
    "data": [{"b64_json": "iVBO" * 50_000}],
    "usage": {
        "input_tokens": 50,
        "output_tokens": 1000,
        "total_tokens": 1050,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    },
}

KNOWN: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "a plain chat": (chat(), {}, "0.00027"),
    "a plain chat, spread over lines": (json.dumps(json.loads(chat()), indent=2).encode(), {}, "0.00027"),
    "a chat stream": (stream(LAST), SSE, "0.00027"),
    "a chat stream with returns": (stream(LAST, end="\r\n\r\n"), SSE, "0.00027"),
    "a response that is told in one large event": (b"data: {}\n\n" + event(RESPONSE), SSE, "0.00027"),
    "a message stream": (b"".join(map(event, MESSAGES)), SSE | {"provider": "ANTHROPIC"}, "0.0016"),
    "the lines of a logged stream": (lines(stream(LAST)), {}, "0.00027"),
    "the lines of a logged message": (lines(b"".join(map(event, MESSAGES))), {"provider": "ANTHROPIC"}, "0.0016"),
    "a plain response": (json.dumps(RESPONSE["response"]).encode(), {}, "0.00027"),
    "embeddings, which name their model at the end": (json.dumps(EMBEDDINGS).encode(), {}, "0.00002"),
    "a message": (json.dumps(MESSAGE).encode(), {"provider": "ANTHROPIC"}, "0.0016"),
    "a picture": (json.dumps(PICTURE).encode(), {"provider": "GOOGLE"}, "0.0063"),
    "with tools that the client runs": (
        chat(),
        {"requested": REQUESTED | {"tools": [{"type": "function"}]}},
        "0.00027",
    ),
    "at a tier that is told first": (
        b'{"service_tier":"flex",%b' % chat(model="o3").replace(b', "service_tier": "default"', b"")[1:],
        {},
        "0.0018",
    ),
    "of somebody who names no tier": (chat(service_tier=None), {"provider": "CUSTOM"}, "0.00027"),
    "an image": (json.dumps(IMAGE).encode(), {"requested": {"model": "gpt-image-1.5"}}, "0.03237"),
}


LOGGED = ("the lines of a logged stream", "the lines of a logged message")


@pytest.mark.parametrize("name", KNOWN)
def test_the_counts_at_the_end_of_a_truncated_response_count(name: str) -> None:
    body, reported, usd = KNOWN[name]
    row = a_row(body, **reported)
    assert cost(row) == (Decimal(usd), CostState.PRICED)
    assert (row.usage_source, row.response_bytes) == (UsageSource.PROVIDER, len(body))


SEARCHING: dict[str, Any] = {"tools": [{"type": "web_search"}]}
UNKNOWN: dict[str, tuple[bytes, dict[str, Any]]] = {
    "compressed": (gzip.compress(chat(choices=[{"text": str(list(range(90_000)))}])), {"content_encoding": "gzip"}),
    "compressed to what nobody can read": (bytes(100_000), {"content_encoding": "br"}),
    "a plain response that broke off behind an inner object": (
        chat(choices=[{"text": LONG, "usage": USAGE}])[: -len(json.dumps({"usage": USAGE})) - 2],
        {"outcome": Outcome.UPSTREAM_ERROR},
    ),
    "a stream that broke off": (stream()[:-20], SSE | {"outcome": Outcome.UPSTREAM_ERROR}),
    "a plain response with its figures in the middle": (chat(more={"text": LONG}), {}),
    "figures in an inner object only": (chat(usage=None, more=[{"usage": USAGE}]), {}),
    "calls that are charged one by one may have been cut away": (chat(), {"requested": REQUESTED | SEARCHING}),
    "Google may have searched": (
        json.dumps(PICTURE).encode(),
        {"provider": "GOOGLE", "requested": {"tools": [{"google_search": {}}]}},
    ),
    "a picture that the figures do not tell from text": (json.dumps(MISSING_PICTURE).encode(), {"provider": "GOOGLE"}),
    "a model that searches by itself": (chat(), {"requested": REQUESTED | {"model": "openai/gpt-4o-mini:online"}}),
    "a model of several that searches by itself": (
        chat(),
        {"requested": REQUESTED | {"models": ["a/b", "a/c:online"]}},
    ),
    "settings that are kept elsewhere, as a model": (chat(), {"requested": REQUESTED | {"model": "@preset/mine"}}),
    "settings that are kept elsewhere": (chat(), {"requested": REQUESTED | {"preset": "mine"}}),
    "a search that was asked for beside the tools": (
        chat(),
        {"requested": REQUESTED | {"web_search_options": {}}, "provider": "OPENROUTER"},
    ),
    "what was kept of the beginning shows a search": (
        chat().replace(b'{"id"', b'{"a":[{"type":"url_citation"}],"id"', 1),
        {"provider": "OPENROUTER"},
    ),
    "what was kept of the end shows tools": (chat(x={"executed_tools": []}), {"provider": "CUSTOM"}),
    "the service tier was cut away": (chat(service_tier=None), {}),
    "the service tier of a response was cut away": (
        json.dumps({"model": "m", "output": LONG, "service_tier": "priority", "text": LONG, "usage": USAGE}).encode(),
        {},
    ),
    "a question that cannot be read": (chat(), {"requested": b"not JSON"}),
    "binary frames": (b"\0\0\1\0\0\0\0\0" + bytes(100_000), {"content_type": "application/vnd.amazon.eventstream"}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_truncated_response_whose_cost_cannot_be_known_says_that_it_was_cut(name: str) -> None:
    body, reported = UNKNOWN[name]
    assert cost(a_row(body, **reported)) == CUT


def test_what_another_model_used_that_drew_for_an_image_is_not_lost_with_what_was_cut() -> None:
    usage = IMAGE["usage"]
    body = {"data": IMAGE["data"], "svg_usage": {"model": "m", "output_tokens": 9}, "usage": usage}
    row = a_row(json.dumps(body).encode(), requested={"model": "gpt-image-1.5"})
    assert cost(row) == (None, CostState.PARTIAL)


def test_a_response_of_which_nothing_could_be_kept_says_so_too() -> None:
    lost = of_size(an_event(response_body=b""), 5000)
    assert cost(to_record(lost, PRICES)[0]) == CUT


@pytest.mark.parametrize(
    ("reported", "state"),
    [
        ({"status": 500, "outcome": Outcome.PROVIDER_ERROR}, CostState.FREE),
        ({"content_type": "audio/mpeg"}, CostState.NO_USAGE),
    ],
)
def test_what_reports_no_usage_anyway_was_not_cut_because_of_it(reported: dict[str, Any], state: CostState) -> None:
    assert a_row(b"\xff" * 100_000, **reported).cost_state is state


@given(beginning=st.integers(0, LIMIT), end=st.integers(0, TAIL_BYTES))
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("name", ["a plain chat", "a chat stream", "a message stream", *LOGGED, "a plain response"])
def test_wherever_a_response_is_cut_its_cost_is_right_or_unknown(name: str, beginning: int, end: int) -> None:
    body, reported, usd = KNOWN[name]
    cut = an_event(
        response_body=body[:beginning],
        body_tail=body[len(body) - end :],
        **reported,
    )
    assert cost(to_record(of_size(cut, len(body)), PRICES)[0]) in ((Decimal(usd), CostState.PRICED), CUT)


def test_a_response_that_is_just_too_large_is_kept_whole_after_all() -> None:
    body = gzip.compress(chat(), 0)
    beginning, end = beginning_and_end(body, len(body) - TAIL_BYTES)
    joined = of_size(an_event(response_body=beginning, body_tail=end, content_encoding="gzip"), len(body))
    row, bodies = to_record(joined, PRICES)
    assert cost(row) == COST
    assert bodies is not None
    assert bodies.response_body == chat().decode()


IMAGE_IN_BASE64 = "aGk" * 100_000
IMAGE_TOOL = {"type": "image_generation", "model": "gpt-image-2", "output_format": "png"}
DRAWN = {"input_tokens": 40, "output_tokens": 1056, "total_tokens": 1096}


def drawn(tool_usage: Any, tool: dict[str, Any]) -> dict[str, Any]:
    """A response that holds a picture before all that it says of it."""
    return {
        "id": "resp_1",
        "model": "gpt-5",
        "output": [{"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": IMAGE_IN_BASE64}],
        "service_tier": "default",
        "tool_usage": tool_usage,
        "tools": [tool],
        "usage": {"input_tokens": 500, "output_tokens": 90, "total_tokens": 590},
    }


COUNTED = {"image_gen": DRAWN, "web_search": {"num_requests": 0}}
TOGETHER = (Decimal("0.033405"), CostState.PRICED)  # 0.001525 of gpt-5, and 0.03188 of gpt-image-2


@pytest.mark.parametrize(
    ("tool_usage", "tool", "also", "expected"),
    [
        (COUNTED, IMAGE_TOOL, [], TOGETHER),
        (COUNTED, IMAGE_TOOL, [{"type": "web_search"}], TOGETHER),
        (COUNTED, IMAGE_TOOL, [{"type": "file_search"}], CUT),  # its calls are counted nowhere
        (COUNTED, IMAGE_TOOL | {"output_format": "svg"}, [], CUT),  # who wrote it is said in the picture's item
        ({"image_gen": DRAWN | dict.fromkeys(DRAWN, 0)}, IMAGE_TOOL, [], CUT),  # or it was not recorded
        (None, IMAGE_TOOL, [], CUT),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_was_drawn_is_known_although_the_picture_was_too_large_to_be_stored(
    tool_usage: Any, tool: dict[str, Any], also: list[dict[str, Any]], expected: object, streamed: bool
) -> None:
    reply = drawn(tool_usage, tool)
    body = json.dumps(reply).encode()
    if streamed:
        created = {"type": "response.created", "response": reply | {"output": [], "usage": None, "tool_usage": None}}
        last = {"type": "response.completed", "response": reply}
        body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in (created, last))
    assert cost(a_row(body, requested={"model": "gpt-5", "tools": [tool, *also]})) == expected
