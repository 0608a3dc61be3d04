"""ExchangeEvent -> RequestRecord: where the facts of a row come from."""

import gzip
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.event import ExchangeEvent, Outcome, RequestTags
from schemas.price import CostState
from schemas.record import RequestBodies, RequestRecord
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.domain.pricing.price_book import LayeredPrices
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import TIMESTAMP, an_event, an_operator_price, chat_response

PRICES = ShippedPrices()


def a_row(event: ExchangeEvent) -> RequestRecord:
    return to_record(event, PRICES)[0]


def some_text(event: ExchangeEvent) -> RequestBodies:
    bodies = to_record(event, PRICES)[1]
    assert bodies is not None
    return bodies


def with_request(event: ExchangeEvent, **changes: Any) -> ExchangeEvent:
    return msgspec.structs.replace(event, request=msgspec.structs.replace(event.request, **changes))


def test_a_completed_exchange_becomes_a_priced_row() -> None:
    row = a_row(an_event())
    assert (row.cost_usd, row.cost_state) == (Decimal("0.00024"), CostState.PRICED)
    assert (row.prompt_tokens, row.prompt_cache_read_tokens, row.completion_tokens) == (600, 400, 200)
    assert (row.model, row.request_model) == ("gpt-4o-mini-2024-07-18", "gpt-4o-mini")
    assert ":openai/gpt-4o-mini@always#" in row.price_id
    assert row.response_created_at == TIMESTAMP + timedelta(milliseconds=850)
    assert row.version == 1_793_534_400_973_000 << 12
    assert a_row(an_event(recorded_at=TIMESTAMP + timedelta(seconds=7))).version == 1_793_534_407_123_000 << 12


def test_a_timestamp_without_a_zone_is_utc_for_prices_too() -> None:
    row = an_operator_price(model="*", valid_from=TIMESTAMP, rates={}, usd_per_request=Decimal(1))
    event = an_event(created_at=TIMESTAMP.replace(tzinfo=None))
    record = to_record(event, LayeredPrices(PRICES, [row]))[0]
    assert (record.price_id, record.request_created_at) == (f"operator/{row.id}", TIMESTAMP)


def test_the_price_is_the_one_in_force_when_the_request_was_made() -> None:
    dated = an_event(
        provider="MISTRAL",
        response_body=b'{"model":"mistral-small-latest","usage":{"prompt_tokens":1000000,"completion_tokens":0}}',
    )
    before = with_request(dated, created_at=TIMESTAMP.replace(year=2025))
    assert a_row(dated).cost_usd == Decimal("0.15")
    assert a_row(before).cost_usd != a_row(dated).cost_usd
    assert "@2026-03-16#" in a_row(dated).price_id


@pytest.mark.parametrize(
    ("override", "responded", "requested", "path", "model"),
    [
        ("over", "responded", "requested", "/v1/x", "over"),
        (None, "responded", "requested", "/v1/x", "responded"),
        (None, None, "requested", "/v1/x", "requested"),
        (None, None, None, "/v1/engines/davinci/completions", "davinci"),
        (None, None, None, "/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro"),
        (None, None, None, "/model/anthropic.claude-v2/invoke", "anthropic.claude-v2"),
        (None, None, None, "/v1/x", ""),
    ],
)
def test_the_model_is_the_first_that_is_named(
    override: str | None, responded: str | None, requested: str | None, path: str, model: str
) -> None:
    event = an_event(
        tags=RequestTags(model_override=override),
        request_body=json.dumps({"model": requested}).encode(),
        response_body=json.dumps({"model": responded}).encode(),
        target_url=f"https://api.openai.com{path}",
    )
    assert a_row(event).model == model


def test_the_overriding_model_is_the_one_that_is_priced() -> None:
    assert a_row(an_event(tags=RequestTags(model_override="gpt-4o"))).cost_usd == Decimal("0.004")


@pytest.mark.parametrize(
    ("tagged", "body", "user"),
    [
        ("user-1", b'{"user":"user-2"}', "user-1"),
        (None, b'{"user":"user-2"}', "user-2"),
        (None, b'{"user":7}', ""),
        (None, b'{"metadata":{"user_id":"user-3"}}', ""),
        (None, b"not json", ""),
    ],
)
def test_the_user_is_the_tag_or_the_bodys_top_level_user(tagged: str | None, body: bytes, user: str) -> None:
    assert a_row(an_event(tags=RequestTags(user_id=tagged), request_body=body)).user_id == user


def test_property_names_are_kept_in_lower_case_and_as_spelled() -> None:
    row = a_row(an_event(tags=RequestTags(properties={"UserTier": "premium", "usertier": "free", "Feature": "Chat"})))
    assert row.properties == {"usertier": "premium", "feature": "Chat"}
    assert row.property_spellings == ["UserTier", "Feature"]


def test_a_session_is_kept_in_columns_of_its_own() -> None:
    tags = RequestTags(session_id="s-1", session_name="Plan", session_path="/a/b", prompt_id="p-1")
    row = a_row(an_event(tags=tags))
    assert (row.session_id, row.session_name, row.session_path, row.prompt_id) == ("s-1", "Plan", "/a/b", "p-1")
    assert row.properties == {}


@pytest.mark.parametrize(
    ("outcome", "status", "kept"),
    [
        (Outcome.COMPLETED, 200, 200),
        (Outcome.PROVIDER_ERROR, 429, 429),
        (Outcome.TIMED_OUT, None, -2),
        (Outcome.TIMED_OUT, 200, -2),
        (Outcome.CLIENT_DISCONNECTED, 200, -3),
        (Outcome.UPSTREAM_ERROR, None, 502),
        (Outcome.UPSTREAM_ERROR, 200, 200),
    ],
)
def test_outcomes_without_a_status_have_helicones_numbers(outcome: Outcome, status: int | None, kept: int) -> None:
    assert a_row(an_event(outcome=outcome, status=status, response_body=b"")).status == kept


@pytest.mark.parametrize(
    ("outcome", "status", "state"),
    [
        (Outcome.COMPLETED, 200, CostState.NO_USAGE),
        (Outcome.CLIENT_DISCONNECTED, 200, CostState.NO_USAGE),
        (Outcome.UPSTREAM_ERROR, None, CostState.NO_USAGE),
        (Outcome.TIMED_OUT, None, CostState.NO_USAGE),
        (Outcome.PROVIDER_ERROR, 500, CostState.FREE),
        *((Outcome.PROVIDER_ERROR, status, CostState.FREE) for status in (400, 429, 502, 503, 521, 523, 529)),
        *((Outcome.PROVIDER_ERROR, status, CostState.NO_USAGE) for status in (408, 499, 504, 520, 522, 524)),
        (Outcome.REFUSED, 429, CostState.FREE),
    ],
)
def test_without_usage_a_cost_is_unknown_unless_nothing_can_have_been_generated(
    outcome: Outcome, status: int | None, state: CostState
) -> None:
    row = a_row(an_event(outcome=outcome, status=status, response_body=b"{}"))
    assert (row.cost_state, row.cost_usd) == (state, Decimal(0) if state is CostState.FREE else None)
    assert row.usage_source is UsageSource.NONE


@pytest.mark.parametrize(
    ("changes", "cost_usd"),
    [
        ({}, Decimal("0.04")),
        ({"outcome": Outcome.TIMED_OUT, "status": None}, None),
        ({"outcome": Outcome.UPSTREAM_ERROR}, None),
        ({"outcome": Outcome.CLIENT_DISCONNECTED}, None),
        ({"response_body": b'data: {"error": {"message": "no"}}\n\n', "content_type": "text/event-stream"}, None),
        ({"response_body": chat_response()}, None),
    ],
    ids=str,
)
def test_a_response_without_usage_costs_what_each_request_does(
    changes: dict[str, Any], cost_usd: Decimal | None
) -> None:
    """Where something was used that the price does not have, or may not have come, it is unknown all the same."""
    row = an_operator_price(model="dall-e-3", rates={}, usd_per_request=Decimal("0.04"))
    image: dict[str, Any] = {
        "tags": RequestTags(model_override="dall-e-3"),
        "response_body": b'{"data":[{"url":"https://a/b.png"}]}',
    }
    charged = to_record(an_event(**(image | changes)), LayeredPrices(PRICES, [row]))[0]
    assert charged.cost_usd == cost_usd
    assert charged.price_id == (f"operator/{row.id}" if charged.cost_state in ("priced", "partial") else "")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/files"),
        ("POST", "/v1/moderations"),
        ("POST", "/v1/messages/count_tokens"),
    ],
)
def test_what_generates_nothing_is_free(method: str, path: str) -> None:
    event = with_request(
        an_event(response_body=b'{"object":"list"}'), method=method, target_url=f"https://api.openai.com{path}"
    )
    assert (a_row(event).cost_state, a_row(event).cost_usd) == (CostState.FREE, Decimal(0))


def test_fetching_a_response_again_is_not_billed_again() -> None:
    row = a_row(with_request(an_event(), method="GET"))
    assert (row.cost_usd, row.prompt_tokens, row.completion_tokens) == (Decimal(0), 0, 0)
    assert row.provider_usage


def test_an_unknown_model_is_unknown_and_keeps_its_tokens() -> None:
    row = a_row(an_event(response_body=chat_response(model="no-such-model")))
    assert (row.cost_usd, row.cost_state, row.price_id) == (None, CostState.UNKNOWN_MODEL, "")
    assert row.prompt_tokens == 600


def test_a_cached_response_is_free_and_says_what_it_saved() -> None:
    row = a_row(an_event(outcome=Outcome.CACHED, cache_reference_id="01932c07-2a00-7000-8000-000000000009"))
    assert (row.cost_usd, row.cost_state, row.cache_saved_usd) == (Decimal(0), CostState.FREE, Decimal("0.00024"))
    assert (row.prompt_tokens, row.completion_tokens) == (0, 0)
    assert row.cache_reference_id == "01932c07-2a00-7000-8000-000000000009"


def test_what_a_cached_response_saved_may_be_unknown() -> None:
    row = a_row(an_event(outcome=Outcome.CACHED, response_body=b"{}"))
    assert (row.cost_usd, row.cache_saved_usd) == (Decimal(0), None)


def test_a_response_that_was_not_cached_saved_nothing() -> None:
    assert (a_row(an_event()).cache_saved_usd, a_row(an_event()).cache_reference_id) == (None, None)


def test_usage_read_after_the_client_disconnected_was_drained() -> None:
    row = a_row(an_event(outcome=Outcome.CLIENT_DISCONNECTED, drained=True))
    assert (row.usage_source, row.cost_usd, row.status) == (UsageSource.DRAINED, Decimal("0.00024"), -3)


def test_usage_that_passed_before_the_client_disconnected_was_not_drained() -> None:
    row = a_row(an_event(outcome=Outcome.CLIENT_DISCONNECTED))
    assert (row.usage_source, row.cost_usd) == (UsageSource.PROVIDER, Decimal("0.00024"))


def test_draining_that_found_no_usage_leaves_an_estimate() -> None:
    chunk = b'data: {"model":"gpt-4o-mini","choices":[{"delta":{"content":"Hello"}}]}\n\n'
    row = a_row(an_event(outcome=Outcome.CLIENT_DISCONNECTED, response_body=chunk, drained=True))
    assert (row.usage_source, row.completion_tokens) == (UsageSource.ESTIMATED, 2)
    assert (row.cost_usd, row.cost_state) == (None, CostState.PARTIAL)


def test_an_estimate_is_no_money_where_the_model_has_no_price_either() -> None:
    chunk = b'data: {"model":"no-such-model","choices":[{"delta":{"content":"Hello"}}]}\n\n'
    row = a_row(an_event(response_body=chunk, outcome=Outcome.UPSTREAM_ERROR))
    assert (row.cost_usd, row.cost_state, row.price_id) == (None, CostState.PARTIAL, "")


@pytest.mark.parametrize("outcome", [Outcome.UPSTREAM_ERROR, Outcome.TIMED_OUT, Outcome.CLIENT_DISCONNECTED])
def test_what_never_left_for_the_provider_is_free(outcome: Outcome) -> None:
    row = a_row(an_event(outcome=outcome, status=None, response_body=b"", request_sent=False))
    assert (row.cost_usd, row.cost_state, row.usage_source) == (Decimal(0), CostState.FREE, UsageSource.NONE)


def test_a_response_from_a_cache_saved_what_it_cost_although_nothing_was_sent() -> None:
    row = a_row(an_event(outcome=Outcome.CACHED, request_sent=False))
    assert (row.cost_usd, row.cache_saved_usd) == (Decimal(0), Decimal("0.00024"))


def test_what_is_inconsistent_is_distinguished_from_what_no_class_holds() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    contradictory = a_row(an_event(response_body=json.dumps({"usage": usage | {"total_tokens": 99}}).encode()))
    incomplete = a_row(an_event(response_body=json.dumps({"usage": usage | {"num_sources_used": 2}}).encode()))
    assert (contradictory.usage_mismatch, contradictory.usage_incomplete) == (True, False)
    assert (incomplete.usage_mismatch, incomplete.usage_incomplete) == (False, True)
    assert {row.cost_state for row in (contradictory, incomplete)} == {CostState.PARTIAL}
    assert {(row.prompt_tokens, row.cost_usd) for row in (contradictory, incomplete)} == {(10, None)}


def test_what_the_provider_reports_as_cost_is_kept_beside_what_it_costs() -> None:
    body = json.loads(chat_response())
    body["usage"]["cost"] = 0.5
    row = a_row(an_event(response_body=json.dumps(body).encode(), reported_cost_usd=Decimal("0.7")))
    assert (row.cost_usd, row.provider_cost_usd) == (Decimal("0.00024"), Decimal("0.5"))
    cached = a_row(an_event(response_body=json.dumps(body).encode(), outcome=Outcome.CACHED))
    assert cached.provider_cost_usd is None


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("anthropic.claude-v2%3A1/invoke", "anthropic.claude-v2:1"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0/converse", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("global.anthropic.claude-opus-5/invoke-with-response-stream", "global.anthropic.claude-opus-5"),
        ("arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.amazon.nova-pro-v1%3A0/converse-stream",
         "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0"),
        ("arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc/invoke", "claude-answered"),
    ],
)  # fmt: skip
def test_bedrock_bills_what_the_path_names_unless_that_is_a_number(path: str, model: str) -> None:
    url = f"https://bedrock-runtime.us-east-1.amazonaws.com/model/{path}"
    row = a_row(
        an_event(provider="AWS", target_url=url, request_body=b"{}", response_body=b'{"model":"claude-answered"}')
    )
    assert row.model == model
    assert row.is_stream == ("stream" in path)


@pytest.mark.parametrize(
    ("request_body", "response", "is_stream", "first_token_ms"),
    [
        (b'{"stream":true}', b"data: {}\n\n", True, 120),
        (b'{"stream":true}', b"{}", True, 120),
        (b"{}", b"data: {}\n\n", True, 120),
        (b'{"stream":false}', b"{}", False, None),
        (b'{"stream":"true"}', b"{}", False, None),
    ],
)
def test_streams_have_a_time_to_the_first_token(
    request_body: bytes, response: bytes, is_stream: bool, first_token_ms: int | None
) -> None:
    row = a_row(an_event(request_body=request_body, response_body=response, first_byte_ms=120))
    assert (row.is_stream, row.time_to_first_token_ms) == (is_stream, first_token_ms)


def test_bodies_are_kept_as_text() -> None:
    bodies = some_text(an_event(response_body=gzip.compress("é".encode()), content_encoding="gzip"))
    assert (bodies.response_body, bodies.request_id) == ("é", an_event().request.request_id)
    assert bodies.request_body.startswith('{"model"')


def test_what_the_client_wants_omitted_is_read_and_not_kept() -> None:
    record, bodies = to_record(an_event(tags=RequestTags(omit_request=True)), PRICES)
    assert bodies is not None
    assert (bodies.request_body, record.request_model) == ("", "gpt-4o-mini")
    record, bodies = to_record(an_event(tags=RequestTags(omit_request=True, omit_response=True)), PRICES)
    assert bodies is not None
    assert (bodies.request_body, bodies.response_body, record.cost_usd) == ("", "", Decimal("0.00024"))


def test_a_body_that_is_no_text_is_kept_as_a_note() -> None:
    assert some_text(an_event(response_body=b"\x89PNG\0", content_type="image/png")).response_body == (
        "[image/png, 5 bytes]"
    )


def test_a_form_names_its_model() -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
    event = with_request(
        an_event(request_body=form, response_body=b"{}"), content_type="multipart/form-data; boundary=x"
    )
    assert a_row(event).model == "whisper-1"


def test_a_request_that_the_capture_cut_still_names_its_model() -> None:
    cut = with_request(
        an_event(response_body=b""),
        body=b'{"model":"gpt-4o","stream":true,"messages":[{"content":"\\"model\\": \\"x',
        body_bytes=10**7,
    )
    assert (a_row(cut).model, a_row(cut).is_stream, a_row(cut).request_bytes) == ("gpt-4o", True, 10**7)


def test_a_stream_that_fails_after_it_began_is_no_success() -> None:
    body = b'data: {"error":{"message":"overloaded"}}\n\n'
    row = a_row(an_event(response_body=body, content_type="text/event-stream"))
    assert (row.status, row.cost_state) == (500, CostState.NO_USAGE)
