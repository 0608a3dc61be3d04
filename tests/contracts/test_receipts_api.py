"""GET /v1/request/{id}/cost: the sum redone from what is stored, for every kind of row and for ever."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import msgspec

from schemas.event import ExchangeEvent, Outcome
from schemas.price import Price, Rate
from services.domain.enrich import recorded_at_of, to_record
from services.domain.pricing.price_book import PriceBookHistory, RecordingPriceBook
from services.stores.shipped_prices.book import ShippedPrices
from tests.builders import an_event, an_operator_price, chat_answer
from tests.exchanges import some_exchanges
from tests.querying import Client, QueryService

BOOKS = PriceBookHistory(ShippedPrices())
ORIGINAL = "01932c07-2a00-7000-8000-00000000000f"


def keep(client: Client, event: ExchangeEvent, books: PriceBookHistory = BOOKS) -> str:
    """What the worker keeps of `event`: its price, and then its row."""
    used: dict[str, Price] = {}
    record, _ = to_record(
        event, RecordingPriceBook(books.prices_of(client.organization_id, recorded_at_of(event)), used)
    )
    asyncio.run(client.service.warehouse.keep_prices(list(used.values())))
    client.insert([record], [])
    return record.request_id


def receipt(client: Client, request_id: str) -> dict[str, Any]:
    status, answer = client.ask(f"/v1/request/{request_id}/cost")
    assert status == 200, answer
    found: dict[str, Any] = answer["data"]
    return found


def event_of(client: Client, **changes: Any) -> ExchangeEvent:
    return an_event(organization_id=client.organization_id, **changes)


def sum_of(lines: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(line["amount_usd"]) for line in lines), Decimal(0))


def test_a_receipt_is_the_sum_by_hand(client: Client) -> None:
    """600 x 0.15 $ + 400 x 0.075 $ + 200 x 0.60 $, each per million: 0.00009 + 0.00003 + 0.00012 = 0.00024."""
    request_id = keep(client, event_of(client))
    told = receipt(client, request_id)
    assert told["lines"] == [
        {
            "usage_class": name,
            "quantity": quantity,
            "unit_usd": Decimal(unit),
            "usd_per_million": Decimal(per_million),
            "amount_usd": Decimal(amount),
        }
        for name, quantity, unit, per_million, amount in [
            ("prompt_tokens", 600, "0.00000015", "0.15", "0.00009"),
            ("prompt_cache_read_tokens", 400, "0.000000075", "0.075", "0.00003"),
            ("completion_tokens", 200, "0.0000006", "0.6", "0.00012"),
        ]
    ]
    assert told["cost_usd"] == told["total_usd"] == Decimal("0.00024")
    assert (told["request_id"], told["model"], told["provider"]) == (request_id, "gpt-4o-mini-2024-07-18", "OPENAI")
    assert (told["cost_state"], told["why"], told["reconciles"], told["rounding_usd"]) == ("priced", None, True, 0)
    assert (told["usage_source"], told["usage_mismatch"], told["service_tier"]) == ("provider", False, "")
    assert told["context_tier"] == {
        "prompt_tokens": 1000,
        "above_tokens": None,
        "why": "the price has no tiers by prompt size",
    }
    assert told["price"]["source"].startswith("genai-prices ")
    assert told["price"]["id"] == client.page()[0]["price_id"]
    assert told["provider_usage"]["prompt_tokens_details"] == {"cached_tokens": 400}
    assert (told["reprice_id"], told["original_cost_usd"], told["provider_cost_usd"]) == (None, None, None)
    assert (told["cache_reference_id"], told["cache_saved_usd"]) == (None, None)


def test_receipts_of_all_kinds_of_exchanges_add_up_to_the_stored_cost(client: Client) -> None:
    states = set()
    for event in some_exchanges(60, organization_id=client.organization_id):
        told = receipt(client, keep(client, event))
        stored = client.page({"request_response_rmt": {"request_id": {"equals": told["request_id"]}}})[0]
        assert told["reconciles"], told
        assert (told["cost_usd"], told["cost_state"]) == (stored["cost_usd"], stored["cost_state"])
        assert (told["why"] is None) == (told["cost_state"] == "priced")
        if told["cost_usd"] is not None:
            assert sum_of(told["lines"]) == told["total_usd"] == told["cost_usd"]
        states.add(told["cost_state"])
    assert {"priced", "free"} <= states


def test_a_receipt_of_what_is_not_known_says_why_and_shows_what_was_used(client: Client) -> None:
    told = receipt(client, keep(client, event_of(client, response_body=chat_answer(model="no-such-model"))))
    assert (told["cost_usd"], told["total_usd"], told["cost_state"]) == (None, None, "unknown_model")
    assert told["why"].startswith("no price is known for model 'no-such-model' of OPENAI")
    assert (told["price"], told["context_tier"], told["reconciles"]) == (None, None, True)
    assert [(line["usage_class"], line["quantity"], line["amount_usd"]) for line in told["lines"]] == [
        ("prompt_tokens", 600, None),
        ("prompt_cache_read_tokens", 400, None),
        ("completion_tokens", 200, None),
    ]


def test_a_receipt_without_usage_has_no_lines(client: Client) -> None:
    told = receipt(client, keep(client, event_of(client, response_body=b'{"model":"gpt-4o-mini","choices":[]}')))
    assert (told["cost_usd"], told["cost_state"], told["lines"]) == (None, "no_usage", [])
    assert told["why"] == "the provider reported no usage"
    assert (told["usage_source"], told["provider_usage"]) == ("none", None)


def test_a_receipt_of_what_contradicts_itself_says_so(client: Client) -> None:
    answer = json.loads(chat_answer())
    answer["usage"]["total_tokens"] = 7
    told = receipt(client, keep(client, event_of(client, response_body=json.dumps(answer).encode())))
    assert (told["cost_usd"], told["cost_state"], told["usage_mismatch"]) == (None, "partial", True)
    assert "usage is inconsistent" in told["why"]
    assert told["price"]["source"].startswith("genai-prices ")
    assert [line["amount_usd"] for line in told["lines"]] == [None] * 3


def test_an_error_answer_costs_nothing_and_says_why(client: Client) -> None:
    event = event_of(client, outcome=Outcome.PROVIDER_ERROR, status=429, response_body=b'{"error":{"message":"slow"}}')
    told = receipt(client, keep(client, event))
    assert (told["cost_usd"], told["total_usd"], told["cost_state"], told["lines"]) == (0, 0, "free", [])
    assert told["why"] == "an error response without usage: providers do not bill these"


def test_a_cached_answer_costs_nothing_and_says_what_it_saved_and_who_paid(client: Client) -> None:
    told = receipt(client, keep(client, event_of(client, outcome=Outcome.CACHED, cache_reference_id=ORIGINAL)))
    assert (told["cost_usd"], told["cost_state"], told["lines"]) == (0, "free", [])
    assert told["why"] == "served from the response cache: nothing was sent to the provider"
    assert (told["cache_reference_id"], told["cache_saved_usd"]) == (ORIGINAL, Decimal("0.00024"))


def test_the_operators_price_is_on_the_receipt(client: Client) -> None:
    row = an_operator_price(organization_id=client.organization_id)
    event = event_of(client, provider="CUSTOM", response_body=chat_answer(model="llama-3-70b", cached=0))
    told = receipt(client, keep(client, event, PriceBookHistory(ShippedPrices(), [row])))
    assert (told["price"]["id"], told["price"]["source"]) == (f"operator/{row.id}", "operator")
    assert told["cost_usd"] == sum_of(told["lines"]) == Decimal("0.00096")


def test_a_receipt_stays_the_same_when_the_shipped_price_has_changed(client: Client) -> None:
    """An older package said something else of the same model, under the same name with another digest."""
    shipped = ShippedPrices().price_at("OPENAI", "gpt-4o-mini", event_of(client).request.created_at)
    assert shipped is not None
    rates = {name: Rate(usd=2 * rate.usd) for name, rate in shipped.rates.items()}
    older = msgspec.structs.replace(shipped, id=shipped.id.partition("#")[0] + "#0000beef", rates=rates)
    asyncio.run(client.service.warehouse.keep_prices([older]))
    request_id = client.keep({"price_id": older.id, "cost_usd": Decimal("0.00048")})[0]
    told = receipt(client, request_id)
    assert told["reconciles"]
    assert told["cost_usd"] == sum_of(told["lines"]) == Decimal("0.00048")
    assert told["price"]["id"] == older.id


def test_a_price_that_is_kept_again_is_the_same_price(client: Client) -> None:
    request_id = keep(client, event_of(client))
    first = receipt(client, request_id)
    for _ in range(3):
        keep(client, event_of(client))
    assert receipt(client, request_id) == first


def test_a_sum_that_does_not_come_out_is_not_hidden(client: Client) -> None:
    keep(client, event_of(client))
    price_id = client.page()[0]["price_id"]
    wrong, lost = client.keep({"price_id": price_id, "cost_usd": Decimal("0.0003")}, {"price_id": "no/such/price"})
    told = receipt(client, wrong)
    assert (told["cost_usd"], told["total_usd"], told["reconciles"]) == (Decimal("0.0003"), Decimal("0.00024"), False)
    told = receipt(client, lost)
    assert (told["cost_usd"], told["total_usd"], told["reconciles"]) == (Decimal("0.00024"), None, False)
    assert told["price"] is None


def test_a_receipt_tells_of_corrections_and_of_the_providers_own_figure(client: Client) -> None:
    reprice_id = "6d9b0f61-0000-4000-8000-000000000001"
    changes = {
        "reprice_id": reprice_id,
        "original_cost_usd": Decimal("0.0001"),
        "provider_cost_usd": Decimal("0.00025"),
    }
    told = receipt(client, client.keep(changes)[0])
    assert (told["reprice_id"], told["original_cost_usd"], told["provider_cost_usd"]) == (
        reprice_id,
        Decimal("0.0001"),
        Decimal("0.00025"),
    )


def test_a_service_tier_and_a_context_tier_are_told_with_their_reason(client: Client) -> None:
    event = event_of(
        client,
        provider="GOOGLE",
        response_body=chat_answer(model="gemini-2.5-pro", prompt=250_000, cached=0),
        target_url="https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    )
    told = receipt(client, keep(client, event))
    assert told["context_tier"]["above_tokens"] == 200_000
    assert told["context_tier"]["why"].startswith("the prompt has 250000 tokens, more than 200000")
    assert told["price"]["tiers"][0]["above_tokens"] == 200_000
    unit = told["price"]["tiers"][0]["usd_per_million_tokens"]["prompt_tokens"]
    assert told["lines"][0]["usd_per_million"] == unit
    assert sum_of(told["lines"]) == told["cost_usd"]


def test_a_receipt_is_for_its_organization_only(client: Client, service: QueryService) -> None:
    request_id = keep(client, event_of(client))
    assert service.ask(f"/v1/request/{request_id}/cost", key=service.key("somebody-else"))[0] == 404
    assert service.ask(f"/v1/request/{request_id}/cost", key="sk-helicone-nobody")[0] == 401
    assert client.ask(f"/v1/request/{ORIGINAL}/cost")[0] == 404
    assert client.ask("/v1/request/no-id/cost")[0] == 422
