"""Bodies that would take long to parse: only the beginning and the end of them are read, which mostly suffices."""

import gzip
import json

import pytest

from schemas.event import ExchangeEvent, RequestTags
from services.domain.enrich import to_record
from services.domain.exchange.bounded import MAX_CONTENT_BYTES, MAX_MARKS, bounded_request, bounded_response
from services.domain.omission import without_bodies
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event, chat_response

PRICES = ShippedPrices()
OMIT = RequestTags(omit_request=True, omit_response=True)
MANY = b",".join(b'"%07d":1' % number for number in range(MAX_MARKS))
OBJECTS = b"[%b]" % b",".join([b"{}"] * MAX_MARKS)
CHAT = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}]'
RESPONSE = chat_response()

HEAVY_REQUESTS = {
    "many names": CHAT + b"," + MANY + b"}",
    "many objects": CHAT + b',"x":' + OBJECTS + b"}",
    "much white space before many names": b" " * 100_000 + CHAT + b"," + MANY + b"}",
    "a long text": CHAT + b',"x":"' + b"a" * MAX_CONTENT_BYTES + b'"}',
}
LIGHT_REQUESTS = {
    "a chat": CHAT + b"}",
    "a text of a megabyte": CHAT + b',"x":"' + b"a" * 2**20 + b'"}',
    "a form with a large file": b"--x\r\n\r\n" + b"{" * 2 * MAX_MARKS,
    "nothing": b"",
}


def event_of(request: bytes = CHAT + b"}", response: bytes = RESPONSE, *, encoding: str = "") -> ExchangeEvent:
    return an_event(request_body=request, response_body=response, content_encoding=encoding, tags=OMIT)


@pytest.mark.parametrize("name", HEAVY_REQUESTS)
def test_of_a_heavy_request_the_beginning_is_read_and_it_counts_as_truncated(name: str) -> None:
    bounded = bounded_request(event_of(HEAVY_REQUESTS[name]).request)
    assert len(bounded.body) < bounded.body_bytes
    assert HEAVY_REQUESTS[name].startswith(bounded.body)


@pytest.mark.parametrize("name", LIGHT_REQUESTS)
def test_other_requests_are_read_whole(name: str) -> None:
    request = event_of(LIGHT_REQUESTS[name]).request
    assert bounded_request(request) is request


def test_an_omitted_heavy_request_leaves_the_hints_of_a_truncated_one() -> None:
    hints = without_bodies(event_of(HEAVY_REQUESTS["many names"])).request.hints
    assert hints is not None
    assert (hints.info.model, hints.may_run_paid_tools) == ("gpt-4o-mini", True)


def test_a_heavy_request_does_not_change_the_charge_of_its_response() -> None:
    heavy = to_record(without_bodies(event_of(HEAVY_REQUESTS["many names"])), PRICES)[0]
    light = to_record(without_bodies(event_of()), PRICES)[0]
    assert heavy.cost_usd == light.cost_usd is not None


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_the_usage_at_the_end_of_a_heavy_response_is_read(encoding: str) -> None:
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    embeddings = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.123] * MAX_MARKS}],
        "model": "text-embedding-3-small",
        "usage": usage,
    }
    body = json.dumps(embeddings).encode()
    sent = gzip.compress(body) if encoding else body
    event = event_of(b'{"model":"text-embedding-3-small","input":"Hi"}', sent, encoding=encoding)
    assert bounded_response(event.response) is not event.response
    row = to_record(without_bodies(event), PRICES)[0]
    assert (row.prompt_tokens, row.cost_state) == (8, "priced")


def test_a_compressed_response_that_is_large_inside_is_not_parsed_whole() -> None:
    heavy = b'{"model":"gpt-4o-mini",' + MANY + b',"x":"' + b"a" * MAX_CONTENT_BYTES + b'"}'
    event = event_of(response=gzip.compress(heavy), encoding="gzip")
    assert len(bounded_response(event.response).body) < len(heavy)
    assert to_record(without_bodies(event), PRICES)[0].cost_state == "truncated"


def test_a_stream_is_heavy_only_by_one_of_its_events() -> None:
    event = b'data: {"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    assert bounded_response((stream := event_of(response=event * 20_000)).response) is stream.response
    heavy = b"data: {" + MANY + b"}\n\n"
    assert bounded_response(event_of(response=event + heavy).response).body == (event + heavy)[: 64 * 2**10]
