"""Providers' own bills in the API: rows, receipts, reports and the list of costs that contradict ours."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.api.disputes import DisputedCosts
from services.domain.pricing.bill import is_disputed
from tests.contracts.test_receipts_api import event_of, keep, receipt, sum_of
from tests.servers.querying import Client
from tests.unit.test_bill import DIFFERENCES, OURS_USD, response

BILL = Decimal("0.0031")


def keep_billed(client: Client, **usage: Any) -> str:
    return keep(client, event_of(client, provider="OPENROUTER", response_body=response(**usage)))


def test_the_receipt_of_a_bill_has_one_line_and_our_calculation_beside_it(client: Client) -> None:
    shown = receipt(client, keep_billed(client, cost=0.0031, is_byok=False))
    (line,) = shown["lines"]
    assert line == {
        "model": shown["model"],
        "usage_class": "bill",
        "quantity": 1,
        "unit_usd": BILL,
        "per": 1,
        "usd_per_million": None,
        "amount_usd": BILL,
    }
    assert shown["cost_usd"] == shown["total_usd"] == shown["provider_cost_usd"] == BILL
    assert (shown["reconciles"], shown["cost_disputed"], shown["why"]) == (True, True, None)
    assert (shown["price"]["id"], shown["price"]["source"]) == ("bill/OPENROUTER", "the provider's own bill")
    ours = shown["calculated"]
    assert ours["cost_usd"] == ours["total_usd"] == sum_of(ours["lines"]) == OURS_USD
    assert ours["reconciles"]
    assert ours["price"]["source"].startswith("genai-prices ")


def test_a_row_shows_its_bill_and_that_ours_is_another(client: Client) -> None:
    keep_billed(client, cost=0.0031, is_byok=False)
    (row,) = client.page({"request_response_rmt": {"cost_disputed": {"equals": True}}})
    assert (row["cost_usd"], row["calculated_cost_usd"], row["cost_disputed"]) == (BILL, OURS_USD, True)
    (same,) = client.page({"request_response_rmt": {"calculated_cost_usd": {"equals": 0.00024}}})
    assert same == row


def test_where_the_cost_is_ours_it_is_what_was_calculated(client: Client) -> None:
    keep(client, event_of(client))
    (row,) = client.page({"request_response_rmt": {"calculated_cost_usd": {"equals": 0.00024}}})
    assert row["calculated_cost_usd"] == row["cost_usd"] == OURS_USD
    assert receipt(client, row["request_id"])["calculated"] is None


def _stored(reported: str, ours: str, *, is_bill: bool) -> dict[str, Any]:
    if not is_bill:
        return {"provider_cost_usd": Decimal(reported), "cost_usd": Decimal(ours)}
    amounts = {"provider_cost_usd": Decimal(reported), "cost_usd": Decimal(reported)}
    return amounts | {"calculated_cost_usd": Decimal(ours), "price_id": "bill/OPENROUTER"}


@pytest.mark.parametrize("is_bill", [False, True])
def test_rows_are_marked_by_the_rule_that_receipts_go_by(client: Client, is_bill: bool) -> None:
    rows = [_stored(reported, ours, is_bill=is_bill) for reported, ours, _ in DIFFERENCES]
    ids = client.keep(*rows, {"provider_cost_usd": None}, {"provider_cost_usd": Decimal(1), "cost_usd": None})
    expected = {id_ for id_, (_, _, differ) in zip(ids, DIFFERENCES, strict=False) if differ}
    assert {
        row["request_id"] for row in client.page({"request_response_rmt": {"cost_disputed": {"equals": True}}})
    } == (expected)
    for row in client.page():
        assert row["cost_disputed"] is (row["request_id"] in expected)
        assert row["cost_disputed"] is is_disputed(row["provider_cost_usd"], row["calculated_cost_usd"])


PAIR = ["provider_cost_usd", "calculated_cost_usd", "cost_difference_usd"]


def test_reported_costs_are_summed_beside_ours_over_the_same_requests(client: Client) -> None:
    client.keep(
        _stored("0.5", "0.2", is_bill=True),
        _stored("0.2", "0.2", is_bill=False),
        {"provider_cost_usd": None, "cost_usd": Decimal(7)},
        {"provider_cost_usd": Decimal(9), "cost_usd": None},
        {"provider_cost_usd": None, "model": "silent"},
    )
    report = client.report(measures=PAIR, by=[{"column": "model"}])
    assert report["total"] == {
        "provider_cost_usd": Decimal("0.7"),
        "calculated_cost_usd": Decimal("0.4"),
        "cost_difference_usd": Decimal("0.3"),
        "requests": 5,
        "attempts": 5,
        "uncompared_requests": 3,
        "disputed_requests": 1,
    }
    silent = next(row["measures"] for row in report["rows"] if row["by"] == ["silent"])
    assert [silent[name] for name in PAIR] == [None, None, None]


def test_disputed_costs_are_listed_by_model_and_by_whether_the_bill_is_the_cost(client: Client) -> None:
    ids = client.keep(
        _stored("0.5", "0.2", is_bill=True),
        _stored("0.3", "0.2", is_bill=False),
        _stored("0.2", "0.2", is_bill=False),
        {},
    )
    status, response = client.ask("/v1/prices/disputed?since=52w")
    assert status == 200
    found = DisputedCosts.model_validate(response["data"])
    assert (found.requests, found.compared_requests, found.disputed_requests) == (4, 3, 2)
    assert (found.provider_cost_usd, found.calculated_cost_usd) == (Decimal(1), Decimal("0.6"))
    assert {(one.is_bill, one.cost_difference_usd, *one.example_request_ids) for one in found.models} == {
        (True, Decimal("0.3"), ids[0]),
        (False, Decimal("0.1"), ids[1]),
    }


def test_the_summary_counts_the_costs_that_are_disputed(client: Client) -> None:
    client.keep(
        _stored("0.5", "0.2", is_bill=True),
        _stored("0.3", "0.2", is_bill=False),
        _stored("0.2", "0.2", is_bill=False),
        {"provider_cost_usd": None},
        {"provider_cost_usd": Decimal(9), "cost_usd": None},
    )
    summary = client.summary("?since=52w")
    assert (summary["disputed_requests"], summary["total"]["unpriced_requests"]) == (2, 1)


def test_where_nothing_was_reported_there_is_nothing_to_compare(client: Client) -> None:
    client.keep({})
    found = DisputedCosts.model_validate(client.ask("/v1/prices/disputed?since=52w")[1]["data"])
    assert (found.compared_requests, found.provider_cost_usd, found.models) == (0, None, [])
