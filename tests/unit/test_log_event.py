"""Logged calls -> events: what is parsed of them, what is refused and how, and what they cost."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import InvalidRequest
from schemas.event import ExchangeEvent, Outcome
from schemas.price import CostState
from schemas.record import RequestRecord
from services.domain.enrich import to_record
from services.domain.exchange.headers import Pair
from services.domain.logging_api.event import LOG_PATHS, LoggedBy, parse_log_steps, result_of
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.logged_calls import CHAT, CHUNKS, MESSAGE, STARTED_S, a_log, as_events, as_lines
from tests.builders.records import ORGANIZATION, REQUEST_ID, TIMESTAMP

PRICES = ShippedPrices()
NOW = TIMESTAMP + timedelta(minutes=5)
DRAWN = "01932c07-2a00-7000-8000-00000000d4a1"


def read(
    log: dict[str, Any] | bytes, *labels: Pair, provider: str = "OPENAI", capture_bytes: int = 2**20
) -> ExchangeEvent:
    payload = log if isinstance(log, bytes) else json.dumps(log).encode()
    by = LoggedBy(organization_id=ORGANIZATION, key_id="key-1", provider=provider, helicone_headers=labels)
    return result_of(parse_log_steps(payload, by, drawn_id=DRAWN, now=NOW, capture_bytes=capture_bytes))


def row(log: dict[str, Any], *, provider: str = "OPENAI") -> RequestRecord:
    return to_record(read(log, provider=provider), PRICES)[0]


# Identity


def test_a_log_becomes_the_event_that_the_proxy_would_have_made() -> None:
    event = read(a_log(url="https://api.openai.com/v1/chat/completions"))
    assert (event.request.organization_id, event.request.request_id) == (ORGANIZATION, DRAWN)
    assert (event.request.created_at, event.request.provider, event.request.method) == (TIMESTAMP, "OPENAI", "POST")
    assert event.request.target_url == "https://api.openai.com/v1/chat/completions"
    assert json.loads(event.request.body)["model"] == "gpt-4o-mini"
    assert (event.response.outcome, event.response.status) == (Outcome.COMPLETED, 200)
    assert (event.response.latency_ms, event.response.first_byte_ms) == (850, None)
    assert json.loads(event.response.body) == CHAT
    assert event.response.content_type == "application/json"
    assert event.recorded_at == NOW, "prices that became known before it was logged count"


def test_a_call_that_names_its_id_keeps_it_and_the_real_header_wins() -> None:
    other = "01932c07-2a00-7000-8000-00000000aaaa"
    assert read(a_log(meta={"Helicone-Request-Id": REQUEST_ID})).request.request_id == REQUEST_ID
    both = read(a_log(meta={"Helicone-Request-Id": other}), (b"helicone-request-id", REQUEST_ID.encode()))
    assert both.request.request_id == REQUEST_ID
    assert read(a_log(meta={"Helicone-Request-Id": "seventeen"})).request.request_id == DRAWN


@pytest.mark.parametrize(
    "reported",
    [
        {"seconds": STARTED_S, "milliseconds": 123},
        {"seconds": STARTED_S, "milliseconds": 123.4},
        {"seconds": STARTED_S + 0.123},
        STARTED_S + 0.123,
        STARTED_S * 1000 + 123,
        f"{STARTED_S}.123",
        f"{STARTED_S}123",
        "2026-11-01T12:00:00.123Z",
        "2026-11-01T12:00:00.123999",
        "2026-11-01T13:30:00.123+01:30",
    ],
)
def test_a_timestamp_may_be_written_in_many_ways(reported: Any) -> None:
    event = read(a_log(started=reported, ended="2026-11-01T12:00:01Z"))
    assert event.request.created_at == TIMESTAMP
    assert event.request.created_at.utcoffset() == timedelta(0)
    assert event.response.latency_ms == 877


@pytest.mark.parametrize(
    ("started", "ended"),
    [(STARTED_S, STARTED_S), (STARTED_S + 0.002, STARTED_S + 0.001), (STARTED_S + 59, STARTED_S)],
)
def test_a_clock_that_was_set_back_during_a_call_gives_no_latency(started: Any, ended: Any) -> None:
    assert read(a_log(started=started, ended=ended)).response.latency_ms == 0


# Refusals


def without(log: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = log
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return log


REFUSED: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "nothing": (b"", "not a logged call"),
    "no JSON": (b"hello", "not a logged call"),
    "an array": (b"[]", "Expected `object`, got `array`"),
    "no request": (without(a_log(), "providerRequest"), "providerRequest"),
    "no response": (without(a_log(), "providerResponse"), "providerResponse"),
    "no status": (without(a_log(), "providerResponse", "status"), "status"),
    "no timing": (without(a_log(), "timing"), "timing"),
    "no end": (without(a_log(), "timing", "endTime"), "endTime"),
    "a status that is a text": (a_log(status="ok"), "$.providerResponse.status"),
    "no HTTP status": (a_log(status=42), "providerResponse.status"),
    "an unknown outcome": (a_log(status=-7), "providerResponse.status"),
    "a start that is true": (a_log(started=True), "$.timing.startTime"),
    "a start that is no timestamp": (a_log(started="yesterday"), "timing.startTime"),
    "a start before all clocks": (a_log(started="0001-01-01T00:00:00+23:00"), "timing.startTime"),
    "milliseconds since the process began": (a_log(started={"seconds": 12, "milliseconds": 5}), "timing.startTime"),
    "milliseconds as seconds": (a_log(started={"seconds": STARTED_S * 1000, "milliseconds": 0}), "timing.startTime"),
    "nanoseconds": (a_log(started=STARTED_S * 10**9), "timing.startTime"),
    "endless seconds": (a_log(started={"seconds": 1e308, "milliseconds": 1e308}), "timing.startTime"),
    "a start the day after tomorrow": (a_log(started="2026-11-03T12:00:00Z"), "timing.startTime"),
    "an end long before the start": (a_log(ended=STARTED_S - 3600), "timing.endTime"),
    "an end a year after the start": (a_log(ended="2027-11-01"), "timing.endTime"),
    "an end that is no timestamp": (a_log(ended=""), "timing.endTime"),
    "a first token before the start": (a_log(first_token_ms=-1), "timing.timeToFirstToken"),
    "a first token after a year": (a_log(first_token_ms=3e10), "timing.timeToFirstToken"),
    "a url that is a number": (a_log() | {"providerRequest": {"url": 3}}, "$.providerRequest.url"),
    "a url that is none": (a_log(url="https://[half/v1"), "providerRequest.url"),
    "a header that is a list": (a_log(meta={"Helicone-User-Id": ["a"]}), "providerRequest.meta.Helicone-User-Id"),
    "headers without end": (a_log(meta={"Helicone-Property-A": "x" * 40_000}), "providerRequest.meta"),
    "a provider that is no name": (a_log(provider="<script>"), "provider"),
    "a text that is a list": (a_log(text=["a"]), "$.providerResponse.textBody"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_call_is_refused_by_name(name: str) -> None:
    log, culprit = REFUSED[name]
    with pytest.raises(InvalidRequest) as refused:
        read(log)
    assert culprit in str(refused.value)


@pytest.mark.parametrize("cost", [-0.01, 1e9])
def test_a_cost_that_cannot_be_is_refused(cost: float) -> None:
    log = a_log()
    log["providerResponse"]["cost"] = cost
    with pytest.raises(InvalidRequest, match=r"providerResponse\.cost"):
        read(log)


def test_too_deep_a_payload_is_refused() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    log = json.dumps(a_log(response={"x": "HERE"})).encode().replace(b'"HERE"', deep)
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        read(log)


def test_too_deep_a_response_inside_a_text_is_kept_and_is_no_step() -> None:
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    event = read(a_log(text=deep))
    assert (event.response.body, event.request.step) == (deep.encode(), "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLACES = ["providerRequest", "providerResponse", "timing", "provider"]
PLACES += ["url", "json", "meta", "status", "textBody", "cost", "startTime", "endTime", "timeToFirstToken"]


@given(st.dictionaries(st.sampled_from(PLACES), JSON, max_size=3), st.integers(0, 2**20))
@settings(max_examples=300, deadline=None)
@example({"json": {"_type": "tool", "toolName": 3}}, 0)
@example({"textBody": "\udcff"}, 0)
def test_any_payload_is_an_event_or_is_refused_and_gives_a_row_each_time_the_same(
    changes: dict[str, Any], capture_bytes: int
) -> None:
    log = a_log()
    for inner in (log, log["providerRequest"], log["providerResponse"], log["timing"]):
        inner.update({name: value for name, value in changes.items() if name in inner or name in ("cost", "textBody")})
    try:
        event = read(log, capture_bytes=capture_bytes)
    except InvalidRequest:
        return
    assert event == read(log, capture_bytes=capture_bytes)
    assert event.request.created_at.microsecond % 1000 == 0
    assert max(len(event.request.body), len(event.response.body)) <= capture_bytes
    to_record(event, PRICES)


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_in_words(payload: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(payload)


# Who and what


def test_the_meta_of_the_payload_is_read_as_headers_and_real_headers_win() -> None:
    meta = {
        "Helicone-Auth": "Bearer sk-canary-in-meta",
        "Helicone-User-Id": "from-meta",
        "helicone-property-usertier": "from-meta",
        "Helicone-Property-Attempt": 3,
        "Helicone-Property-Nothing": None,
        "Helicone-Session-Id": "s-1",
        "Helicone-Omit-Request": True,
        "user_api_key": "sk-canary-of-litellm",
        "headers": {"authorization": "sk-canary-of-litellm"},
    }
    headers = [(b"Helicone-Property-UserTier", b"premium"), (b"Helicone-User-Id", b"from-header")]
    tags = read(a_log(meta=meta), *headers).request.tags
    assert (tags.user_id, tags.session_id, tags.omit_request) == ("from-header", "s-1", True)
    assert tags.properties == {"UserTier": "premium", "Attempt": "3"}
    assert "canary" not in repr(read(a_log(meta=meta), *headers))


def test_names_in_snake_case_are_read_as_headers_too() -> None:
    tags = read(a_log(meta={"helicone_user_id": "u-1", "helicone_property_user_tier": "free"})).request.tags
    assert (tags.user_id, tags.properties) == ("u-1", {"user_tier": "free"})


@pytest.mark.parametrize(
    ("route", "reported", "provider"),
    [
        ("/custom/v1/log", None, "CUSTOM"),
        ("/oai/v1/log", None, "OPENAI"),
        ("/anthropic/v1/log", "", "ANTHROPIC"),
        ("/googleapis/v1/log", None, "GOOGLE"),
        ("/v1/trace/custom/v1/log", None, "OPENAI"),
        ("/v1/trace/custom/log", "groq", "GROQ"),
        ("/custom/v1/log", "My own.LLM", "MY OWN.LLM"),
    ],
)
def test_the_path_names_the_provider_unless_the_payload_does(route: str, reported: str | None, provider: str) -> None:
    assert read(a_log(provider=reported), provider=LOG_PATHS[route]).request.provider == provider


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("custom-model-nopath", "custom-model-nopath"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://me:sk-canary@example.org:8443/v1/x?key=sk-canary#sk-canary", "https://example.org:8443/v1/x"),
        ("/v1/chat/completions?key=sk-canary", "/v1/chat/completions"),
        ("me:sk-canary@example.org/v1/x", "example.org/v1/x"),
        ("https:me:sk-canary@example.org/v1/x", "example.org/v1/x"),
        (r"https:\\me:sk-canary@example.org/v1/x", "example.org/v1/x"),
        ("/me:sk-canary@example.org/v1/x", "example.org/v1/x"),
        ("https://example.org/v1/x;key=sk-canary", "https://example.org/v1/x"),
        ("https://example.org/v1/x%3Fkey=sk-canary", "https://example.org/v1/x"),
        ("https://example.org/v1/x%3fkey=sk-canary", "https://example.org/v1/x"),
        (
            "https://example.org/v1/models/claude@20240620:rawPredict",
            "https://example.org/v1/models/claude@20240620:rawPredict",
        ),
        ("/v1/models/claude@20240620:rawPredict", "/v1/models/claude@20240620:rawPredict"),
        ("", ""),
    ],
)
def test_the_url_is_kept_without_what_may_hold_keys(url: str, kept: str) -> None:
    assert read(a_log(url=url)).request.target_url == kept


@pytest.mark.parametrize(
    ("status", "outcome", "kept"),
    [
        (200, Outcome.COMPLETED, 200),
        (302, Outcome.COMPLETED, 302),
        (429, Outcome.PROVIDER_ERROR, 429),
        (500, Outcome.PROVIDER_ERROR, 500),
        (-3, Outcome.CLIENT_DISCONNECTED, -3),
        (-2, Outcome.TIMED_OUT, -2),
    ],
)
def test_the_status_shows_how_the_call_ended(status: int, outcome: Outcome, kept: int) -> None:
    kept_row = row(a_log(status=status, response={"id": "x"}))
    assert (kept_row.outcome, kept_row.status) == (outcome, kept)


# Bodies


def test_both_bodies_are_kept_as_written() -> None:
    payload = json.dumps(a_log()).replace('"Hello!"', '"H\\u00e9llo" ').encode()
    event = read(payload)
    assert b'"H\\u00e9llo" ' in event.response.body


@pytest.mark.parametrize(
    ("text", "content_type"),
    [(as_events(CHUNKS), "text/event-stream"), (as_lines(CHUNKS), "text/plain"), ("so be it", "text/plain")],
)
def test_a_text_is_the_response_whatever_json_holds(text: str, content_type: str) -> None:
    event = read(a_log(text=text, response={"_type": "unknown"}, first_token_ms=119.6))
    assert (event.response.body, event.response.content_type) == (text.encode(), content_type)
    assert event.response.first_byte_ms == 120


def test_json_that_was_encoded_twice_is_read() -> None:
    assert row(a_log(response=json.dumps(CHAT))).cost_usd == Decimal("0.00024")


@pytest.mark.parametrize("nothing", [{"json": None}, {}, {"json": None, "textBody": None}, {"textBody": ""}])
def test_a_response_without_a_body_has_an_unknown_cost(nothing: dict[str, Any]) -> None:
    log = a_log() | {"providerResponse": {"status": 200, **nothing}}
    assert read(log).response.body == b""
    assert row(log).cost_state is CostState.NO_USAGE


def test_large_bodies_are_cut_and_their_size_is_kept() -> None:
    event = read(a_log(text="é" * 100, requested={"model": "m" * 100}), capture_bytes=50)
    assert (len(event.response.body), event.response.body_bytes) == (50, 200)
    assert (len(event.request.body), event.request.body_bytes) == (50, 113)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (r"cut \ud83d", "cut \ufffd"),
        (r"\ude00 cut", "\ufffd cut"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
        (r"\\ud83d\ude00", "\\ud83d\ufffd"),
        (r"\\\ud83d\ude00", "\\\U0001f600"),
        (r"\ud83d\ude00", "\U0001f600"),
    ],
)
def test_text_cut_within_a_character_is_no_reason_to_lose_a_call(written: str, read_as: str) -> None:
    requested = json.dumps(a_log(requested={"model": "gpt-4o-mini", "user": "HERE"})).replace("HERE", written)
    assert json.loads(read(requested.encode()).request.body)["user"] == read_as


def test_bytes_that_are_no_text_are_no_reason_to_lose_a_call() -> None:
    payload = json.dumps(a_log(text="HERE")).encode().replace(b"HERE", b"caf\xe9")
    assert read(payload).response.body == "caf\ufffd".encode()


# What it costs


@pytest.mark.parametrize(
    ("requested", "reply", "name"),
    [
        ({}, {"_type": "tool", "toolName": "weather", "degrees": 3}, "tool:weather"),
        ({"_type": "tool", "toolName": "weather"}, None, "tool:weather"),
        ({"_type": "tool"}, {"_type": "tool"}, "tool:unknown"),
        ({"_type": "vector_db", "operation": "search"}, {"_type": "vector_db", "hits": []}, "vector_db"),
        ({"_type": "data", "name": "orders"}, {"_type": "data", "name": "orders"}, "data:orders"),
        ({"_type": "data", "name": "orders"}, {"_type": "data", "toolName": "unknown"}, "data:orders"),
        ({"_type": "data", "name": "people"}, {"_type": "data", "name": "Anna"}, "data:people"),
        ({}, {"_type": "data", "name": "orders"}, "data:orders"),
        ({"_type": "data"}, {"_type": "data", "name": "orders"}, "data:orders"),
        ({"_type": "data", "name": 3}, {"_type": "data"}, "data:unknown"),
        ({"_type": "tool", "toolName": "weather"}, {"_type": "tool", "toolName": "unknown"}, "tool:weather"),
    ],
)
def test_a_non_llm_step_has_its_name_and_is_free(requested: Any, reply: Any, name: str) -> None:
    log = a_log(requested=requested, response=reply, text="done" if reply is None else None)
    stepped = row(log, provider="CUSTOM")
    assert (stepped.model, stepped.cost_usd, stepped.cost_state) == (name, Decimal(0), CostState.FREE)


def test_a_step_that_responded_in_lines_is_no_stream_of_a_model() -> None:
    found = row(
        a_log(requested={"_type": "data", "name": "orders"}, text=as_lines([{"id": 1, "text": "a"}, {"id": 2}]))
    )
    assert (found.model, found.cost_state) == ("data:orders", CostState.FREE)


def test_a_step_whose_response_holds_usage_costs_what_its_model_costs() -> None:
    stepped = row(a_log(response=CHAT | {"_type": "tool", "toolName": "summarize"}))
    assert (stepped.model, stepped.cost_usd) == ("gpt-4o-mini-2024-07-18", Decimal("0.00024"))


def test_an_unknown_type_is_a_call_of_a_model() -> None:
    log = a_log(
        requested={"model": "gpt-4o-mini", "_type": "unknown"}, response={"_type": "unknown", "toolName": "unknown"}
    )
    assert (row(log).model, row(log).cost_state) == ("gpt-4o-mini", CostState.NO_USAGE)


@pytest.mark.parametrize("model", ["gpt-4o-mini-2024-07-18", "no-such-model"])
def test_a_cost_that_the_client_reports_is_shown_and_never_ours(model: str) -> None:
    log = a_log(response=CHAT | {"model": model})
    log["providerResponse"]["cost"] = 0.1
    reported = row(log)
    assert reported.provider_cost_usd == Decimal("0.1")
    assert reported.cost_usd == (None if model == "no-such-model" else Decimal("0.00024"))


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("Error: socket hang up\n    at read\n\n", Decimal(0)),
        ("Error: socket hang up\n\n" + as_lines(CHUNKS[:2]), None),
        ("Error: slow down\n\n" + as_lines([{"error": {"message": "slow down"}}]), Decimal(0)),
        ("Error: after the end\n\n" + as_lines(CHUNKS), Decimal("0.00024")),
    ],
)
def test_a_stream_that_ended_in_an_error_is_not_free_when_something_was_generated(
    text: str, cost: Decimal | None
) -> None:
    assert (row(a_log(text=text, status=500)).cost_usd, row(a_log(text=text, status=500)).status) == (cost, 500)


def test_a_custom_call_has_the_price_of_its_models_only_seller() -> None:
    logged = row(a_log(response=MESSAGE), provider="CUSTOM")
    assert (logged.provider, logged.cost_usd) == ("CUSTOM", Decimal("0.010575"))
    assert row(a_log(response=MESSAGE, provider="my-llm"), provider="CUSTOM").cost_state is CostState.UNKNOWN_MODEL


def test_the_timestamp_of_the_call_and_not_of_its_log_chooses_the_price() -> None:
    reply = {"model": "mistral-small-latest", "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}}
    early = datetime.fromisoformat("2025-03-01T00:00:00Z").isoformat()
    now, then = (
        row(a_log(response=reply, provider="mistral")),
        row(a_log(response=reply, provider="mistral", started=early, ended=early)),
    )
    assert now.cost_usd == Decimal("0.15")
    assert then.cost_usd not in (None, now.cost_usd)
