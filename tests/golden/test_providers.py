"""Responses as providers send them -> the usage and the cost that were computed by hand."""

import gzip
import json
import zlib
from collections.abc import Callable
from decimal import Decimal

import brotli
import genai_prices
import msgspec
import pytest

from schemas.price import Price
from schemas.usage import CACHE_READ, CACHE_WRITE, COMPLETION, INPUT, Usage, usage_of_all
from services.domain.enrich import to_record
from services.domain.exchange.sse import events_of
from services.domain.pricing.charge import charge
from services.domain.pricing.other_models import decode_parts
from services.domain.providers.catalog import ROUTED, provider_named
from services.domain.usage.parse import parse_response
from services.stores.shipped_prices.names import seller_of
from services.zstd import zstd
from tests.golden.cases import GOLDEN_CASES, GoldenCase

every_case = pytest.mark.parametrize("case", GOLDEN_CASES, ids=lambda case: case.name)
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "deflate": zlib.compress,
}


@every_case
def test_a_response_is_read_into_disjoint_classes(case: GoldenCase) -> None:
    parsed = parse_response(case.body, case.provider)
    assert parsed.usage == case.usage
    assert [(other.model, other.usage) for other in parsed.other_models] == [
        (other.model, other.usage) for other in case.other_models
    ]
    assert (parsed.model, parsed.tier) == (case.model, case.tier)
    assert (parsed.consistent, parsed.complete, parsed.final) == (case.consistent, case.complete, case.final)
    assert (parsed.streamed, parsed.failed) == (case.streamed, case.failed)


@every_case
def test_the_receipt_is_the_one_worked_out_by_hand(case: GoldenCase) -> None:
    parsed = parse_response(case.body, case.provider)
    usage = case.billed or parsed.usage
    if case.cost_usd is None or usage is None:
        return
    price = case.price_book().price_at(case.provider, case.billed_model, case.timestamp, case.billed_tier)
    _check_receipt(usage, price, case.receipt, case.own_usd)
    for other in case.other_models:
        price = case.price_book().price_at(case.provider, other.billed_model, case.timestamp, case.billed_tier)
        _check_receipt(other.usage, price, other.receipt, other.cost_usd)


def _check_receipt(
    usage: Usage, price: Price | None, receipt: tuple[tuple[str, int, Decimal, Decimal], ...], cost_usd: Decimal | None
) -> None:
    charged = charge(usage, price)
    # Audio is sold by the hour, and counted in milliseconds; by hand the price is that of a millisecond.
    assert receipt == tuple(
        (line.usage_class, line.quantity, line.unit_usd / line.per, line.amount_usd) for line in charged.lines
    )
    assert charged.cost_usd == cost_usd == sum(count * unit for _, count, unit, _ in receipt)


@every_case
def test_the_row_has_the_cost(case: GoldenCase) -> None:
    record = to_record(case.event(), case.price_book())[0]
    assert (record.cost_usd, record.cost_state) == (case.charged_usd, case.state)
    assert record.calculated_cost_usd == (None if case.bill_usd is None else case.cost_usd)
    assert record.price_id.startswith("bill/") is (case.bill_usd is not None)
    assert (record.model, record.service_tier) == (case.billed_model, case.billed_tier)
    assert record.usage_source is case.source
    assert (record.usage_mismatch, record.usage_incomplete) == (not case.consistent, not case.complete)
    assert record.provider_cost_usd == case.provider_cost_usd
    usage = case.estimated or case.billed or (case.usage if case.state != "free" else None) or Usage()
    usage = usage_of_all(usage, (other.usage for other in case.other_models))
    parts = decode_parts(record.other_models)
    assert [(part.model, part.usage, part.cost_usd) for part in parts] == [
        (other.billed_model, other.usage, other.cost_usd) for other in case.other_models
    ]
    assert {name: getattr(record, name) for name in msgspec.structs.asdict(usage)} == msgspec.structs.asdict(usage)


@pytest.mark.parametrize("encoding", COMPRESSIONS)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
def test_the_row_is_the_same_however_the_response_was_compressed(encoding: str, streamed: bool) -> None:
    case = next(case for case in GOLDEN_CASES if case.streamed is streamed and case.cost_usd)
    compressed = case.event(response_body=COMPRESSIONS[encoding](case.body), content_encoding=encoding)
    plain, prices = case.event(), case.price_book()
    assert compressed.response.body != plain.response.body
    assert to_record(compressed, prices)[0] == msgspec.structs.replace(
        to_record(plain, prices)[0], response_bytes=compressed.response.body_bytes
    )


@pytest.mark.parametrize("case", [case for case in GOLDEN_CASES if case.receipt], ids=lambda case: case.name)
def test_a_price_that_was_worked_with_names_who_published_it(case: GoldenCase) -> None:
    """Not the package alone: it is what is tested."""
    assert case.price_source is not None
    assert not case.price_source.startswith("genai-prices")


@pytest.mark.parametrize("case", [case for case in GOLDEN_CASES if case.extractor], ids=lambda case: case.name)
def test_the_classes_agree_with_the_extractor_of_genai_prices(case: GoldenCase) -> None:
    """Its classes overlap: the whole prompt holds what was cached, the whole completion what was thought."""
    assert case.extractor is not None
    assert case.usage is not None
    reply = json.loads(case.body) if not case.streamed else _last_usage(case.body)
    theirs = genai_prices.extract_usage(
        reply | {"model": None}, provider_id=seller_of(case.provider) or "", api_flavor=case.extractor
    ).usage
    for name, classes in THEIRS.items():
        assert theirs.reported_value(name) == sum(getattr(case.usage, ours) for ours in classes), name


def _last_usage(body: bytes) -> dict[str, object]:
    """The response that holds the usage of a stream, put together as a client of the provider would."""
    chunks = [json.loads(chunk) for chunk in (events_of(body) or body.splitlines()) if chunk.startswith(b"{")]
    reply: dict[str, object] = {}
    for chunk in chunks:
        inner = chunk.get("message") or chunk.get("response") or chunk.get("x_groq") or chunk
        usage = {name: value for name, value in (inner.get("usage") or {}).items() if value is not None}
        if usage:
            before = reply.get("usage")
            reply["usage"] = (before if isinstance(before, dict) else {}) | usage
        if "usageMetadata" in inner:
            reply["usageMetadata"] = inner["usageMetadata"]
    return reply


THEIRS = {
    "input_tokens": INPUT,
    "output_tokens": (*COMPLETION, "reasoning_tokens", "citation_tokens"),
    "cache_read_tokens": CACHE_READ,
    "cache_write_tokens": CACHE_WRITE,
    "input_audio_tokens": ("prompt_audio_tokens", "prompt_cache_read_audio_tokens"),
    "cache_audio_read_tokens": ("prompt_cache_read_audio_tokens",),
    "output_audio_tokens": ("completion_audio_tokens",),
    "output_reasoning_tokens": ("reasoning_tokens",),
}


def test_every_provider_with_a_route_has_a_response() -> None:
    without = {provider.name for provider in ROUTED} - {provider_named(case.provider).name for case in GOLDEN_CASES}
    assert without == {"FIRECRAWL"}, "which is no model"


def test_every_class_of_usage_and_every_worked_example_has_a_case() -> None:
    used = {
        name
        for case in GOLDEN_CASES
        for usage in (case.usage, case.billed)
        for name, count in msgspec.structs.asdict(usage or Usage()).items()
        if count
    }
    assert used == {field.name for field in msgspec.structs.fields(Usage)}
    costs = {case.cost_usd for case in GOLDEN_CASES}
    assert {Decimal("0.00024"), Decimal("0.010575"), Decimal("0.9405"), Decimal("0.010125")} <= costs
