"""The cost of an exchange does not depend on whether its bodies are stored, and of omitted ones no text is left."""

import gzip
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.event import ExchangeEvent, Outcome, RequestTags, decode_event, encode_event
from schemas.omission import Omission
from schemas.price import PriceBook
from schemas.record import RequestBodies, RequestRecord
from services.domain.enrich import to_record
from services.domain.exchange.capture import beginning_and_end
from services.domain.omission import with_omission, without_bodies
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event
from tests.golden.cases import GOLDEN_CASES, GoldenCase

CANARY = "the canary sang"
SAID = f"{CANARY} of [things] and {{more}}"
TAGS = [
    RequestTags(omit_request=request, omit_response=response)
    for request, response in product((False, True), repeat=2)
    if request or response
]
REQUESTS: list[dict[str, Any]] = [
    {},
    {"user": "user-7", "service_tier": "flex", "metadata": {CANARY: CANARY}},
    {"system": [{"type": "text", "text": SAID, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
    {"tools": [{"type": "web_search_preview"}, {"type": "function", "name": CANARY, "parameters": {CANARY: {}}}]},
    {"web_search_options": {"search_context_size": "high"}},
]


def _request(case: GoldenCase, more: dict[str, Any]) -> bytes:
    return case.request(SAID, **more)


def _ways(case: GoldenCase, more: dict[str, Any]) -> Iterator[ExchangeEvent]:
    """The exchange of a golden response: whole, compressed, cut by the capture, broken off, refused."""
    request = _request(case, more)
    whole = _with_request(case.event(), request)
    yield whole
    for encoding, compress in (("gzip", gzip.compress), ("br", brotli.compress), ("unheard-of", bytes)):
        packed = _with_request(case.event(response_body=compress(case.body), content_encoding=encoding), request)
        yield packed
        yield replace(packed, request=replace(packed.request, body=gzip.compress(request), content_encoding="gzip"))
    for limit in (40, len(case.body) // 2, len(case.body) - 10):
        beginning, end = case.body[:limit], case.body[max(limit, len(case.body) - 400) :]
        cut = _with_request(case.event(response_body=beginning, body_tail=end), request)
        yield replace(cut, response=replace(cut.response, body_bytes=len(case.body)))
        for outcome in (Outcome.CLIENT_DISCONNECTED, Outcome.UPSTREAM_ERROR, Outcome.TIMED_OUT):
            yield _with_request(case.event(response_body=beginning, outcome=outcome), request)
    for status in (400, 408, 500):
        yield _with_request(case.event(status=status, outcome=Outcome.PROVIDER_ERROR), request)
    yield replace(whole, request=replace(whole.request, body=request[:30], body_bytes=len(request)))
    yield replace(whole, request=replace(whole.request, step="tool:weather"))


def _with_request(event: ExchangeEvent, body: bytes) -> ExchangeEvent:
    return replace(event, request=replace(event.request, body=body, body_bytes=len(body)))


def _tagged(event: ExchangeEvent, tags: RequestTags) -> ExchangeEvent:
    return replace(event, request=replace(event.request, tags=tags))


def _published(event: ExchangeEvent) -> bytes:
    return encode_event(without_bodies(event))


def _charged_alike(event: ExchangeEvent, prices: PriceBook) -> None:
    kept, bodies = to_record(event, prices)
    for tags in TAGS:
        row, left = to_record(decode_event(_published(_tagged(event, tags))), prices)
        assert replace(row, provider_usage="") == replace(kept, provider_usage=""), tags
        assert (row, left) == to_record(_tagged(event, tags), prices), "as an event of an older writer"
        _holds_what_is_kept(left, bodies, tags)


def _holds_what_is_kept(left: RequestBodies | None, bodies: RequestBodies | None, tags: RequestTags) -> None:
    request = "" if bodies is None or tags.omit_request else bodies.request_body
    response = "" if bodies is None or tags.omit_response else bodies.response_body
    """Empty bodies too: they take the place of those that a log of the same call may have left."""
    assert left is not None
    assert (left.request_body, left.response_body) == (request, response)


@pytest.mark.parametrize("case", GOLDEN_CASES, ids=lambda case: case.name)
def test_a_golden_response_costs_the_same_when_its_bodies_are_omitted(case: GoldenCase) -> None:
    """Each way with one of the requests, which one depending on the response: all pairs would take a minute."""
    prices, first = case.price_book(), GOLDEN_CASES.index(case)
    for number, more in enumerate(REQUESTS):
        for event in list(_ways(case, more))[(first + number) % len(REQUESTS) :: len(REQUESTS)]:
            _charged_alike(event, prices)


def test_the_depth_of_a_search_that_only_the_request_states_is_known_without_the_request() -> None:
    requested = {"model": "sonar", "messages": [], "web_search_options": {"search_context_size": "high"}}
    reply = {"model": "sonar", "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 9}}
    event = an_event(
        provider="PERPLEXITY", request_body=json.dumps(requested).encode(), response_body=json.dumps(reply).encode()
    )
    assert to_record(event, ShippedPrices())[0].service_tier == "search-high"
    _charged_alike(event, ShippedPrices())


def test_a_cache_that_a_log_folds_into_its_input_is_known_without_the_bodies() -> None:
    usage = {"input_tokens": 900, "output_tokens": 9}
    reply = {"type": "message", "id": "chatcmpl-1", "model": "claude-sonnet-4-5", "content": [], "usage": usage}
    event = an_event(request_body=json.dumps(REQUESTS[2]).encode(), response_body=json.dumps(reply).encode())
    event = replace(event, request=replace(event.request, provider="ANTHROPIC", logged=True))
    assert to_record(event, ShippedPrices())[0].usage_mismatch
    _charged_alike(event, ShippedPrices())


FORMS = [
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--',
    ),
    ("application/json", b'{"model":"gpt-4o-mini","input":"the canary'),
    ("application/json", b"[" * 600_000),
    ("application/octet-stream", b"\0\1\2the canary sang"),
    ("", b""),
]


@pytest.mark.parametrize(("content_type", "body"), FORMS, ids=[kind or "none" for kind, _ in FORMS])
def test_any_request_costs_the_same_when_it_is_omitted(content_type: str, body: bytes) -> None:
    event = an_event(request_body=body)
    _charged_alike(replace(event, request=replace(event.request, content_type=content_type)), ShippedPrices())


@given(st.sampled_from(GOLDEN_CASES), st.data())
def test_a_golden_response_cut_anywhere_costs_the_same_when_its_bodies_are_omitted(
    case: GoldenCase, data: st.DataObject
) -> None:
    limit = data.draw(st.integers(0, len(case.body)))
    beginning, end = beginning_and_end(case.body, limit) if data.draw(st.booleans()) else (case.body[:limit], b"")
    outcome = data.draw(st.sampled_from(list(Outcome)))
    event = case.event(response_body=beginning, body_tail=end, outcome=outcome)
    body_bytes = data.draw(st.sampled_from([len(beginning), len(case.body)]))
    _charged_alike(replace(event, response=replace(event.response, body_bytes=body_bytes)), case.price_book())


# What is read as a name, and stands on the row whatever is omitted.
NAMES = frozenset(("model", "modelVersion", "user"))


def _sung(value: Any, name: str = "") -> Any:
    """`value` with the canary in every text that is no name, and under a name of its own in every object."""
    if isinstance(value, str):
        return value if name in NAMES else f"{value} {SAID}"
    if isinstance(value, list):
        return [_sung(one, name) for one in value]
    if isinstance(value, dict):
        return {key: _sung(inner, key) for key, inner in value.items()} | {CANARY: [CANARY], "note": CANARY}
    return value


def _sung_body(body: bytes) -> Iterator[bytes]:
    """A response with the canary in it; of a stream each event is one, too."""
    try:
        yield json.dumps(_sung(json.loads(body))).encode()
    except ValueError:
        lines = [line.removeprefix(b"data: ") for line in body.splitlines()]
        chunks = [json.dumps(_sung(json.loads(line))).encode() for line in lines if line.startswith(b"{")]
        yield b"".join(b"data: %b\n\n" % chunk for chunk in chunks)
        yield b"\n".join(chunks)


def _everything_kept(event: ExchangeEvent, prices: PriceBook) -> bytes:
    published = _published(event)
    row, bodies = to_record(decode_event(published), prices)
    older, _ = to_record(event, prices)  # of a writer that left the bodies in the event
    assert bodies is not None
    assert (bodies.request_body, bodies.response_body) == ("", "")
    return published + repr(_texts(row)).encode() + repr(_texts(older)).encode()


def _texts(row: RequestRecord) -> list[object]:
    return [value for value in (getattr(row, name) for name in row.__struct_fields__) if isinstance(value, str)]


@pytest.mark.parametrize("case", GOLDEN_CASES, ids=lambda case: case.name)
def test_no_text_of_an_omitted_body_is_left(case: GoldenCase) -> None:
    prices = case.price_book()
    both = RequestTags(omit_request=True, omit_response=True)
    request = json.dumps(_sung(json.loads(_request(case, REQUESTS[1])))).encode()
    for body in (case.body, *_sung_body(case.body)):
        for kept in (body, body[: len(body) // 2], gzip.compress(body)[: len(body) // 2]):
            encoding = "" if body.startswith(kept) else "gzip"
            event = _with_request(case.event(response_body=kept, content_encoding=encoding, content_type=SAID), request)
            left = _everything_kept(_tagged(event, both), prices).lower()
            assert CANARY.encode() not in left
            assert b"canary" not in left


def test_the_counts_of_a_usage_block_stay_and_its_texts_do_not() -> None:
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "new_kind_of_tokens": 5,
        "the_token_of_anna_is_4711": 4711,
        "my_cost_center_of_cleo": {"count_of_bens_visits": 3},
        "service_tier": "default",
        "prompt_tokens_details": {"cached_tokens": 1, "note": CANARY, CANARY: 3},
        "iterations": [{"type": "message", "input_tokens": 3, "text": CANARY}, CANARY],
        "cost": 0.25,
        "cost_details": {"upstream_inference_cost": 0.2},
        "comment": CANARY,
        "tokens": CANARY,
    }
    event = an_event(
        tags=RequestTags(omit_response=True),
        response_body=json.dumps({"model": "gpt-4o-mini", "usage": usage}).encode(),
    )
    row, _ = to_record(decode_event(_published(event)), ShippedPrices())
    assert json.loads(row.provider_usage) == {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "service_tier": "default",
        "prompt_tokens_details": {"cached_tokens": 1},
        "iterations": [{"type": "message", "input_tokens": 3}],
        "cost": 0.25,
        "cost_details": {"upstream_inference_cost": 0.2},
    }
    assert row.usage_incomplete


def test_a_tier_that_is_a_sentence_has_no_price_and_is_not_kept() -> None:
    body = json.dumps({"model": "gpt-4o-mini", "service_tier": SAID, "usage": {"prompt_tokens": 3}}).encode()
    event = an_event(tags=RequestTags(omit_response=True), response_body=body)
    row, _ = to_record(decode_event(_published(event)), ShippedPrices())
    kept, _ = to_record(_tagged(event, RequestTags()), ShippedPrices())
    assert (row.service_tier, row.cost_usd, row.cost_state) == ("unrecognized", None, kept.cost_state)


def test_bodies_are_read_once_and_then_forgotten() -> None:
    once = without_bodies(an_event(tags=TAGS[-1]))
    assert without_bodies(once) == once
    assert (once.request.body, once.response.body, once.response.body_tail) == (b"", b"", b"")
    assert once.request.body_bytes == an_event().request.body_bytes


@pytest.mark.parametrize("omission", Omission)
@pytest.mark.parametrize("tags", [RequestTags(user_id="u"), *TAGS])
def test_an_operator_omits_beside_what_a_client_does(omission: Omission, tags: RequestTags) -> None:
    wished = with_omission(an_event(tags=tags), omission).request.tags
    assert wished.omit_request is (tags.omit_request or omission in ("request", "both"))
    assert wished.omit_response is (tags.omit_response or omission in ("response", "both"))
    assert wished.user_id == tags.user_id
