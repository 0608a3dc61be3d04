"""What changed between two periods, on both shapes of the warehouse."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.event import Outcome
from schemas.price import CostState, Price, Rate
from tests.servers.querying import Client

PERIODS: dict[str, Any] = {"timeFilter": {"start": "2026-11-01", "end": "2026-12-01"}}
BY_FEATURE: dict[str, Any] = {"by": [{"property": "Feature"}]}
REASONS = ("volume_usd", "model_mix_usd", "tokens_usd", "cache_usd", "price_usd", "coverage_usd")
UNKNOWN: dict[str, Any] = {"cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "price_id": ""}

DREW: dict[str, Any] = {
    "other_models": '[{"model":"artist","usage":{"completion_image_tokens":1000},"cost_usd":0,"cost_state":"free"}]',
    "completion_image_tokens": 1000,
}

# A millionth of a dollar for input, a tenth for cached input, five for output; and twice that.
LIST = Price(
    id="changes-list",
    provider="OPENAI",
    model="m",
    valid_from=None,
    source="test",
    rates={
        "prompt_tokens": Rate(usd=Decimal("0.000001")),
        "prompt_cache_read_tokens": Rate(usd=Decimal("0.0000001")),
        "completion_tokens": Rate(usd=Decimal("0.000005")),
    },
)
DOUBLE = Price(
    id="changes-double",
    provider="OPENAI",
    model="m",
    valid_from=None,
    source="test",
    rates={name: Rate(usd=rate.usd * 2) for name, rate in LIST.rates.items()},
)


def used(month: int, count: int = 1, price: Price = LIST, **changes: Any) -> list[dict[str, Any]]:
    """Requests of a month, charged at `price` unless reported otherwise."""
    tokens = {"prompt_tokens": 1000, "prompt_cache_read_tokens": 0, "completion_tokens": 100}
    tokens |= {name: changes.pop(name) for name in tokens if name in changes}
    cost = sum((price.rates[name].usd * tokens[name] for name in tokens), Decimal(0))
    feature = changes.pop("feature", "chat")
    return [
        {
            "request_created_at": datetime(2026, month, 10, 12, 0, number % 60, tzinfo=UTC),
            "model": "m",
            "cost_usd": cost,
            "price_id": price.id,
            "properties": {"feature": feature},
            **tokens,
            **changes,
        }
        for number in range(count)
    ]


def hit(month: int, **changes: Any) -> list[dict[str, Any]]:
    nothing: dict[str, Any] = {"prompt_tokens": 0, "completion_tokens": 0, "cost_state": CostState.FREE, "price_id": ""}
    return used(month, outcome=Outcome.CACHED, cost_usd=Decimal(0), **nothing, **changes)


def requested(client: Client, **body: Any) -> dict[str, Any]:
    asyncio.run(client.service.warehouse.keep_prices([LIST, DOUBLE]))
    status, response = client.ask("/v1/report/changes", PERIODS | body)
    assert status == 200, response
    data: dict[str, Any] = response["data"]
    return data


def reasons_of(difference: dict[str, Any]) -> dict[str, Decimal]:
    assert sum(difference["reasons"].values()) == difference["difference_usd"]
    return {name: usd for name, usd in difference["reasons"].items() if usd}


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        (used(10, 2), used(11, 5), {"volume_usd": "0.0045"}),
        (used(10, 2), used(11, 2, prompt_tokens=3000), {"tokens_usd": "0.004"}),
        (used(10, 2), used(11, 2, completion_tokens=200), {"tokens_usd": "0.001"}),
        (used(10, 2), used(11, 2, DOUBLE), {"price_usd": "0.003"}),
        (
            used(10, 2),
            used(11, 2, prompt_tokens=200, prompt_cache_read_tokens=800),
            {"cache_usd": "-0.00144"},
        ),
        (used(10, 2), used(11) + hit(11), {"cache_usd": "-0.0015"}),
        (used(10, 2), used(11, 2, model="n", cost_usd=Decimal("0.01")), {"model_mix_usd": "0.017"}),
        # A model that draws beside it makes no price dearer.
        (used(10, 2), used(11) + used(11, **DREW, cost_usd=Decimal("0.0415")), {"model_mix_usd": "0.04"}),
        (used(10, **DREW), used(11, 1, DOUBLE, **DREW), {"price_usd": "0.0015"}),
        (used(10, 2), used(11, 2, **UNKNOWN), {"coverage_usd": "-0.003"}),
        (used(10, 2, **UNKNOWN), used(11, 2), {"coverage_usd": "0.003"}),
        (used(10, 2), used(11) + used(11, model="dark", **UNKNOWN), {"coverage_usd": "-0.0015"}),
        (
            used(10, 2),
            used(11, 4, DOUBLE, completion_tokens=200),
            {"volume_usd": "0.003", "tokens_usd": "0.002", "price_usd": "0.008"},
        ),
        ([], used(11), {"volume_usd": "0.0015"}),
        ([], [], {}),
    ],
)
def test_a_difference_has_its_reasons(
    client: Client, before: list[dict[str, Any]], after: list[dict[str, Any]], reasons: dict[str, str]
) -> None:
    client.keep(*before, *after)
    total = requested(client)["total"]
    assert reasons_of(total) == {name: Decimal(usd) for name, usd in reasons.items()}


def test_the_groups_that_moved_most_come_first_and_add_up_with_the_rest(client: Client) -> None:
    client.keep(
        *used(10, 1, feature="same"),
        *used(11, 1, feature="same"),
        *used(10, 5, feature="gone"),
        *used(11, 3, feature="new"),
        *used(10, 2, feature="grows"),
        *used(11, 9, DOUBLE, feature="grows"),
        *used(11, 1, feature="dark", **UNKNOWN),
    )
    whole = requested(client, **BY_FEATURE)
    reported = [(row["by"][0], row["presence"], row["difference_usd"]) for row in whole["rows"]]
    assert reported == [
        ("grows", "both", Decimal("0.024")),
        ("gone", "gone", Decimal("-0.0075")),
        ("new", "new", Decimal("0.0045")),
        ("dark", "new", 0),
        ("same", "both", 0),
    ]
    assert (whole["rest"], whole["truncated"], whole["rows"][0]["relative"]) == (None, False, 8)
    assert whole["rows"][3]["after"] == {"cost_usd": None, "requests": 1, "unpriced_requests": 1}
    for limit in (1, 2, 4):
        cut = requested(client, **BY_FEATURE, limit=limit)
        assert (cut["rows"], cut["truncated"]) == (whole["rows"][:limit], True)
        assert cut["total"] | {"reasons": 0} == whole["total"] | {"reasons": 0}
        for part in (*cut["rows"], cut["rest"], cut["total"]):
            reasons_of(part)
        for name in REASONS:
            parts = [part["reasons"][name] for part in (*cut["rows"], cut["rest"])]
            assert sum(parts) == cut["total"]["reasons"][name], name


@pytest.mark.parametrize(
    "by",
    [
        [{"time": "day"}, {"property": "Feature"}],
        [{"column": "model"}],
        [{"column": "price_id"}, {"column": "provider"}, {"column": "price_id"}],
        [{"column": "time_to_first_token"}],  # which some have not
    ],
)
def test_it_is_the_difference_that_a_report_shows(client: Client, by: list[dict[str, str]]) -> None:
    client.keep(
        *used(10, 3, time_to_first_token_ms=None),
        *used(11, 2, DOUBLE, time_to_first_token_ms=7),
        *used(11, 2, feature="b", time_to_first_token_ms=None),
        *used(10, 1, **UNKNOWN),
    )
    changes = requested(client, by=by)
    report = client.report(measures=["cost_usd"], **PERIODS, by=by, compare="previous")
    assert (changes["start"], changes["compared_start"]) == (report["start"], report["compared"]["start"])
    total = report["compared"]["total"]
    assert changes["total"]["difference_usd"] == total["change"]["cost_usd"]["absolute"]
    assert changes["total"]["relative"] == total["change"]["cost_usd"]["relative"]
    shown = {tuple(row["by"]): row for row in report["rows"]}
    assert {tuple(row["by"]) for row in changes["rows"]} == shown.keys()
    for row in changes["rows"]:
        beside = shown[tuple(row["by"])]
        assert row["presence"] == beside["compared"]["presence"]
        assert row["after"]["cost_usd"] == beside["measures"]["cost_usd"]
        assert row["before"]["cost_usd"] == beside["compared"]["measures"]["cost_usd"]


@pytest.mark.first_on_server
@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"by": [{"column": "colour"}]}, "colour"),
        ({"compare": None}, "compare"),
        ({"limit": 1001}, "limit"),
        ({"measures": ["cost_usd"]}, "measures"),
        ({"timeZone": "Moon"}, "Moon"),
    ],
)
def test_what_cannot_be_requested_is_refused_by_name(client: Client, body: dict[str, Any], culprit: str) -> None:
    status, refusal = client.ask("/v1/report/changes", PERIODS | body)
    assert (status, culprit in refusal["error"]) == (422, True), refusal
