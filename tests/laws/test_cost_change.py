"""Laws of what changed: the parts add up to the last digit, and a single reason is the only one named."""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.domain.reports.cost_change import CostChange, ModelUse, cost_change

NOTHING = CostChange()
amounts = st.decimals(0, 999_999, places=12)


@st.composite
def uses(draw: st.DrawFn) -> ModelUse:
    """Whatever may be stored: costs only where requests are priced, and values whether or not there is a cost."""
    requests = draw(st.integers(0, 10**6))
    priced = draw(st.integers(0, requests))
    paid = draw(st.integers(0, priced))
    value = draw(amounts) if priced else Decimal(0)
    return ModelUse(
        requests=requests,
        priced=priced,
        paid=paid,
        value=value,
        uncached_value=draw(st.sampled_from([value, value * 3, value + draw(amounts)])) if priced else value,
        cost_usd=draw(st.just(Decimal(0)) | amounts) if priced else Decimal(0),
    )


periods = st.dictionaries(st.sampled_from("abcd"), uses(), max_size=4)


# Hardly any usage of what was dear makes single parts larger by ten digits than the costs.
DEAR = ModelUse(
    requests=1,
    priced=1,
    uncached_value=Decimal("1E-12"),
    value=Decimal("1E-12"),
    cost_usd=Decimal("576460.752196024027"),
)
FREE = ModelUse(requests=1, priced=1, uncached_value=Decimal("0.017347234767"), value=Decimal("0.005782411589"))


@given(before=periods, after=periods)
@example(before={"a": DEAR}, after={"a": FREE})
def test_the_parts_add_up_to_the_difference_to_the_last_digit(
    before: dict[str, ModelUse], after: dict[str, ModelUse]
) -> None:
    change = cost_change(before, after)
    difference = sum(use.cost_usd for use in after.values()) - sum(use.cost_usd for use in before.values())
    assert change.total_usd == difference
    with localcontext(prec=60):
        assert all(part == round(part, 12) for part in msgspec.structs.astuple(change))


@given(period=periods)
def test_what_stays_has_no_reason(period: dict[str, ModelUse]) -> None:
    assert cost_change(period, period) == NOTHING


@given(use=uses(), other=uses())
def test_a_new_group_and_one_that_is_gone_are_volume_where_their_cost_is_known(use: ModelUse, other: ModelUse) -> None:
    group = {"a": use, "b": other}
    cost = use.cost_usd + other.cost_usd
    assert cost_change({}, group) == msgspec.structs.replace(NOTHING, volume_usd=cost)
    assert cost_change(group, {}) == msgspec.structs.replace(NOTHING, volume_usd=-cost)


def used(requests: int = 100, cost: str = "10", **changes: Any) -> ModelUse:
    """Requests of which every one is priced and paid, and whose usage is worth what it cost."""
    reported: dict[str, Any] = {
        "requests": requests,
        "priced": requests,
        "paid": requests,
        "value": Decimal(cost),
        "uncached_value": Decimal(cost),
        "cost_usd": Decimal(cost),
    }
    return ModelUse(**(reported | changes))


UNPRICED: dict[str, Any] = {"priced": 0, "paid": 0, "value": Decimal(0), "uncached_value": Decimal(0)}

SINGLE: Mapping[str, tuple[str, dict[str, ModelUse], dict[str, ModelUse], str]] = {
    "three times the requests": (
        "volume_usd",
        {"a": used(), "b": used(7)},
        {"a": used(300, "30"), "b": used(21, "30")},
        "40",
    ),
    "the same requests to a dearer model": ("model_mix_usd", {"a": used()}, {"b": used(cost="25")}, "15"),
    "a shift between models": (
        "model_mix_usd",
        {"a": used(50, "5"), "b": used(50, "50")},
        {"a": used(80, "8"), "b": used(20, "20")},
        "-27",
    ),
    "longer responses": ("tokens_usd", {"a": used()}, {"a": used(cost="17")}, "7"),
    "another price": ("price_usd", {"a": used()}, {"a": used(cost_usd=Decimal("7.000000000001"))}, "-2.999999999999"),
    "a price for what was free": ("price_usd", {"a": used(cost_usd=Decimal(0))}, {"a": used()}, "10"),
    "half of the responses from the cache": (
        "cache_usd",
        {"a": used()},
        {"a": used(cost="5", paid=50)},
        "-5",
    ),
    "all of the responses from the cache": ("cache_usd", {"a": used()}, {"a": used(cost="0", paid=0)}, "-10"),
    "more input from a prompt cache": (
        "cache_usd",
        {"a": used()},
        {"a": used(uncached_value=Decimal(10), value=Decimal(4), cost_usd=Decimal(4))},
        "-6",
    ),
    "a model that is priced now": (
        "coverage_usd",
        {"a": used(cost="0", **UNPRICED), "b": used()},
        {"a": used(), "b": used()},
        "10",
    ),
    "requests that were not priced": ("coverage_usd", {"a": used()}, {"a": used(cost="6", priced=60, paid=60)}, "-4"),
    "requests to a model without a price": (
        "coverage_usd",
        {"a": used(100, "10")},
        {"a": used(30, "3"), "unknown": used(70, "0", **UNPRICED)},
        "-7",
    ),
    "fees without tokens, twice": (
        "volume_usd",
        {"a": used(value=Decimal(0), uncached_value=Decimal(0))},
        {"a": used(200, "20", value=Decimal(0), uncached_value=Decimal(0))},
        "10",
    ),
    "a higher fee": (
        "price_usd",
        {"a": used(value=Decimal(0), uncached_value=Decimal(0))},
        {"a": used(cost="20", value=Decimal(0), uncached_value=Decimal(0))},
        "10",
    ),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_reason_is_the_only_one_named(name: str) -> None:
    reason, before, after, difference = SINGLE[name]
    there = msgspec.structs.replace(NOTHING, **{reason: Decimal(difference)})
    back = msgspec.structs.replace(NOTHING, **{reason: -Decimal(difference)})
    assert (cost_change(before, after), cost_change(after, before)) == (there, back)


@given(count=st.integers(1, 10**9), times=st.integers(1, 1000), cost=st.decimals("0.000000000001", 1000, places=12))
def test_the_same_traffic_many_times_is_volume_to_the_last_digit(count: int, times: int, cost: Decimal) -> None:
    before, after = used(count, str(cost)), used(count * times, str(cost * times))
    assert cost_change({"a": before}, {"a": after}) == msgspec.structs.replace(NOTHING, volume_usd=cost * (times - 1))


def test_what_two_reasons_do_together_is_in_the_later_one() -> None:
    change = cost_change({"a": used()}, {"a": used(200, "40", value=Decimal(20), uncached_value=Decimal(20))})
    assert (change.volume_usd, change.price_usd, change.total_usd) == (Decimal(10), Decimal(20), Decimal(30))
