"""A finance person takes a total apart, and an operator says what a model costs here. On any shape of Farebox."""

import time
from decimal import Decimal
from typing import Any

from tests.journeys.story import Story

MODEL = "gpt-4o"
USD_PER_MILLION = {"prompt_tokens": 7, "prompt_cache_read_tokens": 3, "completion_tokens": 11}
WITHIN_S = 30


def tell(story: Story) -> None:
    every_cost_can_be_redone_by_hand(story)
    a_price_counts_for_new_requests_within_seconds_and_for_no_old_one(story)


def every_cost_can_be_redone_by_hand(story: Story) -> None:
    story.chat(MODEL)
    story.chat_streamed()
    story.message()
    rows = story.rows(story.ledger)
    for request_id, cost in story.ledger.items():
        reported = receipt(story, request_id)
        assert reported["reconciles"], reported
        by_hand = sum(Decimal(line["quantity"]) * Decimal(line["unit_usd"]) / line["per"] for line in reported["lines"])
        assert by_hand == cost == Decimal(rows[request_id]["cost_usd"]), reported


def a_price_counts_for_new_requests_within_seconds_and_for_no_old_one(story: Story) -> None:
    before = dict(story.ledger)
    price = {"model": f"{MODEL}-20*", "usd_per_million_tokens": USD_PER_MILLION, "valid_from": "2020-01-01T00:00:00Z"}
    status, response = story.ask("/v1/prices", price)
    assert status == 201, response
    row = response["data"]
    reported = _first_receipt_by(row["id"], story)
    amounts = [line["quantity"] * Decimal(USD_PER_MILLION[line["usage_class"]]) / 10**6 for line in reported["lines"]]
    assert Decimal(reported["cost_usd"]) == sum(amounts) > 0
    assert reported["price"]["source"] == "operator"
    costs = {request_id: Decimal(row["cost_usd"]) for request_id, row in story.rows(before).items()}
    assert costs == before
    assert story.ask(f"/v1/prices/{row['row_id']}/end", {"at": "2020-01-01T00:00:00Z"})[0] == 200


def _first_receipt_by(price_id: str, story: Story) -> dict[str, Any]:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        request_id = story.chat(MODEL)
        story.rows([request_id])
        reported = receipt(story, request_id)
        if reported["price"]["id"] == price_id:
            return reported
    raise AssertionError(f"no request is charged by {price_id} after {WITHIN_S} s")


def receipt(story: Story, request_id: str) -> dict[str, Any]:
    status, response = story.ask(f"/v1/request/{request_id}/cost")
    assert status == 200, response
    reported: dict[str, Any] = response["data"]
    return reported
