"""Which of several prices is the one of a request."""

import itertools
import weakref
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.price import CostState, OperatorPrice, PriceEnd, Rate
from schemas.usage import Usage
from services.domain.pricing.charge import charge
from services.domain.pricing.price_book import LayeredPrices, PriceBookHistory, effective_at, model_matches
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import TIMESTAMP, an_operator_price

SHIPPED = ShippedPrices()
DAY = timedelta(days=1)


def chosen(*rows: OperatorPrice, model: str = "llama-3-70b", provider: str = "CUSTOM", **requested: Any) -> str:
    """The id of the row that prices a request, or of the shipped price; '' when nothing does."""
    price = LayeredPrices(SHIPPED, rows).price_at(
        provider, model, requested.pop("timestamp", TIMESTAMP), requested.pop("tier", "")
    )
    return "" if price is None else price.id.removeprefix("operator/")


def test_a_row_prices_what_has_no_other_price() -> None:
    assert chosen(model="no-such-model") == ""
    assert chosen(an_operator_price(id="a", model="no-such-model"), model="no-such-model") == "a"


def test_a_row_replaces_the_shipped_price_whole() -> None:
    row = an_operator_price(model="gpt-4o-mini", rates={"prompt_tokens": Rate(usd=Decimal("0.000001"))})
    price = LayeredPrices(SHIPPED, [row]).price_at("OPENAI", "gpt-4o-mini", TIMESTAMP)
    assert price is not None
    assert (price.id, price.source, price.rates) == (f"operator/{row.id}", "operator", row.rates)
    assert charge(Usage(prompt_tokens=1, completion_tokens=1), price).state is CostState.PARTIAL


def test_where_no_row_holds_the_shipped_price_does() -> None:
    shipped = SHIPPED.price_at("OPENAI", "gpt-4o-mini", TIMESTAMP)
    rows = [an_operator_price(model="gpt-4o-mini", valid_from=TIMESTAMP + DAY), an_operator_price(model="gpt-5")]
    assert LayeredPrices(SHIPPED, rows).price_at("OPENAI", "gpt-4o-mini", TIMESTAMP) == shipped


def test_a_row_holds_from_its_start_to_before_its_end() -> None:
    row = an_operator_price(id="a", valid_from=TIMESTAMP, valid_until=TIMESTAMP + DAY)
    tick = timedelta(microseconds=1)
    for timestamp, expected in [
        (TIMESTAMP - tick, ""),
        (TIMESTAMP, "a"),
        (TIMESTAMP + DAY - tick, "a"),
        (TIMESTAMP + DAY, ""),
    ]:
        assert chosen(row, timestamp=timestamp) == expected, timestamp


def test_a_row_that_ends_before_it_starts_holds_never() -> None:
    assert chosen(an_operator_price(valid_from=TIMESTAMP, valid_until=TIMESTAMP - DAY)) == ""


BY_PRECEDENCE = [
    {"model": "llama-3-70b", "provider": "CUSTOM", "valid_from": TIMESTAMP - 2 * DAY},
    {"model": "llama-3-70b", "valid_from": TIMESTAMP - DAY, "effective_for_events_since": TIMESTAMP - DAY},
    {"model": "llama-3-70b", "valid_from": TIMESTAMP - DAY, "effective_for_events_since": TIMESTAMP - 2 * DAY},
    {"model": "llama-3-70b", "valid_from": TIMESTAMP - 2 * DAY, "effective_for_events_since": TIMESTAMP},
    {"model": "llama-3-*b", "provider": "custom", "valid_from": TIMESTAMP - 2 * DAY},
    {"model": "llama-3-*b", "valid_from": TIMESTAMP},
    {"model": "llama-*", "provider": "custom", "valid_from": TIMESTAMP},
    {"model": "*", "provider": "CUSTOM", "valid_from": TIMESTAMP},
    {"model": "*", "valid_from": TIMESTAMP},
]


def test_names_come_before_patterns_longer_ones_before_shorter_then_the_provider_and_then_the_latest() -> None:
    rows = [an_operator_price(id=str(number), **changes) for number, changes in enumerate(BY_PRECEDENCE)]
    for first in range(len(rows)):
        assert chosen(*rows[first:]) == str(first)
        assert chosen(*reversed(rows[first:])) == str(first)


def test_the_order_in_which_rows_are_known_decides_nothing() -> None:
    rows = [an_operator_price(id=id_) for id_ in "abc"]
    assert {chosen(*order) for order in itertools.permutations(rows)} == {"c"}


@pytest.mark.parametrize(
    ("given", "stored", "is_same"),
    [
        ("azure_openai", "AZURE", True),
        ("azure", "AZURE_OPENAI", True),
        ("bedrock", "AWS", True),
        ("aws.bedrock", "AWS", True),
        ("Bedrock", "BEDROCK", True),
        ("acme", "ACME", True),
        ("bedrock", "AZURE", False),
        ("openai", "AZURE", False),
    ],
)
def test_a_row_is_of_a_provider_by_any_of_its_names(given: str, stored: str, is_same: bool) -> None:
    assert bool(chosen(an_operator_price(provider=given), provider=stored)) is is_same


def test_a_row_of_another_provider_or_organization_is_no_row() -> None:
    assert chosen(an_operator_price(provider="OPENAI")) == ""
    books = PriceBookHistory(
        SHIPPED, [an_operator_price(organization_id="org-1"), an_operator_price(organization_id="o-2")]
    )
    found = [
        books.prices_of(name, TIMESTAMP).price_at("CUSTOM", "llama-3-70b", TIMESTAMP)
        for name in ("org-1", "o-2", "org-3")
    ]
    assert [price is None for price in found] == [False, False, True]


def test_a_row_counts_for_what_is_recorded_since_it_is_known_until_its_end_is() -> None:
    end = PriceEnd(at=TIMESTAMP - DAY, effective_for_events_since=TIMESTAMP + 3 * DAY)
    books = PriceBookHistory(SHIPPED, [an_operator_price(effective_for_events_since=TIMESTAMP + DAY, ends=(end,))])

    def holds(recorded_at: datetime) -> bool:
        return books.prices_of("org-1", recorded_at).price_at("CUSTOM", "llama-3-70b", TIMESTAMP) is not None

    tick = timedelta(microseconds=1)
    first, last = TIMESTAMP + DAY, TIMESTAMP + 3 * DAY - tick
    timestamps = (first - tick, first, last, last + tick, first, TIMESTAMP)
    assert [holds(timestamp) for timestamp in timestamps] == [False, True, True, False, True, False]


def test_of_several_ends_the_first_counts_once_it_is_known() -> None:
    ends = (
        PriceEnd(at=TIMESTAMP + 2 * DAY, effective_for_events_since=TIMESTAMP),
        PriceEnd(at=TIMESTAMP - DAY, effective_for_events_since=TIMESTAMP + DAY),
    )
    row = an_operator_price(id="a", valid_until=TIMESTAMP + 5 * DAY, ends=ends)
    assert row.holds_until == TIMESTAMP - DAY
    assert chosen(row) == ""
    before, between, after = (effective_at([row], TIMESTAMP + days * DAY)[0].holds_until for days in (-1, 0, 1))
    assert (before, between, after) == (TIMESTAMP + 5 * DAY, TIMESTAMP + 2 * DAY, TIMESTAMP - DAY)


def test_changes_without_end_do_not_fill_the_memory() -> None:
    rows = [
        an_operator_price(id=str(number), effective_for_events_since=TIMESTAMP + number * DAY) for number in range(100)
    ]
    books = PriceBookHistory(SHIPPED, rows)
    found = [weakref.ref(books.prices_of("org-1", TIMESTAMP + number * DAY)) for number in range(100)]
    assert 0 < sum(book() is not None for book in found) <= 16


def test_a_row_is_of_one_service_tier() -> None:
    standard, flex = an_operator_price(id="standard"), an_operator_price(id="flex", tier="flex")
    assert chosen(standard, flex) == "standard"
    assert chosen(standard, flex, tier="flex") == "flex"


def test_a_model_whose_rows_are_of_other_tiers_is_known_without_rates() -> None:
    row = an_operator_price(usd_per_request=Decimal("0.04"))
    price = LayeredPrices(SHIPPED, [row]).price_at("CUSTOM", "llama-3-70b", TIMESTAMP, "priority")
    assert price is not None
    assert (price.rates, price.usd_per_request, price.tier) == ({}, Decimal(0), "priority")
    assert charge(Usage(prompt_tokens=1), price).state is CostState.PARTIAL


def test_a_tier_that_only_the_shipped_prices_know_keeps_its_price() -> None:
    shipped = SHIPPED.price_at("OPENAI", "gpt-5", TIMESTAMP, "flex")
    row = an_operator_price(model="gpt-5")
    assert LayeredPrices(SHIPPED, [row]).price_at("OPENAI", "gpt-5", TIMESTAMP, "flex") == shipped


def test_a_row_of_the_standard_tier_holds_for_every_depth_of_search_that_has_no_row() -> None:
    """Perplexity names a depth in every response, so that a row of the standard tier would never hold."""
    standard, high = an_operator_price(id="standard", model="sonar*"), an_operator_price(id="high", tier="search-high")
    high = msgspec.structs.replace(high, model="sonar")
    for tier, expected in [("search-low", "standard"), ("search-high", "high"), ("", "standard")]:
        assert chosen(standard, high, provider="PERPLEXITY", model="sonar", tier=tier) == expected
    assert chosen(standard, provider="PERPLEXITY", model="sonar", tier="flex").startswith("genai-prices")
    assert chosen(provider="PERPLEXITY", model="sonar", tier="search-low").startswith("genai-prices")


def test_nothing_prices_a_request_without_a_model() -> None:
    assert chosen(an_operator_price(model="*"), model="") == ""


@pytest.mark.parametrize(
    ("pattern", "model", "expected"),
    [
        ("gpt-4o", "GPT-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o*", "gpt-4o", True),
        ("*-mini", "gpt-4o-mini", True),
        ("gpt-*-mini", "gpt-4o-mini", True),
        ("gpt-*-mini", "gpt-mini", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("**", "x", True),
        ("g.t", "gpt", False),
    ],
)
def test_a_star_stands_for_any_text(pattern: str, model: str, *, expected: bool) -> None:
    assert model_matches(pattern, model) is expected


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_pattern_matches_what_a_plain_reading_of_it_matches(pattern: str, model: str) -> None:
    def plainly(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(plainly(pattern[1:], text[skipped:]) for skipped in range(len(text) + 1))
        return text[:1] == pattern[0] and plainly(pattern[1:], text[1:])

    assert model_matches(pattern, model) is plainly(pattern, model)


def test_names_without_end_do_not_fill_the_memory() -> None:
    book = LayeredPrices(SHIPPED, [an_operator_price(model="m-*")])
    first = book.price_at("CUSTOM", "m-0", TIMESTAMP)
    assert book.price_at("CUSTOM", "m-0", TIMESTAMP) is first
    for number in range(10_050):
        book.price_at("CUSTOM", f"m-{number}", TIMESTAMP)
    again = book.price_at("CUSTOM", "m-0", TIMESTAMP)
    assert again == first
    assert again is not first


def test_a_price_made_from_a_row_survives_being_kept_as_json() -> None:
    price = LayeredPrices(SHIPPED, [an_operator_price()]).price_at("CUSTOM", "llama-3-70b", TIMESTAMP)
    assert msgspec.json.decode(msgspec.json.encode(price), type=type(price)) == price
