"""What a message of Kafka cannot hold loses as little as it takes, and its cost last."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import ExchangeEvent, decode_event, encode_event
from schemas.price import CostState
from schemas.record import RequestRecord
from services.domain.enrich import to_record
from services.stores.kafka.client import BATCH_BYTES, MAX_ENTRY_BYTES, entry_of
from services.stores.kafka.shrink import BEGINNING_BYTES, shortened
from services.stores.shipped_prices.book import ShippedPrices
from services.telemetry.metrics import Metrics
from tests.builders.records import an_event, chat_response

PRICES = ShippedPrices()
LONG = "a" * (10 * 2**20)
REQUESTED = {"model": "gpt-4o-mini", "stream": True, "messages": []}
UNNAMED = json.dumps({"usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}}).encode()
UNNAMED_USD = Decimal("0.00027")  # by gpt-4o-mini: 1000 at 0.15, 200 at 0.60 a million
FORM = "multipart/form-data; boundary=b"


def kept(event: ExchangeEvent, max_bytes: int = MAX_ENTRY_BYTES) -> ExchangeEvent:
    """What arrives of `event`."""
    smaller = shortened(Metrics(), entry_of(event, encode_event(event)), max_bytes)
    assert len(smaller.payload) <= max_bytes
    return decode_event(smaller.payload)


def row(event: ExchangeEvent) -> RequestRecord:
    return to_record(event, PRICES)[0]


def chat(text: str, **more: Any) -> bytes:
    """A chat completion that says `text`."""
    reply = json.loads(chat_response()) | {"service_tier": "default"}
    reply["choices"][0]["message"]["content"] = text
    return json.dumps(reply | more).encode()


def test_beside_a_large_request_a_small_response_is_kept_and_its_row_is_the_same() -> None:
    requested = json.dumps({"messages": [{"role": "user", "content": LONG}], "model": "gpt-4o-mini"}).encode()
    event = an_event(request_body=requested)
    arrived = kept(event)
    assert arrived.response == event.response
    assert arrived.request.body_bytes == len(requested)
    assert row(arrived) == row(event)
    assert row(arrived).cost_state is CostState.PRICED


@pytest.mark.parametrize(
    ("requested", "content_type"),
    [
        (json.dumps(REQUESTED | {"messages": [LONG]}).encode(), "application/json"),
        (json.dumps({"messages": [LONG], "stream": True, "model": "gpt-4o-mini"}).encode(), "application/json"),
        (b"\n" + json.dumps({"messages": [LONG]} | REQUESTED | {"messages": [LONG]}).encode(), ""),
        (f'--b\r\nname="file"\r\n\r\n{LONG}\r\n--b\r\n; name="model"\r\n\r\ngpt-4o-mini\r\n--b--'.encode(), FORM),
        (f'--b\r\n; name="model"\r\n\r\ngpt-4o-mini\r\n--b\r\nname="file"\r\n\r\n{LONG}\r\n--b--'.encode(), FORM),
    ],
    ids=["first", "last", "behind white space", "last in a form", "first in a form"],
)
def test_the_model_that_was_requested_is_found_wherever_it_stood(requested: bytes, content_type: str) -> None:
    event = an_event(request_body=requested, response_body=UNNAMED)
    event = msgspec.structs.replace(event, request=msgspec.structs.replace(event.request, content_type=content_type))
    assert row(kept(event)) == row(event)
    assert (row(event).request_model, row(event).cost_usd) == ("gpt-4o-mini", UNNAMED_USD)


@pytest.mark.parametrize(
    "requested", [LONG.encode(), json.dumps([LONG]).encode(), json.dumps({"model": LONG}).encode()]
)
def test_a_request_that_names_no_model_is_kept_as_it_began(requested: bytes) -> None:
    assert kept(an_event(request_body=requested)).request.body == requested[:BEGINNING_BYTES]


@pytest.mark.parametrize("captured", [20 * 2**20, 9 * 2**20])
def test_of_a_large_response_beginning_and_end_are_kept_and_its_cost(captured: int) -> None:
    said = chat(LONG)
    whole = an_event(response_body=said)
    reply = msgspec.structs.replace(
        whole.response, body=said[:captured], body_tail=said[max(captured, len(said) - BEGINNING_BYTES) :]
    )
    arrived = kept(msgspec.structs.replace(whole, response=reply))
    assert arrived.request == whole.request
    assert (arrived.response.body_tail, arrived.response.body_bytes) == (said[-BEGINNING_BYTES:], len(said))
    assert len(arrived.response.body) >= MAX_ENTRY_BYTES // 2
    assert row(arrived) == row(whole)
    assert row(whole).cost_state is CostState.PRICED


def test_of_a_response_whose_end_was_lost_before_nothing_is_taken_for_its_end() -> None:
    event = an_event(response_body=chat(LONG, usage=None)[:-1])
    lost = msgspec.structs.replace(event, response=msgspec.structs.replace(event.response, body_bytes=2**30))
    arrived = kept(lost)
    assert arrived.response.body_tail == b""
    assert (row(arrived).cost_usd, row(arrived).cost_state) == (None, CostState.TRUNCATED)


def test_a_request_stays_whole_where_cutting_the_response_is_enough() -> None:
    requested = json.dumps(REQUESTED | {"messages": ["a" * 4 * 2**20]}).encode()
    event = an_event(request_body=requested, response_body=chat(LONG))
    arrived = kept(event)
    assert arrived.request == event.request
    assert row(arrived).cost_usd == row(event).cost_usd
    assert row(event).cost_usd is not None


def test_where_both_are_cut_a_cost_that_cannot_be_known_is_unknown() -> None:
    requested = json.dumps(REQUESTED | {"tools": [{"type": "web_search", "about": LONG}]}).encode()
    arrived = kept(an_event(request_body=requested, response_body=chat(LONG)))
    assert (row(arrived).cost_usd, row(arrived).cost_state) == (None, CostState.TRUNCATED)


@given(
    requested=st.integers(0, 2 * BATCH_BYTES),
    said=st.integers(0, 2 * BATCH_BYTES),
    max_bytes=st.integers(4096, BATCH_BYTES),
)
@settings(max_examples=50, deadline=None)
def test_a_shortened_event_fits_and_its_cost_is_the_same_or_unknown(requested: int, said: int, max_bytes: int) -> None:
    event = an_event(
        request_body=json.dumps({"messages": ["a" * requested], "model": "gpt-4o-mini"}).encode(),
        response_body=chat("a" * said),
    )
    metrics = Metrics()
    smaller = shortened(metrics, entry_of(event, encode_event(event)), max_bytes)
    arrived = decode_event(smaller.payload)
    assert len(smaller.payload) <= max_bytes
    unlike = [arrived.request.body != event.request.body, arrived.response.body != event.response.body]
    assert metrics.get("proxy_bodies_dropped_total") == sum(unlike)
    known, reported = row(event), row(arrived)
    assert (reported.request_bytes, reported.response_bytes) == (known.request_bytes, known.response_bytes)
    same, cut = (known.cost_usd, CostState.PRICED), (None, CostState.TRUNCATED)
    assert (reported.cost_usd, reported.cost_state) == (
        cut if unlike[1] and (unlike[0] or reported.cost_usd is None) else same
    )
