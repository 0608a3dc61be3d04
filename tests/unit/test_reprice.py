"""Which stored rows are repriced, at which price, and what the differences add up to."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.event import Outcome
from schemas.price import CostState, Price, PriceBook, Rate
from schemas.reprice import ChargedRow
from schemas.usage import Usage, UsageSource
from schemas.versions import next_version, version_after, version_of
from services.domain.pricing import reprice
from services.domain.pricing.reprice import REST, Differences, charge_again, correction_of
from tests.builders.records import TIMESTAMP

NEW = Price(
    id="new",
    provider="",
    model="*",
    valid_from=None,
    source="operator",
    rates={"prompt_tokens": Rate(usd=Decimal("0.001"))},
)


class OneBook:
    """Knows one price, which is in force from one timestamp on, for one tier."""

    def __init__(self, price: Price = NEW) -> None:
        self._price = price

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        known = (provider, model, tier) == ("OPENAI", "gpt-9", "flex") and timestamp >= TIMESTAMP
        return self._price if known else None


def a_row(**changes: Any) -> ChargedRow:
    values: dict[str, Any] = {
        "organization_id": "org-1",
        "request_created_at": TIMESTAMP,
        "request_id": "01932c07-2a00-7000-8000-000000000001",
        "version": 7,
        "provider": "OPENAI",
        "model": "gpt-9",
        "service_tier": "flex",
        "status": 200,
        "outcome": Outcome.COMPLETED,
        "usage": Usage(prompt_tokens=3),
        "usage_source": UsageSource.PROVIDER,
        "usage_mismatch": False,
        "usage_incomplete": False,
        "cost_usd": Decimal("0.5"),
        "cost_state": CostState.PRICED,
        "price_id": "old",
        "reprice_id": "",
        "original_cost_usd": None,
    }
    return ChargedRow(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "charged"),
    [
        ({}, (Decimal("0.003"), CostState.PRICED)),
        (
            {"usage_source": UsageSource.DRAINED, "outcome": Outcome.CLIENT_DISCONNECTED},
            (Decimal("0.003"), CostState.PRICED),
        ),
        ({"model": "gpt-8"}, (None, CostState.UNKNOWN_MODEL)),
        ({"provider": "AZURE"}, (None, CostState.UNKNOWN_MODEL)),
        ({"service_tier": ""}, (None, CostState.UNKNOWN_MODEL)),
        ({"request_created_at": TIMESTAMP - timedelta(milliseconds=1)}, (None, CostState.UNKNOWN_MODEL)),
        ({"usage": Usage(prompt_tokens=3, completion_tokens=1)}, (None, CostState.PARTIAL)),
        ({"usage_mismatch": True}, (None, CostState.PARTIAL)),
        ({"usage_incomplete": True}, (None, CostState.PARTIAL)),
        ({"cost_usd": Decimal(0), "cost_state": CostState.FREE}, (Decimal("0.003"), CostState.PRICED)),
    ],
    ids=str,
)
def test_a_row_is_charged_by_the_price_of_its_timestamp(changes: dict[str, Any], charged: object) -> None:
    again = charge_again(a_row(**changes), OneBook())
    assert again is not None
    assert (again.cost_usd, again.state) == charged


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": Outcome.CACHED},
        {"outcome": Outcome.REFUSED},
        {"usage_source": UsageSource.ESTIMATED},
        {"usage_source": UsageSource.NONE, "cost_usd": None, "cost_state": CostState.TRUNCATED, "price_id": ""},
        {"cost_usd": Decimal(0), "cost_state": CostState.FREE, "price_id": ""},
    ],
    ids=str,
)
def test_what_no_price_decided_stays(changes: dict[str, Any]) -> None:
    assert charge_again(a_row(**changes), OneBook()) is None
    assert correct(a_row(**changes)) is None


MISSING: dict[str, Any] = {
    "usage": Usage(),
    "usage_source": UsageSource.NONE,
    "cost_usd": None,
    "cost_state": CostState.NO_USAGE,
    "price_id": "",
}


EACH_REQUEST = msgspec.structs.replace(NEW, rates={}, usd_per_request=Decimal("0.04"))


def test_what_reported_no_usage_is_charged_where_each_request_has_a_price() -> None:
    assert correct(a_row(**MISSING)) is None
    priced = correct(a_row(**MISSING), OneBook(EACH_REQUEST))
    assert (priced.cost_usd, priced.cost_state, priced.price_id) == (Decimal("0.04"), CostState.PRICED, "new")
    charged = {"cost_usd": Decimal("0.04"), "cost_state": CostState.PRICED, "price_id": "new"}
    assert correct(a_row(**MISSING | charged), OneBook(EACH_REQUEST)) is None
    assert correct(a_row(**MISSING | charged)).cost_state is CostState.NO_USAGE


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": Outcome.TIMED_OUT},
        {"outcome": Outcome.CLIENT_DISCONNECTED},
        {"outcome": Outcome.UPSTREAM_ERROR},
        {"status": 500},
    ],
    ids=str,
)
def test_what_broke_off_or_failed_is_not_charged_by_the_request(changes: dict[str, Any]) -> None:
    assert correct(a_row(**MISSING | changes), OneBook(EACH_REQUEST)) is None


def correct(row: ChargedRow, book: PriceBook | None = None) -> Any:
    return correction_of(row, book or OneBook(), reprice_id="run-2", timestamp=TIMESTAMP)


def test_a_correction_keeps_what_was_and_what_was_charged_at_first() -> None:
    first = correct(a_row())
    assert (first.cost_usd, first.price_id, first.original_cost_usd) == (Decimal("0.003"), "new", Decimal("0.5"))
    assert (first.prior_cost_usd, first.prior_price_id, first.prior_reprice_id) == (Decimal("0.5"), "old", "")
    second = correct(a_row(reprice_id="run-1", original_cost_usd=Decimal("0.4")))
    assert (second.original_cost_usd, second.prior_original_cost_usd) == (Decimal("0.4"), Decimal("0.4"))
    assert (second.reprice_id, second.prior_reprice_id) == ("run-2", "run-1")


def test_what_was_unknown_at_first_stays_recorded_as_that() -> None:
    again = correct(a_row(reprice_id="run-1", original_cost_usd=None))
    assert again.original_cost_usd is None


def test_a_row_that_costs_the_same_is_left_alone_whatever_its_price_is_called() -> None:
    assert correct(a_row(cost_usd=Decimal("0.003000000000"))) is None


def test_a_version_follows_the_timestamp_and_beats_the_row() -> None:
    later = TIMESTAMP + timedelta(microseconds=12)
    for logged in (False, True):  # the version of a logged call stays below those of calls that passed the proxy
        assert version_after(version_of(TIMESTAMP, logged=logged), later) == version_of(later, logged=logged)
        beaten = version_of(later, logged=logged)
        assert version_after(beaten, TIMESTAMP) == next_version(beaten)
        assert version_after(beaten + 7, TIMESTAMP) == next_version(beaten) + 7  # the amendments stay in it


def test_differences_are_distinguished_by_model_and_day_where_something_changes() -> None:
    differences = Differences()
    for row in (
        a_row(),
        a_row(cost_usd=None, cost_state=CostState.UNKNOWN_MODEL),
        a_row(model="gpt-8"),
        a_row(request_created_at=TIMESTAMP + timedelta(days=1), usage_source=UsageSource.ESTIMATED),
    ):
        differences.add(row, correct(row))
    result = differences.result()
    assert [(one.model, one.day.day, one.difference.requests) for one in result.days] == [
        ("gpt-8", 1, 1),
        ("gpt-9", 1, 2),
    ]
    total = result.total
    assert (total.requests, total.changed, total.newly_priced, total.newly_unknown) == (4, 3, 1, 1)
    assert (total.before_usd, total.after_usd) == (Decimal("1.5"), Decimal("0.506"))


def test_made_up_model_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reprice, "_MAX_GROUPS", 2)
    differences = Differences()
    for number in range(5):
        row = a_row(model=f"made-up-{number}")
        differences.add(row, correct(row))
    result = differences.result()
    assert {one.model: one.difference.requests for one in result.days} == {"made-up-0": 1, "made-up-1": 1, REST: 3}
    assert result.total.requests == 5
