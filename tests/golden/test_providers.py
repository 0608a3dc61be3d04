"""Answers as providers give them -> the usage and the cost that were worked out by hand."""

import gzip
import json
import zlib
from collections.abc import Callable
from decimal import Decimal

import brotli
import genai_prices
import msgspec
import pytest

from schemas.usage import Usage
from services.domain.enrich import to_record
from services.domain.exchange.sse import events_of
from services.domain.pricing.charge import charge
from services.domain.usage.parse import parse_response
from services.stores.shipped_prices.book import SELLERS
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
def test_an_answer_is_read_into_disjoint_classes(case: GoldenCase) -> None:
    parsed = parse_response(case.body, case.provider)
    assert parsed.usage == case.usage
    assert (parsed.model, parsed.tier) == (case.model, case.tier)
    assert (parsed.consistent, parsed.complete, parsed.final) == (case.consistent, case.complete, case.final)
    assert (parsed.streamed, parsed.failed) == (case.streamed, case.failed)


@every_case
def test_the_receipt_is_the_one_worked_out_by_hand(case: GoldenCase) -> None:
    parsed = parse_response(case.body, case.provider)
    if case.cost_usd is None or parsed.usage is None:
        return
    price = case.price_book().price_at(case.provider, case.billed_model, case.timestamp, case.billed_tier)
    charged = charge(parsed.usage, price)
    assert tuple((line.usage_class, line.quantity, line.unit_usd, line.amount_usd) for line in charged.lines) == (
        case.receipt
    )
    assert charged.cost_usd == case.cost_usd == sum(count * unit for _, count, unit, _ in case.receipt)


@every_case
def test_the_row_has_the_cost(case: GoldenCase) -> None:
    record = to_record(case.event(), case.price_book())[0]
    assert (record.cost_usd, record.cost_state) == (case.cost_usd, case.state)
    assert (record.model, record.service_tier) == (case.billed_model, case.billed_tier)
    assert record.usage_source is case.source
    assert (record.usage_mismatch, record.usage_incomplete) == (not case.consistent, not case.complete)
    assert record.provider_cost_usd == case.provider_cost_usd
    usage = case.estimated or (case.usage if case.state != "free" else None) or Usage()
    assert {name: getattr(record, name) for name in msgspec.structs.asdict(usage)} == msgspec.structs.asdict(usage)


@pytest.mark.parametrize("encoding", COMPRESSIONS)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
def test_the_row_is_the_same_however_the_answer_was_compressed(encoding: str, streamed: bool) -> None:
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
    answer = json.loads(case.body) if not case.streamed else _last_usage(case.body)
    theirs = genai_prices.extract_usage(
        answer | {"model": None}, provider_id=SELLERS[case.provider], api_flavor=case.extractor
    ).usage
    for name, classes in THEIRS.items():
        assert theirs.reported_value(name) == sum(getattr(case.usage, ours) for ours in classes), name


def _last_usage(body: bytes) -> dict[str, object]:
    """The response that holds the usage of a stream, put together as a client of the provider would."""
    chunks = [json.loads(chunk) for chunk in (events_of(body) or body.splitlines()) if chunk.startswith(b"{")]
    answer: dict[str, object] = {}
    for chunk in chunks:
        inner = chunk.get("message") or chunk.get("response") or chunk.get("x_groq") or chunk
        usage = {name: value for name, value in (inner.get("usage") or {}).items() if value is not None}
        if usage:
            before = answer.get("usage")
            answer["usage"] = (before if isinstance(before, dict) else {}) | usage
        if "usageMetadata" in inner:
            answer["usageMetadata"] = inner["usageMetadata"]
    return answer


READS = ("prompt_cache_read_tokens", "prompt_cache_read_audio_tokens")
WRITES = ("prompt_cache_write_5m_tokens", "prompt_cache_write_1h_tokens")
THEIRS = {
    "input_tokens": (
        "prompt_tokens", *READS, *WRITES, "prompt_audio_tokens", "prompt_image_tokens",
    ),
    "output_tokens": (
        "completion_tokens", "reasoning_tokens", "completion_audio_tokens", "completion_image_tokens",
        "citation_tokens",
    ),
    "cache_read_tokens": READS,
    "cache_write_tokens": WRITES,
    "input_audio_tokens": ("prompt_audio_tokens", "prompt_cache_read_audio_tokens"),
    "cache_audio_read_tokens": ("prompt_cache_read_audio_tokens",),
    "output_audio_tokens": ("completion_audio_tokens",),
    "output_reasoning_tokens": ("reasoning_tokens",),
}  # fmt: skip


def test_every_class_of_usage_and_every_worked_example_has_a_case() -> None:
    used = {
        name
        for case in GOLDEN_CASES
        if case.usage
        for name in msgspec.structs.asdict(case.usage)
        if getattr(case.usage, name)
    }
    assert used == {field.name for field in msgspec.structs.fields(Usage)}
    costs = {case.cost_usd for case in GOLDEN_CASES}
    assert {Decimal("0.00024"), Decimal("0.010575"), Decimal("0.9405"), Decimal("0.010125")} <= costs
