"""What is billed beside plain tokens: counts that stand apart in a response, and facts that only requests state."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.event import ExchangeEvent, Outcome, RequestTags
from schemas.price import CostState, Price
from schemas.record import RequestRecord
from schemas.usage import USAGE_CLASSES, Usage, UsageSource
from services.domain.enrich import to_record
from services.domain.omission import without_bodies
from services.domain.pricing.charge import charge
from services.domain.pricing.price_input import GivenPrices, price_field, terms_of
from services.domain.usage.parse import parse_response
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event

PRICES = ShippedPrices()
TIMESTAMP = datetime(2026, 11, 1, 12, tzinfo=UTC)


def _event(provider: str, requested: dict[str, Any], reply: dict[str, Any] | bytes, **more: Any) -> ExchangeEvent:
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    request = json.dumps(requested).encode()
    return an_event(provider=provider, created_at=TIMESTAMP, request_body=request, **({"response_body": body} | more))


def _row(event: ExchangeEvent) -> RequestRecord:
    return to_record(event, PRICES)[0]


def _truncated_request(event: ExchangeEvent) -> ExchangeEvent:
    request = event.request
    return msgspec.structs.replace(
        event, request=msgspec.structs.replace(request, body=request.body[:-9], body_bytes=len(request.body))
    )


def _used(reply: dict[str, Any], provider: str = "OPENAI") -> Usage:
    usage = parse_response(json.dumps(reply).encode(), provider).usage
    assert usage is not None
    return usage


# Searches that OpenAI counts

CALLED = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
TOKENS = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 5, "total_tokens": 14}


@pytest.mark.parametrize(
    ("tool_usage", "searches"),
    [
        ({"tool_usage": {"web_search": {"num_requests": 3}}}, 3),
        ({"tool_usage": {"web_search": {"num_requests": 0}}}, 0),
        ({"tool_usage": {"image_gen": {"total_tokens": 0}}}, 1),
        ({"tool_usage": {}}, 1),
        ({"tool_usage": None}, 1),
        ({}, 1),
    ],
)
def test_openais_count_of_billable_searches_comes_before_the_calls_that_are_listed(
    tool_usage: dict[str, Any], searches: int
) -> None:
    reply = {"model": "gpt-5", "output": [CALLED], "usage": TOKENS} | tool_usage
    assert _used(reply).web_searches == searches
    last = {"type": "response.completed", "response": reply}
    parsed = parse_response(b"data: " + json.dumps(last).encode() + b"\n\n", "OPENAI")
    assert (parsed.usage, parsed.complete, parsed.final) == (_used(reply), True, True)


def test_a_count_of_searches_that_is_none_leaves_the_cost_unknown() -> None:
    reply = {
        "model": "gpt-5",
        "output": [CALLED],
        "usage": TOKENS,
        "tool_usage": {"web_search": {"num_requests": "3"}},
    }
    assert not parse_response(json.dumps(reply).encode(), "OPENAI").complete


def test_what_tools_used_is_kept_beside_the_usage_even_without_bodies() -> None:
    image = {"input_tokens": 40, "output_tokens": 1056, "total_tokens": 1096}
    drawn = {"image_gen": image, "web_search": {"num_requests": 1}}
    reply = {"model": "gpt-5", "output": [CALLED], "usage": TOKENS, "tool_usage": drawn}
    for tags in (RequestTags(), RequestTags(omit_response=True)):
        row = _row(without_bodies(_event("OPENAI", {}, reply, tags=tags)))
        assert json.loads(row.provider_usage) == TOKENS | {"tool_usage": drawn}
        assert (row.web_searches, row.completion_image_tokens, row.cost_state) == (1, 1056, CostState.PARTIAL)


# Cache writes by lifetime


def _writes(**details: Any) -> dict[str, Any]:
    inside = {"cached_tokens": 0, "cache_write_tokens": 1000} | details
    return {
        "model": "gpt-5.6-sol",
        "service_tier": "default",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1010, "completion_tokens": 5, "prompt_tokens_details": inside},
    }


@pytest.mark.parametrize("ttl", [None, "30m"])
def test_openais_unsplit_cache_writes_have_the_listed_price_unless_the_request_wants_them_kept(
    ttl: str | None,
) -> None:
    row = _row(
        _event("OPENAI", {"model": "gpt-5.6-sol", "prompt_cache_options": {"ttl": ttl} if ttl else {}}, _writes())
    )
    assert row.cost_usd == 10 * Decimal("0.000004") + 1000 * Decimal("0.000005") + 5 * Decimal("0.00002")


def test_cache_writes_of_twelve_hours_have_no_price_until_an_operator_adds_one() -> None:
    event = _event("OPENAI", {"model": "gpt-5.6-sol", "prompt_cache_options": {"ttl": "12h"}}, _writes())
    row = _row(event)
    assert (row.prompt_cache_write_5m_tokens, row.prompt_cache_write_12h_tokens) == (0, 1000)
    assert (row.cost_state, row.usage_incomplete) == (CostState.PARTIAL, False)


def test_a_request_that_cannot_be_read_leaves_the_lifetime_of_cache_writes_open() -> None:
    event = _event("OPENAI", {"model": "gpt-5.6-sol", "prompt_cache_options": {"ttl": "12h"}}, _writes())
    assert _row(_truncated_request(event)).usage_incomplete
    split = _writes(cache_write_tokens_details={"ttl_30m_tokens": 1000, "ttl_12h_tokens": 0})
    assert _row(_truncated_request(_event("OPENAI", {"model": "gpt-5.6-sol"}, split))).cost_state is CostState.PRICED


def test_cache_writes_that_are_listed_by_lifetime_alone_are_counted() -> None:
    lifetimes = {"ttl_30m_tokens": 700, "ttl_12h_tokens": 300}
    row = _row(
        _event("OPENAI", {"model": "gpt-5.6-sol"}, _writes(cache_write_tokens=0, cache_write_tokens_details=lifetimes))
    )
    assert (row.prompt_tokens, row.prompt_cache_write_5m_tokens, row.prompt_cache_write_12h_tokens) == (10, 700, 300)


def test_lifetimes_that_do_not_add_up_are_inconsistent() -> None:
    split = _writes(cache_write_tokens_details={"ttl_30m_tokens": 400, "ttl_12h_tokens": 0})
    assert not parse_response(json.dumps(split).encode(), "OPENAI").consistent


# Speech and audio


SPEECH = {"model": "tts-1", "input": "The lynx sleeps.", "voice": "alloy"}
AUDIO: dict[str, Any] = {"content_type": "audio/mpeg", "target_url": "https://api.openai.com/v1/audio/speech"}


def test_a_text_that_is_spoken_is_billed_by_its_characters() -> None:
    row = _row(_event("OPENAI", SPEECH, b"ID3", **AUDIO))
    assert (row.prompt_characters, row.usage_source, row.cost_usd) == (
        16,
        UsageSource.REQUEST,
        16 * Decimal("0.000015"),
    )
    arabic = SPEECH | {"model": "canopylabs/orpheus-arabic-saudi"}
    assert _row(_event("GROQ", arabic, b"RIFF", **AUDIO | {"content_type": "audio/wav"})).cost_usd == 16 * Decimal(
        "4e-5"
    )


@pytest.mark.parametrize(
    ("requested", "more", "state"),
    [
        ({"model": "gpt-4o-mini-tts"}, {}, CostState.NO_USAGE),
        ({"input": ["one", "two"]}, {}, CostState.NO_USAGE),
        ({}, {"outcome": Outcome.CLIENT_DISCONNECTED}, CostState.NO_USAGE),
        ({}, {"status": 400, "outcome": Outcome.PROVIDER_ERROR, "content_type": "application/json"}, CostState.FREE),
        ({}, {"content_type": "application/json"}, CostState.NO_USAGE),
    ],
)
def test_speech_that_is_not_billed_by_characters_or_did_not_end_has_none(
    requested: dict[str, Any], more: dict[str, Any], state: CostState
) -> None:
    row = _row(_event("OPENAI", SPEECH | requested, b"{}", **AUDIO | more))
    assert (row.prompt_characters, row.cost_state) == (0, state)


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [(9, 9000), (9.0, 9000), (9.25, 9250), (8.470000267028809, 8470), (0.0005, 1), (0.1, 100)],
)
def test_audio_is_counted_in_milliseconds(seconds: float, milliseconds: int) -> None:
    assert _used({"usage": {"type": "duration", "seconds": seconds}}) == Usage(prompt_audio_ms=milliseconds)
    assert _used({"usage": {"prompt_tokens": 3, "prompt_audio_seconds": seconds}}).prompt_audio_ms == milliseconds


@pytest.mark.parametrize("seconds", [-1, -0.5, 1e300, 2**31, "9", True])
def test_implausible_lengths_of_audio_are_no_usage(seconds: object) -> None:
    body = json.dumps({"usage": {"type": "duration", "seconds": seconds}}).encode()
    assert parse_response(body, "OPENAI").usage is None


@pytest.mark.parametrize(("seconds", "milliseconds"), [(3.5, 3_500), (61.25, 61_250), ("61", None), (True, None)])
def test_groq_bills_the_duration_of_a_verbose_transcription(seconds: object, milliseconds: int | None) -> None:
    reply = {"task": "transcribe", "language": "English", "duration": seconds, "text": "Hi.", "x_groq": {"id": "r"}}
    groq, other = (parse_response(json.dumps(reply).encode(), provider) for provider in ("GROQ", "OPENAI"))
    assert (groq.usage and groq.usage.prompt_audio_ms) == milliseconds
    assert other.usage is None


# Documents


DOCUMENT = {
    "pages": [{"index": 0, "markdown": "# " + "lynx " * 4000, "images": []}],
    "model": "mistral-ocr-2512",
    "document_annotation": None,
    "usage_info": {"pages_processed": 12, "doc_size_bytes": 3002783},
}
OCR: dict[str, Any] = {"target_url": "https://api.mistral.ai/v1/ocr"}


@pytest.mark.parametrize(
    ("requested", "plain", "annotated"),
    [
        ({}, 12, 0),
        ({"document_annotation_format": None, "bbox_annotation_format": None}, 12, 0),
        ({"bbox_annotation_format": {"type": "json_schema"}}, 0, 12),
        ({"document_annotation_format": {"type": "json_schema"}}, 0, 12),
    ],
)
def test_pages_are_billed_as_annotated_where_the_request_wants_annotations(
    requested: dict[str, Any], plain: int, annotated: int
) -> None:
    row = _row(_event("MISTRAL", {"model": "mistral-ocr-2512"} | requested, DOCUMENT, **OCR))
    assert (row.document_pages, row.annotated_pages) == (plain, annotated)
    assert row.cost_usd == plain * Decimal("0.002") + annotated * Decimal("0.003")


def test_pages_that_may_be_annotated_have_no_known_cost() -> None:
    requested = {"model": "mistral-ocr-2512", "document": {"document_url": "x" * 50}}
    row = _row(_truncated_request(_event("MISTRAL", requested, DOCUMENT, **OCR)))
    assert (row.document_pages, row.cost_state, row.usage_incomplete) == (12, CostState.PARTIAL, True)


def test_the_pages_of_a_response_of_which_only_both_ends_were_stored_count() -> None:
    body = json.dumps(DOCUMENT).encode()
    stored = {"response_body": body[:8000], "body_tail": body[-2000:]}
    event = _event("MISTRAL", {"model": "mistral-ocr-2512"}, b"", **OCR | stored)
    event = msgspec.structs.replace(event, response=msgspec.structs.replace(event.response, body_bytes=len(body)))
    row = _row(event)
    assert (row.model, row.document_pages, row.cost_state) == ("mistral-ocr-2512", 12, CostState.PRICED)


# Turns of one request


def _turn(kind: str, **counts: Any) -> dict[str, Any]:
    return {"type": kind, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0} | counts


def _claude(*turns: dict[str, Any], **usage: Any) -> dict[str, Any]:
    return {"type": "message", "model": "claude-opus-4-8", "usage": usage | {"iterations": list(turns)}}


SUMMARY = _turn("compaction", input_tokens=900, output_tokens=30, cache_creation_input_tokens=50)
REPLY = _turn("message", input_tokens=100, output_tokens=10)
BESIDE = {"input_tokens": 100, "output_tokens": 10}
ALL = Usage(prompt_tokens=1000, prompt_cache_write_5m_tokens=50, completion_tokens=40)


@pytest.mark.parametrize(
    ("reply", "used", "complete"),
    [
        (_claude(SUMMARY, REPLY, input_tokens=100, output_tokens=10), ALL, True),
        (_claude(SUMMARY, REPLY, input_tokens=0, output_tokens=0), ALL, True),  # compacted on demand
        (_claude(REPLY, input_tokens=200, output_tokens=20), Usage(prompt_tokens=200, completion_tokens=20), True),
        (
            _claude(
                _turn("advisor_message", model="claude-opus-4-8-20260416", input_tokens=7, output_tokens=3),
                REPLY,
                **BESIDE,
            ),
            Usage(prompt_tokens=107, completion_tokens=13),
            True,
        ),
        (
            _claude(
                _turn("advisor_message", model="claude-haiku-4-5", input_tokens=7, output_tokens=3), REPLY, **BESIDE
            ),
            Usage(prompt_tokens=100, completion_tokens=10),
            True,
        ),
        (
            _claude(
                _turn("message", model="claude-haiku-4-5", input_tokens=7, output_tokens=3),
                _turn("fallback_message", model="claude-opus-4-8", input_tokens=100, output_tokens=10),
                input_tokens=100,
                output_tokens=10,
            ),
            Usage(prompt_tokens=100, completion_tokens=10),
            False,
        ),
    ],
)
def test_the_tokens_of_all_turns_are_those_that_were_used(reply: dict[str, Any], used: Usage, complete: bool) -> None:
    parsed = parse_response(json.dumps(reply).encode(), "ANTHROPIC")
    assert (parsed.usage, parsed.complete, parsed.consistent) == (used, complete, True)


def test_turns_of_an_unknown_kind_leave_the_cost_unknown() -> None:
    reply = _claude(REPLY, _turn("dream", input_tokens=7, output_tokens=3), **BESIDE)
    assert not parse_response(json.dumps(reply).encode(), "ANTHROPIC").complete


def test_turns_that_add_up_to_more_than_any_request_uses_are_no_usage() -> None:
    for name in ("input_tokens", "output_tokens", "cache_creation_input_tokens"):
        huge = _turn("compaction") | {name: 2**31 - 1}
        reply = _claude(huge, huge, **BESIDE)
        assert parse_response(json.dumps(reply).encode(), "ANTHROPIC").usage is None


def test_the_turns_of_a_stream_stand_at_its_end() -> None:
    start = {"type": "message_start", "message": {"model": "claude-opus-4-8", "usage": {"input_tokens": 100}}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
           "usage": {"input_tokens": 100, "output_tokens": 10, "iterations": [SUMMARY, REPLY]}}  # fmt: skip
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in (start, end))
    assert parse_response(body, "ANTHROPIC").usage == ALL


@pytest.mark.parametrize(("compacted", "state"), [(120_000, CostState.PARTIAL), (20_000, CostState.PRICED)])
def test_turns_of_which_only_all_together_exceed_a_threshold_have_no_known_cost(
    compacted: int, state: CostState
) -> None:
    turns = [_turn(kind, input_tokens=compacted, output_tokens=9) for kind in ("compaction", "message")]
    reply = _claude(*turns, input_tokens=compacted, output_tokens=9) | {"model": "claude-sonnet-4-5"}
    row = _row(_event("ANTHROPIC", {}, reply))
    assert (row.prompt_tokens, row.cost_state, row.usage_incomplete) == (2 * compacted, state, state != "priced")
    opus = _row(_event("ANTHROPIC", {}, reply | {"model": "claude-opus-4-8"}))  # one price for all prompts
    assert opus.cost_state is CostState.PRICED


# Google


def _gemini(usage: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15} | usage
    return {"candidates": [{"finishReason": "STOP"} | candidate], "usageMetadata": usage, "modelVersion": "m"}


@pytest.mark.parametrize(
    ("found", "complete"),
    [
        ({"retrievedContext": {"fileSearchStore": "fileSearchStores/one"}}, True),
        ({"retrievedContext": {"uri": "gs://bucket/one.pdf"}}, False),  # a store of Vertex
        ({"web": {"uri": "https://example.org"}}, True),
        ({"maps": {"uri": "https://example.org"}}, False),
    ],
)
def test_only_what_was_found_in_geminis_own_stores_or_on_the_web_leaves_the_cost_known(
    found: dict[str, Any], complete: bool
) -> None:
    reply = _gemini({}, groundingMetadata={"groundingChunks": [found]})
    assert parse_response(json.dumps(reply).encode(), "GOOGLE").complete is complete


def test_a_total_that_is_too_large_is_of_thoughts_at_googles_compatible_endpoint_only() -> None:
    reply = {"model": "m", "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}}
    google, other = (parse_response(json.dumps(reply).encode(), provider) for provider in ("GOOGLE", "OPENAI"))
    assert google.usage == Usage(prompt_tokens=10, completion_tokens=5, reasoning_tokens=25)
    assert (google.consistent, other.consistent) == (True, False)


def test_a_model_of_speech_returns_nothing_but_audio_even_if_it_is_not_listed_so() -> None:
    media = {"content": {"parts": [{"inlineData": {"mimeType": "audio/L16", "data": "aGk="}}]}}
    speech = _gemini({}, **media) | {"modelVersion": "gemini-2.5-flash-preview-tts"}
    row = _row(_event("GOOGLE", {}, speech))
    assert row.cost_usd == 10 * Decimal("0.0000005") + 5 * Decimal("0.00001")
    assert not parse_response(json.dumps(_gemini({}, **media)).encode(), "GOOGLE").complete


@pytest.mark.parametrize("name", ["models/gemini-2.5-flash", "gemini-2.5-flash"])
def test_the_prefix_of_a_resource_is_no_part_of_a_models_name(name: str) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    for requested, responded in (({"model": name}, {}), ({}, {"model": name})):
        row = _row(_event("GOOGLE", requested, {**responded, "usage": usage}))
        assert (row.model, row.cost_state) == ("gemini-2.5-flash", CostState.PRICED)


# Advice that works: whatever has a class and no price can be given one


@pytest.mark.parametrize("used", USAGE_CLASSES)
def test_an_operators_price_of_a_class_makes_its_cost_known(used: str) -> None:
    field = price_field(used)
    usd = {"usd_per_million_tokens": Decimal("0.008"), "usd_per_hour": Decimal("0.002222222222"), "usd_per_unit": 8000}
    given = msgspec.structs.replace(GivenPrices(usd_per_million_tokens={}), **{field: {used: Decimal(8)}})
    terms = terms_of(given, model="m", valid_from=TIMESTAMP)
    price = Price(id="one", provider="", model="m", valid_from=TIMESTAMP, source="operator", rates=terms.rates)
    assert charge(Usage(**{used: 1000}), price).cost_usd == usd[field]
