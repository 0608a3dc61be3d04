"""The provider's own bill: when it is the cost, what stands beside it, and when a reported cost contradicts ours."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas.event import Outcome
from schemas.price import CostState
from schemas.receipt import Charged
from schemas.record import RequestRecord
from schemas.usage import USAGE_CLASSES, Usage
from services.domain.enrich import to_record
from services.domain.pricing.bill import costs_differ
from services.domain.pricing.price_book import LayeredPrices
from services.domain.pricing.receipt import receipt_of
from services.domain.pricing.reprice import charge_again
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders.records import TIMESTAMP, an_event, an_operator_price
from tests.laws.test_recharge import stored

BOOK = ShippedPrices()
OURS_USD = Decimal("0.00024")


def response(model: str = "openai/gpt-4o-mini", **usage: Any) -> bytes:
    counts = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
    cached = {"prompt_tokens_details": {"cached_tokens": 400}}
    choices = [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}]
    return json.dumps({"model": model, "choices": choices, "usage": counts | cached | usage}).encode()


def row_of(body: bytes, provider: str = "OPENROUTER", **event: Any) -> RequestRecord:
    url = "https://openrouter.ai/api/v1/chat/completions"
    return to_record(an_event(provider=provider, target_url=url, response_body=body, **event), BOOK)[0]


def test_the_bill_in_a_response_is_the_cost_and_ours_stands_beside_it() -> None:
    row = row_of(response(cost=0.0031, is_byok=False))
    assert (row.cost_usd, row.cost_state, row.price_id) == (Decimal("0.0031"), CostState.PRICED, "bill/OPENROUTER")
    assert (row.provider_cost_usd, row.calculated_cost_usd) == (Decimal("0.0031"), OURS_USD)
    assert ":openrouter/openai/gpt-4o-mini@" in row.calculated_price_id


@pytest.mark.parametrize(
    ("usage", "reported_usd"),
    [
        ({"cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.002}}, "0.0021"),
        ({"cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        ({"cost": 0.0001, "is_byok": True}, None),
        ({"cost": 0.0001, "cost_details": {"upstream_inference_cost": 0.002}}, "0.0001"),
        ({"cost": 0, "cost_details": {"upstream_inference_cost": None}}, "0"),
        ({"cost": 0.0001, "is_byok": "no"}, "0.0001"),
        ({"cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": "sNaN"}}, None),
        ({"cost": -1, "is_byok": False}, None),
        ({"is_byok": False}, None),
    ],
)
def test_what_is_not_all_of_a_bill_is_only_compared(usage: dict[str, Any], reported_usd: str | None) -> None:
    row = row_of(response(**usage))
    assert (row.cost_usd, row.calculated_cost_usd, row.calculated_price_id) == (OURS_USD, None, "")
    assert row.price_id.startswith("genai-prices")
    assert row.provider_cost_usd == (None if reported_usd is None else Decimal(reported_usd))


def test_an_upstream_cost_beside_a_bill_does_not_matter_where_no_own_key_was_used() -> None:
    row = row_of(response(cost=0.0031, is_byok=False, cost_details={"upstream_inference_cost": 0.0029}))
    assert row.cost_usd == Decimal("0.0031")


def test_the_ticks_of_xai_are_its_bill() -> None:
    row = row_of(response("grok-4", cost_in_usd_ticks=37_756_000), "XAI")
    assert (row.cost_usd, row.price_id) == (Decimal("0.0037756"), "bill/X")


@pytest.mark.parametrize("provider", ["OPENAI", "DEEPINFRA", "CUSTOM"])
def test_a_cost_that_others_report_is_no_bill(provider: str) -> None:
    row = row_of(response("gpt-4o-mini", cost=0.0031, is_byok=False), provider)
    assert (row.provider_cost_usd, row.calculated_price_id) == (Decimal("0.0031"), "")
    assert row.cost_usd != Decimal("0.0031")


def test_what_a_client_says_that_a_call_cost_is_no_bill() -> None:
    row = row_of(response(), reported_cost_usd=Decimal("0.5"))
    assert (row.cost_usd, row.provider_cost_usd) == (OURS_USD, Decimal("0.5"))


def test_a_bill_of_nothing_is_free_and_says_why() -> None:
    row = row_of(response(cost=0, is_byok=False))
    assert (row.cost_usd, row.cost_state, row.calculated_cost_usd) == (Decimal(0), CostState.FREE, OURS_USD)
    assert receipt_of(charged(row), None).why == "the provider's own bill is zero"


def test_a_bill_is_known_where_no_price_is() -> None:
    row = row_of(response("acme/no-such-model", cost=0.0031, is_byok=False))
    assert (row.cost_usd, row.calculated_cost_usd, row.calculated_price_id) == (Decimal("0.0031"), None, "")
    receipt = receipt_of(charged(row), None)
    assert receipt.reconciles
    assert receipt.calculated is not None
    assert (
        receipt.calculated.why
        == "no price is known for model 'acme/no-such-model' of OPENROUTER at the time of the request"
    )


def test_a_response_without_tokens_costs_its_bill() -> None:
    body = json.dumps({"model": "acme/pictures", "data": [], "usage": {"cost": 0.04, "is_byok": False}}).encode()
    assert row_of(body).cost_usd == Decimal("0.04")


def test_a_tier_without_a_price_costs_its_bill() -> None:
    body = response(cost=0.0031, is_byok=False)[:-1] + b', "service_tier": "provisioned"}'
    row = row_of(body)
    assert (row.service_tier, row.cost_usd, row.calculated_cost_usd) == ("provisioned", Decimal("0.0031"), None)


def test_a_stream_that_broke_off_before_its_bill_has_none() -> None:
    chunk = b'data: {"model":"openai/gpt-4o-mini","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    row = row_of(chunk, outcome=Outcome.UPSTREAM_ERROR, content_type="text/event-stream")
    assert (row.cost_usd, row.cost_state) == (None, CostState.PARTIAL)


@pytest.mark.parametrize(("finish_reason", "price"), [(None, "genai-prices"), ("stop", "bill/")])
def test_a_cost_that_runs_along_a_stream_is_a_bill_only_at_its_end(finish_reason: str | None, price: str) -> None:
    running = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200, "cost": 0.0031, "is_byok": False}
    choices = [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": finish_reason}]
    chunk = {"object": "chat.completion.chunk", "model": "openai/gpt-4o-mini", "choices": choices, "usage": running}
    row = row_of(f"data: {json.dumps(chunk)}\n\n".encode(), content_type="text/event-stream")
    assert row.price_id.startswith(price)
    assert (row.cost_usd == Decimal("0.0031")) == (price == "bill/")


def test_a_cached_response_saves_what_the_first_one_was_billed() -> None:
    row = row_of(response(cost=0.0031, is_byok=False), outcome=Outcome.CACHED, request_sent=False)
    assert (row.cost_usd, row.cost_state, row.price_id) == (Decimal(0), CostState.FREE, "")
    assert (row.cache_saved_usd, row.provider_cost_usd, row.calculated_cost_usd) == (Decimal("0.0031"), None, None)


def test_prices_change_nothing_that_was_billed() -> None:
    row = row_of(response(cost=0.0031, is_byok=False))
    assert charge_again(stored(row), LayeredPrices(BOOK, [an_operator_price(model="*")])) is None


def charged(row: RequestRecord) -> Charged:
    names = [name for name in Charged.__struct_fields__ if name != "usage"]
    usage = Usage(**{name: getattr(row, name) for name in USAGE_CLASSES})
    return Charged(usage=usage, **{name: getattr(row, name) for name in names})


def test_the_receipt_of_a_bill_is_one_line_and_has_ours_beside_it() -> None:
    row = row_of(response(cost=0.0031, is_byok=False))
    receipt = receipt_of(charged(row), BOOK.price_at("OPENROUTER", "openai/gpt-4o-mini", TIMESTAMP))
    assert [(line.usage_class, line.quantity, line.amount_usd) for line in receipt.lines] == [("bill", 1, row.cost_usd)]
    assert (receipt.total_usd, receipt.reconciles) == (row.cost_usd, True)
    assert receipt.price is not None
    assert receipt.price.source == "the provider's own bill"
    ours = receipt.calculated
    assert ours is not None
    assert (ours.total_usd, ours.reconciles) == (OURS_USD, True)
    assert sum(line.amount_usd or 0 for line in ours.lines) == OURS_USD
    assert ours.price is not None
    assert ours.price.id == row.calculated_price_id


def test_a_bill_that_is_not_the_cost_does_not_reconcile() -> None:
    row = charged(row_of(response(cost=0.0031, is_byok=False)))
    for changes in ({"cost_usd": Decimal("0.003")}, {"provider_cost_usd": None}):
        assert not receipt_of(msgspec.structs.replace(row, **changes), None).reconciles


DIFFERENCES = [
    ("0.00024", "0.00024", False),
    ("0.0002424", "0.00024", False),  # by a hundredth of the larger
    ("0.0002427", "0.00024", True),
    ("0.00024", "0.0002427", False),  # it may have been rounded to its last decimal
    ("0.00024", "0.0002451", True),
    ("0.006", "0.006499", False),  # it may have been rounded to thousandths
    ("0.006", "0.006501", True),
    ("0.01", "0.0106", True),  # and to nothing coarser
    ("1", "0.5", True),
    ("0", "0.0004", False),
    ("0", "0.0006", True),
    ("0.0031", "0.00024", True),
    ("0.000000000001", "0.000000000002", True),
    ("999999.999999999999", "0", True),
    ("0", "0", False),
]


@pytest.mark.parametrize(("reported", "ours", "differ"), DIFFERENCES)
def test_costs_differ_by_more_than_a_hundredth_and_more_than_they_were_rounded_by(
    reported: str, ours: str, differ: bool
) -> None:
    assert costs_differ(Decimal(reported), Decimal(ours)) is differ
