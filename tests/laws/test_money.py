"""The lines of a receipt add up to the charge, and the warehouse's sum equals an independent ledger: exactly."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cache, reduce
from random import Random
from uuid import UUID

import genai_prices
import msgspec
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from schemas.price import CostState, Price, Rate
from schemas.usage import CACHE_READ, CACHE_WRITE, COMPLETION, PROMPT, USAGE_CLASSES, Usage
from services.domain.enrich import to_record
from services.domain.pricing.charge import charge, rates_for
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.shipped_prices.names import NAMES, seller_of
from tests.builders.exchanges import some_exchanges
from tests.builders.records import an_event, chat_response
from tests.golden.cases import GOLDEN_CASES
from tests.servers.warehouses import insert, ledger, total_of

EXACT = Context(prec=200)
UNIT = Decimal("1e-12")
TIMESTAMPS = [
    datetime(2024, 6, 1, 3, tzinfo=UTC),
    datetime(2025, 9, 1, 12, tzinfo=UTC),
    datetime(2026, 11, 1, 20, tzinfo=UTC),
]

counts = st.one_of(st.just(0), st.integers(0, 5000), st.integers(0, 2**31 - 1))
usages = st.builds(Usage, **dict.fromkeys(USAGE_CLASSES, counts))
money = st.decimals(0, "0.00003", places=18, allow_nan=False)  # so that no sum is more than the column holds
rates = st.builds(
    Rate, usd=money, tiers=st.lists(st.tuples(st.integers(1, 10**6), money), max_size=2).map(sorted).map(tuple)
)
prices = st.builds(
    Price,
    id=st.just("p"),
    provider=st.just("openai"),
    model=st.just("m"),
    valid_from=st.none(),
    source=st.just("drawn"),
    rates=st.fixed_dictionaries(dict.fromkeys(USAGE_CLASSES, rates)),
    usd_per_request=money,
)


@given(usages, prices)
def test_the_lines_of_a_receipt_add_up_to_the_cost(usage: Usage, price: Price) -> None:
    charged = charge(usage, price)
    assert charged.cost_usd is not None
    assert charged.state is (CostState.PRICED if charged.cost_usd else CostState.FREE)
    total = Decimal(0)
    for line in charged.lines:
        assert EXACT.multiply(line.unit_usd, line.quantity) == line.amount_usd
        total = EXACT.add(total, line.amount_usd)
    assert total == charged.cost_usd
    assert charged.cost_usd == charged.cost_usd.quantize(UNIT)
    billed = {line.usage_class for line in charged.lines} & set(USAGE_CLASSES)
    assert billed == _used(usage)


ratios = st.builds(Rate, usd=money, per=st.sampled_from([1, 3, 7, 3600]), at_least=st.sampled_from([0, 10]))


@given(usages, st.fixed_dictionaries(dict.fromkeys(USAGE_CLASSES, ratios)))
def test_a_price_that_does_not_divide_into_units_is_charged_exactly(usage: Usage, by_class: dict[str, Rate]) -> None:
    charged = charge(usage, Price(id="p", provider="", model="", valid_from=None, source="drawn", rates=by_class))
    billed = {name: max(getattr(usage, name), by_class[name].at_least) for name in _used(usage)}
    exact = sum(Fraction(by_class[name].usd) * count / by_class[name].per for name, count in billed.items())
    assert charged.cost_usd is not None
    assert Fraction(charged.cost_usd) == Fraction(round(exact * 10**12), 10**12)
    assert reduce(EXACT.add, (line.amount_usd for line in charged.lines), Decimal(0)) == charged.cost_usd


@given(usages, prices)
def test_what_was_not_used_needs_no_rate(usage: Usage, price: Price) -> None:
    needed = msgspec.structs.replace(price, rates={name: price.rates[name] for name in _used(usage)})
    assert charge(usage, needed) == charge(usage, price)


# Reasoning without a rate of its own is billed as output.
@given(usages, prices, st.sampled_from(sorted({*USAGE_CLASSES} - {"reasoning_tokens"})), st.integers(1, 2**31 - 1))
def test_a_used_class_without_a_rate_makes_the_cost_unknown(usage: Usage, price: Price, name: str, count: int) -> None:
    rates_left = {known: rate for known, rate in price.rates.items() if known != name}
    lacking = msgspec.structs.replace(price, rates=rates_left)
    charged = charge(msgspec.structs.replace(usage, **{name: count}), lacking)
    assert (charged.cost_usd, charged.state, charged.lines) == (None, CostState.PARTIAL, ())


@given(usages, prices, st.sampled_from(USAGE_CLASSES))
def test_using_more_never_costs_less(usage: Usage, price: Price, name: str) -> None:
    """As long as no threshold is crossed, at which a provider may become cheaper."""
    flat = msgspec.structs.replace(price, rates={known: Rate(usd=rate.usd) for known, rate in price.rates.items()})
    more = msgspec.structs.replace(usage, **{name: getattr(usage, name) + 1})
    before, after = charge(usage, flat).cost_usd, charge(more, flat).cost_usd
    assert before is not None
    assert after is not None
    assert before <= after


def _used(usage: Usage) -> set[str]:
    return {name for name in USAGE_CLASSES if getattr(usage, name)}


@cache
def _known_models() -> list[tuple[str, str]]:
    """Every model of every provider that we name."""
    return [(NAMES[provider.id], model.id) for provider in get_snapshot().providers for model in provider.models]


def _drawn(draw: Random, price: Price) -> Usage:
    """Some of the classes that `price` has rates for; from a few tokens to above every threshold."""
    most = draw.choice((10, 3000, 150_000, 400_000))
    return Usage(**{name: draw.randrange(most) for name in price.rates if draw.random() < 0.7})


def test_every_known_model_costs_what_genai_prices_states() -> None:
    """For the classes that have a rate. Where a class has none, theirs takes the whole prompt's or completion's, and
    ours is unknown: one-hour writes, audio, and cache reads of models whose prices for those nobody published. So it is
    beyond what a price is known to be about: a longer prompt, text without the audio that it comes with.
    """
    draw, book, compared, beyond = Random(7), ShippedPrices(), set(), set()
    for provider, model in _known_models():
        for timestamp in TIMESTAMPS:
            price = book.price_at(provider, model, timestamp)
            if price is None or not price.rates:
                continue
            usage = _drawn(draw, price)
            ours = charge(usage, price).cost_usd
            if not rates_for(usage, price).keys() >= _used(usage):
                assert ours is None, (price.id, usage)
                beyond.add((provider, model))
                continue
            theirs = genai_prices.calc_price(
                _their_usage(usage), model, provider_id=seller_of(provider), genai_request_timestamp=timestamp
            ).total_price
            assert ours == theirs.quantize(UNIT, ROUND_HALF_EVEN), (price.id, usage)
            compared.add((provider, model))
    assert len(compared) > 0.8 * len(_known_models())
    assert beyond


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_service_tiers_cost_what_genai_prices_states(tier: str) -> None:
    book, timestamp, usage, compared = ShippedPrices(), TIMESTAMPS[2], Usage(prompt_tokens=900, completion_tokens=50), 0
    for provider, model in _known_models():
        if provider not in ("OPENAI", "GOOGLE"):
            continue
        ours = charge(usage, book.price_at(provider, model, timestamp, tier)).cost_usd
        if ours is None:
            continue
        compared += 1
        theirs = genai_prices.calc_price(
            _their_usage(usage),
            model,
            provider_id=seller_of(provider),
            genai_request_timestamp=timestamp,
            price_context={"service_tier": tier},
        ).total_price
        assert ours == theirs.quantize(UNIT), model
    assert compared >= 4


# What is both: cached and audio, say. Our classes are disjoint, so there is none of it.
OVERLAPS = ("cache_text_read_tokens",)


def _their_usage(usage: Usage) -> genai_prices.Usage:
    """The same usage in overlapping classes."""
    written = sum(getattr(usage, name) for name in CACHE_WRITE)
    read = sum(getattr(usage, name) for name in CACHE_READ)
    inputs = sum(getattr(usage, name) for name in PROMPT) + read
    images = usage.prompt_image_tokens + usage.prompt_cache_read_image_tokens
    outputs = sum(getattr(usage, name) for name in COMPLETION) + usage.reasoning_tokens + usage.citation_tokens
    return genai_prices.Usage(
        input_tokens=inputs + written,
        cache_read_tokens=read,
        cache_audio_read_tokens=usage.prompt_cache_read_audio_tokens,
        cache_write_tokens=written,
        cache_write_5m_tokens=usage.prompt_cache_write_5m_tokens,
        cache_write_1h_tokens=usage.prompt_cache_write_1h_tokens,
        input_audio_tokens=usage.prompt_audio_tokens + usage.prompt_cache_read_audio_tokens,
        cache_image_read_tokens=usage.prompt_cache_read_image_tokens,
        input_audio_seconds=usage.prompt_audio_ms / Decimal(1000),
        audio_seconds=usage.prompt_audio_ms / Decimal(1000),
        input_image_tokens=images,
        input_video_tokens=usage.prompt_video_tokens,
        output_tokens=outputs,
        output_reasoning_tokens=usage.reasoning_tokens,
        output_audio_tokens=usage.completion_audio_tokens,
        output_image_tokens=usage.completion_image_tokens,
        output_video_tokens=usage.completion_video_tokens,
        output_citation_tokens=usage.citation_tokens,
        web_searches=usage.web_searches,
        storage_searches=usage.file_searches,
        input_characters=usage.prompt_characters,
        input_document_pages=usage.document_pages + usage.annotated_pages,
        input_annotated_document_pages=usage.annotated_pages,
        **dict.fromkeys(OVERLAPS, 0),
    )


def test_the_warehouse_sums_what_was_charged_exactly(warehouse: ClickHouseWarehouse, organization_id: str) -> None:
    book = ShippedPrices()
    records = [to_record(event, book)[0] for event in some_exchanges(3000, organization_id=organization_id)]
    insert(warehouse, records)
    assert ledger(records)[1] > 0
    assert total_of(warehouse, organization_id) == ledger(records)


def test_the_warehouse_sums_every_kind_of_response_to_what_was_worked_out_by_hand(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    records = []
    for number, case in enumerate(GOLDEN_CASES):
        event = case.event()
        named = {"organization_id": organization_id, "request_id": str(UUID(int=number + 1, version=4))}
        request = msgspec.structs.replace(event.request, **named)
        records.append(to_record(msgspec.structs.replace(event, request=request), case.price_book())[0])
    insert(warehouse, records)
    by_hand = [case.charged_usd for case in GOLDEN_CASES if case.charged_usd is not None]
    assert total_of(warehouse, organization_id) == ledger(records) == (len(GOLDEN_CASES), sum(by_hand))


def test_an_unknown_model_moves_the_coverage_and_never_the_total(
    warehouse: ClickHouseWarehouse, organization_id: str
) -> None:
    book = ShippedPrices()
    known = to_record(an_event(organization_id=organization_id), book)[0]
    insert(warehouse, [known])
    assert total_of(warehouse, organization_id) == (1, known.cost_usd)
    unknown = an_event(
        organization_id=organization_id,
        request_id="01932c07-2a00-7000-8000-000000000002",
        response_body=chat_response(model="no-such-model"),
    )
    insert(warehouse, [to_record(unknown, book)[0]])
    assert total_of(warehouse, organization_id) == (2, known.cost_usd)
