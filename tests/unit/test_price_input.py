"""Prices as operators enter them: exact, and refused when they are implausible."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.errors import InvalidRequest
from schemas.price import PriceTerms, Rate
from services.domain.pricing.price_input import GivenPrices, GivenTier, terms_of
from tests.builders.records import TIMESTAMP


def usd(**prices: str) -> dict[str, Decimal]:
    return {name: Decimal(price) for name, price in prices.items()}


def terms(given: GivenPrices, **changes: Any) -> PriceTerms:
    requested: dict[str, Any] = {"model": "llama-3*", "valid_from": TIMESTAMP}
    return terms_of(given, **(requested | changes))


def per_million(**prices: str) -> GivenPrices:
    return GivenPrices(usd_per_million_tokens=usd(**prices))


def test_prices_per_million_are_kept_per_token_exactly() -> None:
    rates = terms(per_million(prompt_tokens="0.123456789012", completion_tokens="3")).rates
    assert rates == {
        "prompt_tokens": Rate(usd=Decimal("0.000000123456789012")),
        "completion_tokens": Rate(usd=Decimal("0.000003")),
    }


def test_what_is_not_counted_in_tokens_is_priced_each() -> None:
    given = GivenPrices(
        usd_per_million_tokens={}, usd_per_unit=usd(web_searches="0.01"), usd_per_request=Decimal("0.005")
    )
    kept = terms(given)
    assert (kept.rates, kept.usd_per_request) == ({"web_searches": Rate(usd=Decimal("0.01"))}, Decimal("0.005"))


def test_tiers_are_sorted_and_a_class_without_a_price_in_one_keeps_the_one_below() -> None:
    given = GivenPrices(
        usd_per_million_tokens=usd(prompt_tokens="1", completion_tokens="4"),
        tiers=[
            GivenTier(above_tokens=500_000, usd_per_million_tokens=usd(prompt_tokens="3")),
            GivenTier(above_tokens=200_000, usd_per_million_tokens=usd(prompt_tokens="2", completion_tokens="6")),
        ],
    )
    rates = terms(given).rates
    assert rates["prompt_tokens"].tiers == ((200_000, Decimal("0.000002")), (500_000, Decimal("0.000003")))
    assert rates["completion_tokens"].tiers == ((200_000, Decimal("0.000006")),)


@pytest.mark.parametrize(("given", "kept"), [("", ""), ("default", ""), ("Standard", ""), ("Flex", "flex")])
def test_service_tiers_are_named_as_rows_name_them(given: str, kept: str) -> None:
    assert terms(per_million(prompt_tokens="1"), service_tier=given).tier == kept


def test_a_model_may_be_free_and_must_be_said_to_be() -> None:
    assert terms(per_million(prompt_tokens="0")).rates == {"prompt_tokens": Rate(usd=Decimal(0))}
    with pytest.raises(InvalidRequest, match="no price is given"):
        terms(per_million())


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (per_million(prompt_tokens="-1"), "prompt_tokens: a price is zero or more"),
        (per_million(prompt_tokens="NaN"), "prompt_tokens: a price is zero or more"),
        (per_million(prompt_tokens="Infinity"), "prompt_tokens: a price is zero or more"),
        (per_million(prompt_tokens="1000000.01"), "prompt_tokens: exceeds the maximum of 1000000 US dollars"),
        (per_million(prompt_tokens="1e999999"), "exceeds the maximum"),
        (per_million(prompt_tokens="0.0000025"), "0.0000025 is implausibly low .* give 2.5$"),
        (per_million(prompt_tokens="0.0000000000001"), "up to 12 decimals"),
        (per_million(prompt_tokens="1.0000000000001"), "up to 12 decimals"),
        (per_million(tokens="1"), "unknown usage class 'tokens': known are prompt_tokens, "),
        (per_million(web_searches="10"), "web_searches is sold one by one: give its price in usd_per_unit"),
        (
            GivenPrices(usd_per_million_tokens={}, usd_per_unit=usd(prompt_tokens="1")),
            "prompt_tokens is counted in tokens: give its price in usd_per_million_tokens",
        ),
        (
            GivenPrices(usd_per_million_tokens={}, usd_per_unit=usd(prompt_audio_ms="0.111")),
            "prompt_audio_ms is sold by the hour: give its price in usd_per_hour",
        ),
        (
            GivenPrices(usd_per_million_tokens={}, usd_per_hour=usd(web_searches="1")),
            "web_searches is sold one by one: give its price in usd_per_unit",
        ),
        (GivenPrices(usd_per_million_tokens={}, usd_per_unit=usd(cats="1")), "unknown usage class 'cats'"),
        (
            GivenPrices(usd_per_million_tokens={}, usd_per_unit=usd(web_searches="1001")),
            "web_searches: exceeds the maximum of 1000",
        ),
        (GivenPrices(usd_per_million_tokens={}, usd_per_request=Decimal("-0.1")), "usd_per_request: a price is zero"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_word_why(given: GivenPrices, reported: str) -> None:
    with pytest.raises(InvalidRequest, match=reported):
        terms(given)


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"model": ""}, "model is empty"),
        ({"model": " gpt-4o"}, "model takes up to 200 printable"),
        ({"model": "gpt\x00"}, "model takes up to 200 printable"),
        ({"provider": "x" * 201}, "provider takes up to 200 printable"),
        ({"service_tier": "flex\n"}, "service_tier takes up to 200 printable"),
        ({"valid_until": TIMESTAMP}, "valid_until must be after valid_from"),
        ({"valid_until": TIMESTAMP - timedelta(days=1)}, "valid_until must be after valid_from"),
    ],
)
def test_terms_that_cannot_hold_are_refused(changes: dict[str, Any], reported: str) -> None:
    with pytest.raises(InvalidRequest, match=reported):
        terms(per_million(prompt_tokens="1"), **changes)


@pytest.mark.parametrize(
    ("thresholds", "reported"),
    [([0], "1 or more"), ([-5], "1 or more"), ([7, 7], "each above another"), (list(range(1, 18)), "up to 16")],
)
def test_tiers_that_cannot_hold_are_refused(thresholds: list[int], reported: str) -> None:
    tiers = [GivenTier(above_tokens=above, usd_per_million_tokens=usd(prompt_tokens="2")) for above in thresholds]
    with pytest.raises(InvalidRequest, match=reported):
        terms(GivenPrices(usd_per_million_tokens=usd(prompt_tokens="1"), tiers=tiers))


def test_a_tier_of_a_class_without_a_price_is_refused() -> None:
    tier = GivenTier(above_tokens=200_000, usd_per_million_tokens=usd(completion_tokens="2"))
    with pytest.raises(InvalidRequest, match="completion_tokens has a price in a tier, and none"):
        terms(GivenPrices(usd_per_million_tokens=usd(prompt_tokens="1"), tiers=[tier]))
