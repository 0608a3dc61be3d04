"""Any event becomes a row, the same each time, and the warehouse takes it."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.event import ExchangeEvent, Outcome, RequestEvent, RequestTags, ResponseEvent, decode_event, encode_event
from schemas.price import CostState
from schemas.usage import UsageSource
from services.domain.enrich import to_record
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import an_event
from tests.golden.cases import GOLDEN_CASES
from tests.servers.warehouses import insert, rows_of
from tests.support.examples import examples

PRICES = ShippedPrices()

# Text as it comes off the wire: no lone surrogates, but anything else.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["", "\0", "é", "gzip", "br"])
figures = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=3), st.booleans(), st.lists(st.integers()))
names = st.sampled_from(
    ["model", "user", "stream", "usage", "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens",
     "total_tokens", "prompt_tokens_details", "cached_tokens", "message", "response", "type", "error", "service_tier",
     "usageMetadata", "promptTokenCount", "candidatesTokensDetails", "billed_units", "x_groq", "output", "choices"]
)  # fmt: skip
trees = st.recursive(figures, lambda inner: st.dictionaries(names, inner, max_size=5) | st.lists(inner, max_size=3))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Anything from noise to a response that was damaged a little."""
    shape = draw(st.sampled_from(["noise", "json", "stream", "golden", "confused"]))
    if shape == "noise":
        return draw(st.binary(max_size=200))
    if shape == "confused":
        return _confused(draw, draw(st.sampled_from(GOLDEN_CASES)).body)
    if shape == "golden":
        body = bytearray(draw(st.sampled_from(GOLDEN_CASES)).body)
        for _ in range(draw(st.integers(0, 3))):
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
        return bytes(body[: draw(st.integers(0, len(body)))])
    chunks = [msgspec.json.encode(draw(trees)) for _ in range(1 if shape == "json" else draw(st.integers(0, 3)))]
    return b"".join(chunks) if shape == "json" else b"".join(b"data: %b\n\n" % chunk for chunk in chunks)


VALUES = re.compile(rb'(?<=":)\s*(?:"[^"\\]*"|[0-9.]+|null|true|false|\[\]|\{\})')
STRANGE = [
    b"[]",
    b"{}",
    b"[[]]",
    b"[{}]",
    b"null",
    b"true",
    b"-1",
    b"1.5",
    b"1e300",
    b"9" * 30,
    b'""',
    b'"x"',
    b'["x"]',
]


def _confused(draw: st.DrawFn, body: bytes) -> bytes:
    """`body`, in which some values are of another kind than anybody expects."""
    for _ in range(draw(st.integers(1, 3))):
        places = [found.span() for found in VALUES.finditer(body)]
        if places:
            start, end = draw(st.sampled_from(places))
            body = body[:start] + draw(st.sampled_from(STRANGE)) + body[end:]
    return body


timestamps = st.integers(0, 9_000_000_000_000).map(
    lambda ms: datetime(1971, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
providers = st.sampled_from(["OPENAI", "ANTHROPIC", "AZURE", "GOOGLE", "AWS", "X", "PERPLEXITY", "CUSTOM", ""])
encodings = st.sampled_from(["", "gzip", "br", "zstd", "deflate", "identity", "gzip, br", "compress", "\0"])
tags = st.builds(
    RequestTags,
    user_id=st.none() | texts,
    session_id=st.none() | texts,
    model_override=st.none() | texts,
    properties=st.dictionaries(texts, texts, max_size=4),
    omit_request=st.booleans(),
    omit_response=st.booleans(),
    cache_enabled=st.booleans(),
)
requests = st.builds(
    RequestEvent,
    organization_id=st.just("org-1"),
    request_id=st.uuids().map(str),
    created_at=timestamps,
    provider=providers,
    method=st.sampled_from(["POST", "GET", "post", ""]),
    target_url=texts | st.just("https://api.openai.com/v1/chat/completions"),
    tags=tags,
    content_type=texts | st.just("multipart/form-data; boundary=x"),
    content_encoding=encodings,
    body=bodies(),
    body_bytes=st.integers(0, 2**40),
    step=texts,
)
responses = st.builds(
    ResponseEvent,
    outcome=st.sampled_from(Outcome),
    status=st.none() | st.integers(-5, 2**20),
    latency_ms=st.integers(-5, 2**33),
    first_byte_ms=st.none() | st.integers(-5, 2**33),
    content_type=texts | st.sampled_from(["text/event-stream", "application/json", "image/png"]),
    content_encoding=encodings,
    body=bodies(),
    body_tail=st.just(b"") | bodies(),
    body_bytes=st.integers(0, 2**40),
    cache_reference_id=st.none() | st.uuids().map(str),
    reported_cost_usd=st.none() | st.decimals(),
)
events = st.builds(ExchangeEvent, request=requests, response=responses, recorded_at=st.none() | timestamps)


CUT = b'data: {"model":"gpt-4o","choices":[]}\n\n'
TAIL = b'"}\n\ndata: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}\n\n'


@pytest.mark.parametrize("kind", STRANGE)
def test_a_response_that_was_cut_has_a_row_whatever_tools_were_given(kind: bytes) -> None:
    requested = b'{"model":%b,"prompt":%b,"plugins":%b,"tools":[{"type":%b}]}' % (kind, kind, kind, kind)
    for request in (requested, b'{"tools":%b}' % kind, b'{"tools":[%b]}' % kind, b'{"tools":[{"type":%b}]}' % kind):
        event = an_event(request_body=request, response_body=CUT, body_tail=TAIL)
        cut = replace(event, response=replace(event.response, body_bytes=10**7))
        assert to_record(cut, PRICES)[0].cost_state in (CostState.PRICED, CostState.TRUNCATED)


@given(events)
@example(an_event(created_at=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), latency_ms=2**40))
@example(an_event(created_at=datetime(1, 1, 1)))  # noqa: DTZ001
def test_any_event_has_a_row_and_the_same_one_each_time(event: ExchangeEvent) -> None:
    record, kept = to_record(event, PRICES)
    assert (record, kept) == to_record(event, PRICES)
    assert (record.cost_usd is None) == (record.cost_state not in (CostState.PRICED, CostState.FREE))
    assert record.usage_source is not UsageSource.NONE or record.cost_state is not CostState.PRICED
    assert record.version >= 0
    assert 0 <= record.latency_ms < 2**32


@given(st.lists(events, min_size=1, max_size=30))
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_warehouse_takes_any_row(embedded_warehouse: ClickHouseWarehouse, some: list[ExchangeEvent]) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    rows = [to_record(decode_event(encode_event(_of(event, organization_id))), PRICES) for event in some]
    insert(embedded_warehouse, [record for record, _ in rows], [kept for _, kept in rows if kept is not None])
    stored = {str(row["request_id"]): row for row in rows_of(embedded_warehouse, organization_id)}
    for record, _ in rows:
        row = stored[record.request_id]
        assert (row["model"], row["user_id"], row["cost_usd"]) == (record.model, record.user_id, record.cost_usd)
        assert (row["properties"], row["provider_cost_usd"]) == (record.properties, record.provider_cost_usd)


def _of(event: ExchangeEvent, organization_id: str) -> ExchangeEvent:
    return replace(event, request=replace(event.request, organization_id=organization_id))
