"""What a sum of usage is worth elsewhere, and what a broken prompt cache cost: by hand."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.price import MS_AN_HOUR, Price, Rate
from services.domain.savings.prompt_cache import Kept, Loss, Lost, kept_of, loss_of
from services.domain.savings.what_if import Apart, Bounds, Use, bounds_at


def rate(per_million: str, **changes: Any) -> Rate:
    return Rate(usd=Decimal(per_million) / 10**6, **changes)


def a_price(rates: dict[str, Rate], **changes: Any) -> Price:
    return Price(id="p", provider="P", model="m", valid_from=None, source="test", rates=rates, **changes)


def used(requests: int = 1, context_tokens: int = 0, **usage: int) -> Use:
    return Use(requests=requests, usage=usage, context_tokens=context_tokens)


TEXT = {"prompt_tokens": rate("1"), "completion_tokens": rate("4")}
CACHED = TEXT | {
    "prompt_cache_read_tokens": rate("0.1"),
    "prompt_cache_write_5m_tokens": rate("1.25"),
    "prompt_cache_write_1h_tokens": rate("2"),
}


@pytest.mark.parametrize(
    ("use", "price", "expected"),
    [
        (used(prompt_tokens=10, completion_tokens=5), a_price(TEXT), ("0.00003", "0.00003")),
        (used(completion_tokens=0, prompt_tokens=1), a_price({"prompt_tokens": rate("1")}), ("0.000001", "0.000001")),
        # Reasoning is billed as output; a class without a price cannot be valued.
        (used(reasoning_tokens=5), a_price(TEXT), ("0.00002", "0.00002")),
        (used(prompt_tokens=10, web_searches=1), a_price(TEXT), None),
        (used(prompt_audio_tokens=1), a_price(TEXT), None),
        (used(prompt_tokens=1), a_price({}), None),
        # Cached or plain: the cheaper and the dearer of both.
        (used(prompt_cache_read_tokens=10), a_price(CACHED), ("0.000001", "0.00001")),
        (used(prompt_cache_read_tokens=10), a_price(TEXT), ("0.00001", "0.00001")),
        (used(prompt_cache_write_1h_tokens=10), a_price(CACHED), ("0.00001", "0.00002")),
        (used(prompt_cache_read_audio_tokens=10), a_price({"prompt_audio_tokens": rate("8")}), ("0.00008", "0.00008")),
        # Fees, context tiers, limits, and what is included in another class.
        (used(3, prompt_tokens=1), a_price(TEXT, usd_per_request=Decimal("0.5")), ("1.500001", "1.500001")),
        (
            used(prompt_tokens=400, context_tokens=201),
            a_price({"prompt_tokens": rate("1", tiers=((200, Decimal("0.000002")),))}),
            ("0.0008", "0.0008"),
        ),
        (used(prompt_tokens=1, context_tokens=201), a_price(TEXT, max_prompt_tokens=200), None),
        (
            used(prompt_tokens=1, web_searches=1),
            a_price(TEXT | {"web_searches": rate("0")}, included_in={"web_searches": "file_searches"}),
            None,
        ),
        # By the hour, and in steps of ten seconds at least.
        (
            used(2, prompt_audio_ms=3_600_000),
            a_price({"prompt_audio_ms": Rate(usd=Decimal("0.36"), per=MS_AN_HOUR, at_least=10_000)}),
            ("0.36", "0.362"),
        ),
    ],
)
def test_usage_is_worth_so_much_at_a_price(use: Use, price: Price, expected: tuple[str, str] | None) -> None:
    found = bounds_at(use, price)
    bounds = None if found is None else found.rounded()
    assert bounds == (expected and Bounds(low_usd=Decimal(expected[0]), high_usd=Decimal(expected[1])))


def test_tokens_of_another_model_may_differ_and_searches_may_not() -> None:
    price = a_price(TEXT | {"web_searches": rate("10000")})
    apart = Apart(input=Decimal("0.2"), output=Decimal("0.5"))
    found = bounds_at(used(prompt_tokens=100, completion_tokens=100, web_searches=1), price, apart)
    assert found == Bounds(low_usd=Decimal("0.01028"), high_usd=Decimal("0.01072"))


@pytest.mark.parametrize(
    ("lost", "rates", "expected"),
    [
        ({"unread": {"prompt_cache_write_5m_tokens": 1000}}, CACHED, ("0.00025", "0")),
        ({"unread": {"prompt_cache_write_1h_tokens": 1000}}, CACHED, ("0.001", "0")),
        ({"unread": {"prompt_cache_write_12h_tokens": 1000}}, CACHED, ("0", "0")),
        ({"repaid": 1000}, CACHED, ("0", "0.0009")),
        ({"repaid_written": 1000}, CACHED, ("0", "0.0009")),
        ({"repaid": 1000}, TEXT, ("0", "0")),
        ({"repaid_written": 1000}, CACHED | {"prompt_cache_write_5m_tokens": rate("0.5")}, ("0", "0.0004")),
        ({"repaid": 1000}, TEXT | {"prompt_cache_read_tokens": rate("2")}, ("0", "0")),
        ({"repaid": 1000}, {"completion_tokens": rate("1")}, None),
    ],
)
def test_a_broken_cache_loses_the_difference_of_prices(
    lost: dict[str, Any], rates: dict[str, Rate], expected: tuple[str, str] | None
) -> None:
    nothing: dict[str, Any] = {"unread": {}, "repaid": 0, "repaid_written": 0}
    found = loss_of(Lost(**(nothing | lost)), a_price(rates), 0)
    assert found == (expected and Loss(unread_usd=Decimal(expected[0]), repaid_usd=Decimal(expected[1])))


def test_without_a_price_nothing_is_known_to_be_lost() -> None:
    assert loss_of(Lost(unread={}, repaid=1, repaid_written=0), None, 0) is None


@pytest.mark.parametrize(
    ("read", "written", "rates", "expected"),
    [
        (1000, {}, CACHED, ("0.0009", "0")),
        (0, {"prompt_cache_write_5m_tokens": 1000, "prompt_cache_write_1h_tokens": 1000}, CACHED, ("0", "0.00125")),
        (1000, {"prompt_cache_write_5m_tokens": 1000}, TEXT, ("0", "0")),
        (1000, {}, {"completion_tokens": rate("1")}, None),
    ],
)
def test_a_cache_saves_on_what_is_read_and_costs_more_on_what_is_written(
    read: int, written: dict[str, int], rates: dict[str, Rate], expected: tuple[str, str] | None
) -> None:
    found = kept_of(read, written, a_price(rates), 0)
    assert found == (expected and Kept(read_usd=Decimal(expected[0]), written_usd=Decimal(expected[1])))
