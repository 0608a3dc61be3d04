"""Usage x Price -> Charge."""

from decimal import Decimal

import pytest

from schemas.price import CostState, Price, Rate
from schemas.usage import TOKEN_CLASSES, Usage
from services.domain.pricing.charge import charge


def a_price(*, usd_per_request: str = "0", **rates: str | tuple[str, int, str]) -> Price:
    """Rates by class: US dollars a unit, or (base, threshold, above it)."""
    return Price(
        id="price-1",
        provider="openai",
        model="m",
        valid_from=None,
        source="test",
        rates={name: _rate(rate) for name, rate in rates.items()},
        usd_per_request=Decimal(usd_per_request),
    )


def _rate(rate: str | tuple[str, int, str]) -> Rate:
    if isinstance(rate, str):
        return Rate(usd=Decimal(rate))
    base, threshold, above = rate
    return Rate(usd=Decimal(base), tiers=((threshold, Decimal(above)),))


def test_each_class_is_billed_at_its_own_rate() -> None:
    charged = charge(
        Usage(prompt_tokens=600, prompt_cache_read_tokens=400, completion_tokens=200),
        a_price(prompt_tokens="1.5e-7", prompt_cache_read_tokens="0.75e-7", completion_tokens="6e-7"),
    )
    assert (charged.cost_usd, charged.state, charged.price_id) == (Decimal("0.00024"), CostState.PRICED, "price-1")
    assert [line.usage_class for line in charged.lines] == [
        "prompt_tokens",
        "prompt_cache_read_tokens",
        "completion_tokens",
    ]


def test_a_model_without_a_price_has_no_cost_rather_than_none_to_pay() -> None:
    charged = charge(Usage(prompt_tokens=1), None)
    assert (charged.cost_usd, charged.state, charged.lines) == (None, CostState.UNKNOWN_MODEL, ())


@pytest.mark.parametrize(
    "used",
    [
        "prompt_cache_read_tokens",
        "prompt_cache_write_5m_tokens",
        "prompt_cache_write_1h_tokens",
        "prompt_audio_tokens",
        "prompt_image_tokens",
        "prompt_cache_read_audio_tokens",
        "prompt_cache_read_image_tokens",
        "prompt_cache_write_12h_tokens",
        "prompt_video_tokens",
        "prompt_audio_ms",
        "prompt_characters",
        "completion_audio_tokens",
        "completion_image_tokens",
        "completion_video_tokens",
        "citation_tokens",
        "web_searches",
        "file_searches",
        "document_pages",
        "annotated_pages",
    ],
)
def test_a_class_without_a_rate_makes_the_cost_unknown(used: str) -> None:
    price = a_price(prompt_tokens="1e-6", completion_tokens="1e-6")
    charged = charge(Usage(**{"prompt_tokens": 10, used: 1}), price)
    assert (charged.cost_usd, charged.state, charged.price_id) == (None, CostState.PARTIAL, "price-1")


def test_reasoning_is_billed_as_output_unless_it_has_a_rate() -> None:
    usage = Usage(completion_tokens=10, reasoning_tokens=5)
    assert charge(usage, a_price(completion_tokens="2")).cost_usd == 30
    assert charge(usage, a_price(completion_tokens="2", reasoning_tokens="3")).cost_usd == 35


@pytest.mark.parametrize(("prompt", "expected"), [(99, "1"), (100, "1"), (101, "10")])
def test_above_the_threshold_the_whole_request_changes_its_rate(prompt: int, expected: str) -> None:
    price = a_price(prompt_tokens=("0", 100, "0"), completion_tokens=("1", 100, "10"))
    assert charge(Usage(prompt_tokens=prompt, completion_tokens=1), price).cost_usd == Decimal(expected)


def test_the_threshold_counts_all_that_was_put_in_cached_or_not() -> None:
    """One token of each class, with a threshold that none of them may be missing to exceed."""
    put_in = [name for name in TOKEN_CLASSES if name.startswith("prompt_")]
    price = a_price(usd_per_request="0", **dict.fromkeys(put_in, ("1", len(put_in) - 1, "10")))
    assert charge(Usage(**dict.fromkeys(put_in, 1)), price).cost_usd == 10 * len(put_in)


def test_a_fee_by_the_request_is_a_line_of_its_own() -> None:
    charged = charge(Usage(prompt_tokens=1), a_price(prompt_tokens="0.5", usd_per_request="0.012"))
    assert charged.cost_usd == Decimal("0.512")
    assert (charged.lines[-1].usage_class, charged.lines[-1].quantity) == ("request", 1)


def test_a_price_of_zero_is_free_and_no_secret() -> None:
    charged = charge(Usage(prompt_tokens=5), a_price(prompt_tokens="0"))
    assert (charged.cost_usd, charged.state, charged.price_id) == (Decimal(0), CostState.FREE, "price-1")


def test_what_is_finer_than_the_column_is_rounded_half_even_on_a_line_of_its_own() -> None:
    charged = charge(Usage(prompt_tokens=5), a_price(prompt_tokens="0.0000000000005"))
    assert charged.cost_usd == Decimal("0.000000000002")
    assert [(line.usage_class, line.amount_usd) for line in charged.lines] == [
        ("prompt_tokens", Decimal("0.0000000000025")),
        ("rounding", Decimal("-0.0000000000005")),
    ]


def test_a_cost_too_large_for_the_column_is_unknown() -> None:
    assert charge(Usage(prompt_tokens=2**31 - 1), a_price(prompt_tokens="0.001")).state is CostState.PARTIAL
